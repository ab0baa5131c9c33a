package backup

import (
	"fmt"
	"slices"
	"time"

	"upkeep/providers"
	"upkeep/providers/backup/keep"
	"upkeep/providers/facts"
)

// proving is what backup.prove means.
type proving struct{}

func (proving) read(in providers.Input, step providers.Step) (proveArgs, inventory, error) {
	args, err := providers.ArgsOf[proveArgs](step)
	if err != nil {
		return args, inventory{}, err
	}
	return args, look(in, terms{owner: step.Address.Resource(), maxAge: time.Duration(args.MaxAge), level: args.Verify, encrypted: args.Encrypted}), nil
}

// Predict adds the proof of the bytes that the store has now.
func (e proving) Predict(in providers.Input, step providers.Step) facts.Update {
	args, s, err := e.read(in, step)
	if err != nil {
		return facts.Update{}
	}
	h, there := s.find(args.Bundle)
	if !there || h.standing != Unproved {
		return facts.Update{}
	}
	return facts.Update{Sections: learned(in.Memory, s.owner, facts.Proof{
		Bundle: h.ID, Address: s.address, SHA256: h.SHA256, Level: args.Verify, At: in.Now, TakenAt: h.TakenAt, Store: s.store, ClusterID: h.ClusterID,
		Revision: h.Revision, Keys: h.Keys,
	})}
}

// proveGround is what proving a bundle relies on: its bytes.
type proveGround struct {
	SHA256 string `json:"sha256,omitempty"`
}

// Lines implements providers.Ground.
func (g proveGround) Lines() []string { return []string{"SHA-256 of the bundle = " + g.SHA256} }

// Needs: a bundle is proved on this machine, against what the state remembers of its cluster.
func (proving) Needs(in providers.Input, step providers.Step) providers.Needs {
	return providers.NeedsOfResource(in, step)
}

// Ground holds the step to the bytes that it was planned for.
func (e proving) Ground(in providers.Input, step providers.Step) providers.Ground {
	args, s, err := e.read(in, step)
	if err != nil {
		return nil
	}
	if h, there := s.find(args.Bundle); there && h.SHA256 != facts.New {
		return proveGround{h.SHA256}
	}
	return nil
}

// Ready wants the bundle as it was planned for.
func (e proving) Ready(in providers.Input, step providers.Step) providers.Readiness {
	args, s, err := e.read(in, step)
	if err != nil {
		return providers.Unreadable(err)
	}
	if s.unknown != "" {
		return providers.Unknown.Because("what the store holds is unknown: %s", s.unknown)
	}
	planned, err := providers.GroundOf[proveGround](step)
	if err != nil {
		return providers.Unreadable(err)
	}
	h, there := s.find(args.Bundle)
	switch {
	case !there:
		return providers.Moved.Because("bundle %s is not in the store", args.Bundle)
	case s.proved(h):
		return providers.Done.Because("bundle %s is proved by %s", args.Bundle, h.proof.Level)
	case h.standing != Unproved:
		return providers.Moved.Because("bundle %s: %s", args.Bundle, h.why)
	case h.SHA256 != planned.SHA256:
		return providers.Moved.Because("bundle %s is not the one that this plan was made for", args.Bundle)
	}
	return providers.Holds.Because("bundle %s is in the store", args.Bundle)
}

// Proved wants the proof in the memory, of the bytes that the store has.
func (e proving) Proved(before, after providers.Input, step providers.Step) error {
	args, is, err := e.read(after, step)
	if err != nil {
		return err
	}
	h, there := is.find(args.Bundle)
	switch {
	case is.unknown != "":
		return fmt.Errorf("what the store holds is unknown: %s", is.unknown)
	case !there:
		return fmt.Errorf("bundle %s is gone from the store", args.Bundle)
	case !is.proved(h):
		return fmt.Errorf("bundle %s: %s", args.Bundle, h.why)
	}
	return nil
}

// pruning is what backup.prune means.
type pruning struct{}

