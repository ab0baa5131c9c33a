package backup

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/backup/keep"
	"upkeep/providers/facts"
)

// A cold bundle holds the data directories of members of etcd that do not run, copied as they lie. It is what can be had when
// no member answers. Nothing can prove it: what a member that was stopped had not yet written is lost, and whether etcd starts
// from it is seen only when it does. So it never counts as a backup, for no guard, and no proved bundle ever goes for it.

// OperationCold copies the data directories of stopped members.
const OperationCold = "backup.cold"

// newCold stands for the cold bundle that a plan takes.
const newCold = facts.New + " cold copies"

// coldArgs are the arguments of a step that takes cold copies.
type coldArgs struct {
	MaxAge    config.Duration  `json:"max_age"`
	Nodes     config.Selection `json:"nodes"`
	Include   []string         `json:"include,omitempty"`
	EncryptTo []string         `json:"encrypt_to,omitempty"`
}

// stoppedMember is a node with the data of a member that does not run.
type stoppedMember struct {
	node string
	data facts.EtcdData
}

// silentNode is a node with nothing to copy.
type silentNode struct{ node, why string }

func (n silentNode) String() string { return n.node + ": " + n.why }

// stoppedMembers returns the nodes of a selection whose members do not run; silent says of every other why it is none.
func stoppedMembers(in providers.Input, selected config.Selection) (stopped []stoppedMember, silent []silentNode) {
	nodes, _ := in.Inventory.Select(selected)
	for _, n := range nodes {
		observed := in.World.Node(n.Name)
		switch data := observed.EtcdData; {
		case observed.Unknown != "":
			silent = append(silent, silentNode{n.Name, observed.Unknown})
		case data.Unknown != "":
			silent = append(silent, silentNode{n.Name, data.Unknown})
		case data.Running:
			silent = append(silent, silentNode{n.Name, stillRuns})
		case data.Directory == "":
			silent = append(silent, silentNode{n.Name, noData})
		default:
			stopped = append(stopped, stoppedMember{n.Name, data})
		}
	}
	return stopped, silent
}

// Why a node has no member to copy.
const (
	stillRuns = "etcd runs there, or something else has its database open, and does not answer"
	noData    = "no data directory of a member is there"
)

// coldGap names what is missing where a node's member could not be copied.
func coldGap(node string) string { return "data of the member on " + node }

func join(silent []silentNode) string {
	words := make([]string, len(silent))
	for i, n := range silent {
		words[i] = n.String()
	}
	return strings.Join(words, "; ")
}

func namesOf(stopped []stoppedMember) string {
	names := make([]string, len(stopped))
	for i, s := range stopped {
		names[i] = s.node
	}
	return strings.Join(names, ", ")
}

// oneCluster returns the cluster that the members are of; an error where they are not of one.
func oneCluster(stopped []stoppedMember) (string, error) {
	for _, s := range stopped[1:] {
		if s.data.ClusterID != stopped[0].data.ClusterID {
			return "", fmt.Errorf("the data on %s belongs to cluster %s, and the data on %s belongs to cluster %s; name the nodes of one of them in nodes",
				stopped[0].node, stopped[0].data.ClusterID, s.node, s.data.ClusterID)
		}
	}
	return stopped[0].data.ClusterID, nil
}

// silentEtcd reports whether etcd was asked, and no member answered; where the cluster is in SQLite there is none to answer.
func silentEtcd(in providers.Input) bool {
	return in.World.Etcd.Unknown != "" && !originOf(in.World).sqlite()
}

// coldFresh returns the newest cold bundle, where it is complete and younger than the limit.
func (s inventory) coldFresh() (held, bool) {
	for _, h := range slices.Backward(s.bundles) {
		if h.standing == Cold && s.young(h) {
			return h, true
		}
	}
	return held{}, false
}

// reviewCold plans cold copies where nothing better can be had, and reports whether that is so: no member answers, and on at
// least one node a member does not run. Then no snapshot is planned, since none could be taken.
func (r *review) reviewCold() bool {
	if !silentEtcd(r.in) {
		return false
	}
	stopped, silent := stoppedMembers(r.in, r.spec.Nodes)
	if len(stopped) == 0 {
		return false
	}
	if h, fresh := r.inventory.coldFresh(); fresh && !r.replaced() {
		r.out.Warnings = append(r.out.Warnings, fmt.Sprintf("%s: no member of etcd answers, so no bundle can be proved; cold copies of the stopped members are in %s, %s, and count for no guard",
			r.address, called(h.ID), r.inventory.old(h)))
		return true
	}
	r.cold = true
	r.out.Steps = append(r.out.Steps, r.coldStep(stopped, silent))
	r.out.Warnings = append(r.out.Warnings, fmt.Sprintf("%s: no member of etcd answers, so no bundle can be proved: the data of the stopped members (%s) is copied as it lies, which counts for no guard; a bundle is taken and proved once a member answers",
		r.address, namesOf(stopped)))
	return true
}

