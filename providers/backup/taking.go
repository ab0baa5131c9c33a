package backup

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// takeGround is what taking a bundle relies on: the newest proved bundle that there was.
type takeGround struct {
	// Newest is its id; "none" where there was none.
	Newest string `json:"newest_proved,omitempty"`
}

// Lines implements providers.Ground.
func (g takeGround) Lines() []string { return []string{"newest proved bundle = " + g.Newest} }

// none stands for no bundle.
const none = "none"

// taking is what backup.take means.
type taking struct{}

// read decodes a step's arguments and looks at its store.
func (taking) read(in providers.Input, step providers.Step) (takeArgs, inventory, error) {
	args, err := providers.ArgsOf[takeArgs](step)
	if err != nil {
		return args, inventory{}, err
	}
	return args, look(in, terms{owner: step.Address.Resource(), maxAge: time.Duration(args.MaxAge), level: args.Verify, encrypted: len(args.EncryptTo) > 0}), nil
}

// Predict adds a bundle and its proof, unless there is one that is young enough and none is asked for.
func (e taking) Predict(in providers.Input, step providers.Step) facts.Update {
	args, s, err := e.read(in, step)
	if err != nil || s.unknown != "" {
		return facts.Update{}
	}
	if _, fresh := s.fresh(); fresh && !asked(in, step) {
		return facts.Update{}
	}
	b := facts.Bundle{
		ID: facts.New, TakenAt: in.Now, Address: s.address, SHA256: facts.New, Encrypted: len(args.EncryptTo) > 0,
		Authority: identityOf(in).Authority, ClusterID: clusterOf(in.World),
	}
	nodes, _ := in.Inventory.Select(args.Nodes)
	for _, n := range nodes {
		if why := in.World.Node(n.Name).Unknown; why != "" {
			b.Gaps = append(b.Gaps, gapOf(n.Name, why))
		}
	}
	found := in.World.Backups[s.address]
	found.Bundles = append(slices.Clone(found.Bundles), b)
	return facts.Update{
		Backups: map[string]facts.Backups{s.address: found},
		Sections: learned(in.Memory, s.owner, facts.Proof{
			Bundle: facts.New, Address: s.address, SHA256: facts.New, Level: args.Verify, At: in.Now, TakenAt: in.Now, Store: s.store, ClusterID: b.ClusterID,
		}),
	}
}

// gapOf says that a node's part is missing in a bundle.
func gapOf(node, why string) string { return "keys and configuration of " + node + ": " + why }

// asked reports whether the user asked for the step although nothing is due.
func asked(in providers.Input, step providers.Step) bool {
	return slices.ContainsFunc(in.Replace, func(a providers.Address) bool { return a.Covers(step.Address) })
}

// Needs: a bundle holds something of every node, and any member of etcd may be its source.
func (taking) Needs(in providers.Input, step providers.Step) providers.Needs {
	return providers.NeedsOfResource(in, step)
}

// Ground remembers the newest proved bundle: one that is newer has been taken since.
func (e taking) Ground(in providers.Input, step providers.Step) providers.Ground {
	_, s, err := e.read(in, step)
	if err != nil || s.unknown != "" {
		return nil
	}
	newest := newestOf(s)
	if newest == facts.New {
		return nil
	}
	return takeGround{newest}
}

func newestOf(s inventory) string {
	if h, any := s.newestProved(); any {
		return h.ID
	}
	return none
}

// Ready: a bundle that is young enough is all that a guard is for. Where a new one is asked for, only one that was not
// there when the plan was made will do.
func (e taking) Ready(in providers.Input, step providers.Step) providers.Readiness {
	_, s, err := e.read(in, step)
	if err != nil {
		return providers.Unreadable(err)
	}
	if s.unknown != "" {
		return providers.Unknown.Because("what the store holds is unknown: %s", s.unknown)
	}
	planned, err := providers.GroundOf[takeGround](step)
	if err != nil {
		return providers.Unreadable(err)
	}
	if h, fresh := s.fresh(); fresh && (!asked(in, step) || h.ID != planned.Newest) {
		return providers.Done.Because("bundle %s is %s and proved by %s", h.ID, s.old(h), h.proof.Level)
	}
	from, why, err := source(in.World)
	if err != nil {
		return providers.Unknown.Because("%s", why)
	}
	return providers.Holds.Because("from %s: %s", from.node, why)
}

// Proved wants a bundle that was not there before, in the store as it was written, and proved by what the state remembers.
// Every bundle that was there is there still.
func (e taking) Proved(before, after providers.Input, step providers.Step) error {
	_, was, err := e.read(before, step)
	if err != nil {
		return err
	}
	_, is, err := e.read(after, step)
	if err != nil {
		return err
	}
	if is.unknown != "" {
		return fmt.Errorf("what the store holds is unknown: %s", is.unknown)
	}
	if _, fresh := is.fresh(); !fresh {
		return errors.New("the store has no bundle that is proved and young enough")
	}
	added := func(h held) bool {
		_, old := was.find(h.ID)
		return !old && is.proved(h) && is.young(h)
	}
	if !slices.ContainsFunc(is.bundles, added) {
		return errors.New("no bundle was added that is proved")
	}
	return kept(was, is, nil)
}

// kept returns an error where a bundle is gone that nobody meant to remove.
func kept(was, is inventory, removed []string) error {
	for _, h := range was.bundles {
		if _, there := is.find(h.ID); !there && !slices.Contains(removed, h.ID) {
			return fmt.Errorf("bundle %s is gone from the store", h.ID)
		}
	}
	return nil
}