func (pruning) read(in providers.Input, step providers.Step) (pruneArgs, inventory, error) {
	args, err := providers.ArgsOf[pruneArgs](step)
	if err != nil {
		return args, inventory{}, err
	}
	return args, look(in, terms{owner: step.Address.Resource(), maxAge: time.Duration(args.MaxAge), level: args.Verify, encrypted: args.Encrypted}), nil
}

// Predict takes the bundles and the scraps out of the store.
func (e pruning) Predict(in providers.Input, step providers.Step) facts.Update {
	args, s, err := e.read(in, step)
	if err != nil || s.unknown != "" {
		return facts.Update{}
	}
	found := in.World.Backups[s.address]
	found.Bundles = slices.DeleteFunc(slices.Clone(found.Bundles), func(b facts.Bundle) bool {
		return b.Address == s.address && slices.Contains(args.Remove, b.ID)
	})
	found.Strays = slices.DeleteFunc(slices.Clone(found.Strays), func(x facts.Stray) bool { return slices.Contains(args.Leftovers, x.Name) })
	out := facts.Update{Backups: map[string]facts.Backups{s.address: found}}
	if section, err := Without(s.owner, in.Memory.Sections[s.owner], args.Remove...); err == nil && len(args.Remove) > 0 {
		out.Sections = facts.Sections{s.owner: section}
	}
	return out
}

// Needs: the policy is asked about bundles of this cluster, which etcd and the nodes that run it name.
func (pruning) Needs(in providers.Input, step providers.Step) providers.Needs {
	return providers.NeedsOfResource(in, step)
}

// Ground is nothing by value: Ready asks the policy again.
func (pruning) Ground(providers.Input, providers.Step) providers.Ground { return nil }

// Ready asks the policy again, with the bundles and the clock of this moment: what it keeps now is not removed, whatever the
// plan says.
func (e pruning) Ready(in providers.Input, step providers.Step) providers.Readiness {
	args, s, err := e.read(in, step)
	if err != nil {
		return providers.Unreadable(err)
	}
	if s.unknown != "" {
		return providers.Unknown.Because("what the store holds is unknown: %s", s.unknown)
	}
	left := 0
	decisions, err := decide(s, args.Keep, time.Duration(args.LockFor))
	if err != nil {
		return providers.Moved.Because("%s", err)
	}
	for _, d := range decisions {
		switch {
		case !slices.Contains(args.Remove, d.ID):
		case d.Keep:
			return providers.Moved.Because("bundle %s is kept now: %s", d.ID, d.Reasons[0])
		default:
			left++
		}
	}
	for _, id := range args.Remove {
		judged := slices.ContainsFunc(decisions, func(d keep.Decision) bool { return d.ID == id })
		if h, there := s.find(id); there && !judged {
			return providers.Moved.Because("bundle %s is %s now, and keep is not asked about it: %s", id, h.standing, h.why)
		}
	}
	for _, x := range s.strays {
		if slices.Contains(args.Leftovers, x.Name) {
			left++
		}
	}
	for _, h := range s.others {
		if slices.Contains(args.Remove, h.ID) {
			return providers.Moved.Because("bundle %s is another one now: %s", h.ID, h.why)
		}
	}
	if left == 0 {
		return providers.Done.Because("all of it is gone already")
	}
	return providers.Holds.Because("no rule of the policy keeps what is removed")
}

// Proved wants them gone, and everything else there.
func (e pruning) Proved(before, after providers.Input, step providers.Step) error {
	args, was, err := e.read(before, step)
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
	for _, id := range args.Remove {
		if _, there := is.find(id); there {
			return fmt.Errorf("bundle %s is still in the store", id)
		}
	}
	for _, x := range is.strays {
		if slices.Contains(args.Leftovers, x.Name) {
			return fmt.Errorf("%s is still in the store", x.Name)
		}
	}
	if h, any := was.newestProved(); any {
		if _, there := is.find(h.ID); !there {
			return fmt.Errorf("the newest proved bundle %s is gone from the store", h.ID)
		}
	}
	return kept(was, is, args.Remove)
}