func (r *review) coldStep(stopped []stoppedMember, silent []silentNode) providers.Step {
	size := int64(0)
	for _, m := range stopped {
		size += m.data.Size
	}
	args := coldArgs{MaxAge: r.spec.MaxAge, Nodes: r.spec.Nodes, Include: r.spec.Include, EncryptTo: r.spec.EncryptTo}
	s := r.step("cold", OperationCold, args, takeEstimate+float64(size)/bytesASecond)
	s.Action, s.Summary = "create", "copy the data of stopped members of etcd, unproved, from "+namesOf(stopped)
	for _, m := range stopped {
		s.Changes = append(s.Changes, providers.Change{What: coldGap(m.node), Before: "in " + m.data.Directory + " alone",
			After: fmt.Sprintf("copied, %s, up to raft term %d, index %d", bytes(m.data.Size), m.data.Term, m.data.Index)})
	}
	for _, n := range silent {
		s.Changes = append(s.Changes, providers.Change{What: coldGap(n.node), Before: "cannot be read", After: "a gap: " + n.why})
	}
	s.Why = []string{"no member of etcd answers, and on " + namesOf(stopped) + " it does not run", "no proved bundle is young enough", r.maxAgeWhy()}
	s.Proof = "every file has the SHA-256 that its node sent with it, and the stored bundle is read back; not checked: whether etcd starts from the bundle"
	s.Undo = "none is needed: a bundle more"
	s.Reversal = providers.Reversal{Way: providers.ReverseNone}
	return s
}

// takingCold is what backup.cold means.
type takingCold struct{}

func (takingCold) read(in providers.Input, step providers.Step) (coldArgs, inventory, error) {
	args, err := providers.ArgsOf[coldArgs](step)
	if err != nil {
		return args, inventory{}, err
	}
	return args, look(in, terms{owner: step.Address.Resource(), maxAge: time.Duration(args.MaxAge), level: LevelRestore, encrypted: len(args.EncryptTo) > 0}), nil
}

// Predict adds a bundle, and no proof.
func (e takingCold) Predict(in providers.Input, step providers.Step) facts.Update {
	args, s, err := e.read(in, step)
	if err != nil || s.unknown != "" {
		return facts.Update{}
	}
	stopped, silent := stoppedMembers(in, args.Nodes)
	if len(stopped) == 0 {
		return facts.Update{}
	}
	b := facts.Bundle{
		ID: newCold, TakenAt: in.Now, Address: s.address, SHA256: facts.New, Encrypted: len(args.EncryptTo) > 0, Cold: true,
		ClusterID: stopped[0].data.ClusterID,
	}
	for _, n := range silent {
		b.Gaps = append(b.Gaps, coldGap(n.node)+": "+n.why)
	}
	found := in.World.Backups[s.address]
	found.Bundles = append(slices.Clone(found.Bundles), b)
	return facts.Update{Backups: map[string]facts.Backups{s.address: found}}
}

// Needs: only the members that do not run are copied, and only while none answers.
func (takingCold) Needs(in providers.Input, step providers.Step) providers.Needs {
	return providers.NeedsOfResource(in, step)
}

// Ground is nothing by value: Ready looks at what can be had now.
func (takingCold) Ground(providers.Input, providers.Step) providers.Ground { return nil }

// Ready refuses where a member answers: a snapshot of it can be proved, a copy cannot.
func (e takingCold) Ready(in providers.Input, step providers.Step) providers.Readiness {
	args, s, err := e.read(in, step)
	switch {
	case err != nil:
		return providers.Unreadable(err)
	case s.unknown != "":
		return providers.Unknown.Because("what the store holds is unknown: %s", s.unknown)
	case !silentEtcd(in):
		return providers.Moved.Because("a member of etcd answers now, and a snapshot of it can be proved")
	}
	if h, fresh := s.coldFresh(); fresh && !asked(in, step) {
		return providers.Done.Because("bundle %s has cold copies and is %s", h.ID, s.old(h))
	}
	stopped, silent := stoppedMembers(in, args.Nodes)
	if len(stopped) == 0 {
		return providers.Unknown.Because("no member is stopped: %s", join(silent))
	}
	if _, err := oneCluster(stopped); err != nil {
		return providers.Unreadable(err)
	}
	return providers.Holds.Because("no member answers, and on %s it does not run", namesOf(stopped))
}

// Proved wants a complete cold bundle that was not there before, and every other bundle still there. That the bundle is good for
// anything is not proved by it.
func (e takingCold) Proved(before, after providers.Input, step providers.Step) error {
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
	added := func(h held) bool {
		_, old := was.find(h.ID)
		return !old && h.standing == Cold && is.young(h)
	}
	if !slices.ContainsFunc(is.bundles, added) {
		return errors.New("no bundle of cold copies was added")
	}
	return kept(was, is, nil)
}

// ByHand packs the data directory of each node on which etcd does not run, and its keys and configuration.
func (takingCold) ByHand(in providers.Input, step providers.Step) []providers.Command {
	args, err := providers.ArgsOf[coldArgs](step)
	if err != nil {
		return nil
	}
	var out []providers.Command
	stopped, _ := stoppedMembers(in, args.Nodes)
	var reached []config.Node
	nodes, _ := in.Inventory.Select(args.Nodes)
	for _, n := range nodes {
		if slices.ContainsFunc(stopped, func(m stoppedMember) bool { return m.node == n.Name }) {
			reached = append(reached, n)
		}
	}
	if len(reached) == 0 {
		return nil
	}
	for _, m := range stopped {
		out = append(out, providers.Command{
			What: "pack the data of the stopped member on " + m.node, Node: m.node,
			Run: strings.Join([]string{
				stopFunction,
				"umask 077; mkdir -p " + handDirectory + "; cd " + providers.ShellWord(m.data.Directory),
				// The lock is the one that etcd holds while it runs, and waits for when it is started.
				"exec 9<member/snap/db; flock -sn 9 || stop 'etcd runs here: take a snapshot of it'",
				"tar --numeric-owner -cf " + handDirectory + "/etcd-data.tar member",
				"sha256sum " + handDirectory + "/etcd-data.tar",
			}, "\n"),
			See: "a SHA-256", Stop: "a line that begins with STOP", Undo: "rm -rf " + handDirectory,
		})
	}
	for _, n := range reached {
		out = append(out, filesByHand(n.Name, args.Include))
	}
	out = append(out, fetchByHand(reached, args.EncryptTo))
	for _, n := range reached {
		out = append(out, providers.Command{
			What: "remove the copies from " + n.Name, Node: n.Name, Run: "rm -rf " + handDirectory,
			See: "nothing", Stop: "an error: private keys would be left behind",
		})
	}
	return out
}

// decideCold says which bundles of cold copies stay. All do until a bundle that is proved was taken after them: they are the
// last that is known of a cluster. After that the policy is asked about them alone, so that they push no other bundle out.
func (s inventory) decideCold(policy keep.Policy, cold []keep.Bundle) (out []keep.Decision) {
	if len(cold) == 0 {
		return nil
	}
	proved, any := s.newestProved()
	for i := range cold {
		cold[i].Proved = any && proved.TakenAt.After(cold[i].Time)
	}
	decisions, err := s.apply(policy, cold)
	if err != nil {
		return nil // it was asked about the others before
	}
	for _, d := range decisions {
		for _, b := range cold {
			if b.ID == d.ID && !b.Proved {
				d.Keep, d.Reasons = true, []string{"no bundle that is proved was taken after these cold copies"}
			}
		}
		for i, reason := range d.Reasons {
			if reason == keep.ReasonNewestProved {
				d.Reasons[i] = "newest cold copies from before a proved bundle"
			}
		}
		out = append(out, d)
	}
	return out
}

// reportCold says that the newest bundle holds cold copies.
func (r *review) reportCold() {
	if len(r.inventory.bundles) == 0 {
		return
	}
	if h := r.inventory.bundles[len(r.inventory.bundles)-1]; h.standing == Cold {
		r.add(providers.Finding{ID: "BACKUP_UNPROVED", Severity: providers.SeverityNote, Object: called(h.ID),
			Summary: "it holds cold copies of stopped members of etcd, which nothing can prove",
			Hint:    "it is there for when nothing else brings the cluster back: `upkeep backup restore` writes its data directories"})
	}
}

// unreachableHint says what can be done while no member answers.
func (r *review) unreachableHint() string {
	const look = "look at etcd's containers and its certificates on the control planes"
	stopped, _ := stoppedMembers(r.in, r.spec.Nodes)
	if len(stopped) == 0 {
		return "no bundle can be taken; " + look
	}
	return "no bundle can be proved, and of the stopped members (" + namesOf(stopped) + ") cold copies can be had; " + look
}
