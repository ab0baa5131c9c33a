package backup

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/plain"
)

// review is one Diff under way.
type review struct {
	spec      Spec
	in        providers.Input
	address   providers.Address
	at        string
	inventory inventory
	// cold: cold copies are planned.
	cold bool
	out  providers.Outcome
}

func (s Spec) terms() terms {
	return terms{owner: s.Address(), maxAge: time.Duration(s.MaxAge), level: s.Verify, encrypted: len(s.EncryptTo) > 0}
}

func (s Spec) review(in providers.Input) *review {
	return &review{spec: s, in: in, address: s.Address(), at: s.Position.String(), inventory: look(in, s.terms())}
}

// Diff compares the declared backups with what the store holds and the state remembers. What no rule
// keeps goes before a bundle is taken, and what a new one makes needless goes after it.
func (s Spec) Diff(in providers.Input) providers.Outcome {
	r := s.review(in)
	r.reviewNodes()
	if origin := databases(in.World); origin.none() {
		r.reviewEtcd()
	} else {
		r.reviewDatabases(origin)
	}
	r.reviewStore()
	r.objects()
	if r.inventory.unknown != "" {
		return r.out
	}
	due := r.takeDue()
	unproved, any := r.inventory.newestUnproved()
	if any = any && r.provable(unproved); any {
		r.out.Steps = append(r.out.Steps, r.proveStep(unproved))
	}
	// What can be proved need not be taken; but where the proof fails, a new bundle is taken all the same.
	saved := any && !r.replaced() && r.inventory.young(unproved)
	instead := due && r.reviewCold() // of a snapshot
	if due && !instead || r.cold {
		r.clear()
	}
	if due && !instead {
		step := r.takeStep()
		if saved {
			step.Action, step.Summary = "no-op", "take and prove a bundle, unless "+called(unproved.ID)+" is proved by then"
		}
		r.out.Steps = append(r.out.Steps, step)
		if from, why, err := source(in.World); err != nil {
			r.out.Warnings = append(r.out.Warnings, fmt.Sprintf("%s: apply will refuse to take a bundle until %s: %s", r.address, from.lacks(), why))
		}
		r.foresee()
	}
	r.prune(due && !instead && !saved, any)
	return r.out
}

// foresee says what will keep a bundle from being taken on this machine.
func (r *review) foresee() {
	here := r.in.World.Backups[r.address.String()]
	refuses := func(format string, args ...any) {
		r.out.Warnings = append(r.out.Warnings, fmt.Sprintf("%s: apply will refuse to take a bundle: %s", r.address, fmt.Sprintf(format, args...)))
	}
	if here.Identity != "" {
		refuses("%s", here.Identity)
	}
	if r.spec.Verify != LevelRestore || r.spec.DrillOnControlPlane || here.MachineID == "" {
		return
	}
	nodes, _ := r.in.Inventory.Select(r.spec.Nodes)
	for _, n := range nodes {
		if r.in.World.Node(n.Name).System.MachineID == here.MachineID {
			refuses("upkeep runs on %s, and a restore drill there needs drill_on_control_plane = true (%s)", n.Name, r.at)
		}
	}
}

func (r *review) add(f providers.Finding) {
	if f.Address.Type == "" {
		f.Address = r.address
	}
	f.Position = r.at
	r.out.Findings = append(r.out.Findings, f)
}

func (r *review) reviewNodes() {
	nodes, incomplete := r.in.Inventory.Select(r.spec.Nodes)
	switch {
	case incomplete != "":
		r.add(providers.Finding{ID: "NODE_SELECTION_UNKNOWN", Severity: providers.SeverityError, Unknown: true,
			Summary: "not all nodes of the selection are known: " + incomplete})
	case len(nodes) == 0:
		r.add(providers.Finding{ID: "NODE_NONE_SELECTED", Severity: providers.SeverityError,
			Summary: "nodes selects no node", Hint: "declare nodes with the role etcd or control-plane, or name them in the block"})
	}
}

// replaced reports whether the user asked for a new bundle.
func (r *review) replaced() bool {
	return slices.ContainsFunc(r.in.Replace, func(a providers.Address) bool { return a.Covers(r.address) })
}

// takeDue reports whether a bundle is to be taken although no other step needs one.
func (r *review) takeDue() bool {
	_, fresh := r.inventory.fresh()
	return !fresh || r.replaced()
}

// reviewStore reports what is wrong with the backups.
func (r *review) reviewStore() {
	if r.inventory.unknown != "" {
		r.add(providers.Finding{ID: "BACKUP_STORE_UNREACHABLE", Severity: providers.SeverityError, Unknown: true,
			Object: r.spec.Store.Kind, Summary: r.inventory.unknown,
			Hint: "what is backed up is unknown; no step that needs a proved backup runs until the store answers"})
		return
	}
	newest, any := r.inventory.newestProved()
	_, fresh := r.inventory.fresh()
	limit := fmt.Sprintf("max_age = %q", r.spec.MaxAge.String())
	switch {
	case fresh:
	case any:
		r.add(providers.Finding{ID: "BACKUP_STALE", Severity: providers.SeverityWarning,
			Summary: fmt.Sprintf("the last proved bundle %s, %s", r.inventory.aged(newest), limit)})
	case len(r.inventory.bundles) == 0 && !r.inventory.planted():
		r.add(providers.Finding{ID: "BACKUP_NONE", Severity: providers.SeverityError, Summary: "there is no bundle, " + limit})
	default:
		r.add(providers.Finding{ID: "BACKUP_NONE", Severity: providers.SeverityError, Summary: "no bundle is proved, " + limit})
	}
	for _, p := range r.inventory.missing {
		r.add(providers.Finding{ID: "BACKUP_MISSING", Severity: providers.SeverityError, Object: p.Bundle,
			Summary: fmt.Sprintf("the bundle of %s was proved on %s and is missing from the store; upkeep did not remove it", instant(p.TakenAt), instant(p.At)),
			Hint:    "find out who removed the bundle and put it back. If the bundle is lost, say so: upkeep backup remove " + p.Bundle})
	}
	if h, back := r.inventory.future(); back {
		r.add(providers.Finding{ID: "BACKUP_CLOCK_WENT_BACK", Severity: providers.SeverityError, Object: called(h.ID),
			Summary: fmt.Sprintf("it was taken at %s, which is %s", instant(h.TakenAt), r.inventory.old(h)),
			Hint:    "set the clock of the machine that upkeep runs on; no bundle is removed until it is later than the newest one. If the bundle's own time is wrong, remove it by hand"})
	}
	if fresh && any {
		for _, gap := range newest.Gaps {
			r.add(providers.Finding{ID: "BACKUP_GAP", Severity: providers.SeverityWarning, Object: called(newest.ID), Summary: gap,
				Hint: "the next bundle will have it once the reason is gone; `upkeep backup take` takes one now"})
		}
	}
	r.reviewKeys()
	for _, h := range r.inventory.bundles {
		if h.damaged() {
			r.add(providers.Finding{ID: "BUNDLE_DAMAGED", Severity: providers.SeverityError, Object: h.ID, Summary: h.why,
				Hint: "it counts for nothing and is not removed: look at the store; `upkeep backup verify " + h.ID + "` says what is left of it"})
		}
	}
	if h, unproved := r.inventory.newestUnproved(); unproved {
		f := providers.Finding{ID: "BACKUP_UNPROVED", Severity: providers.SeverityNote, Object: called(h.ID), Summary: h.why}
		if !r.provable(h) {
			f.Hint = "it is encrypted, and without identity_file nothing but its taking can prove it: it does not count"
		}
		r.add(f)
	}
	r.reportCold()
	r.reviewOthers()
	for _, stray := range r.inventory.strays {
		r.addStray(stray)
	}
}

// fewKeys is below how many keys a cluster has too few to tell a loss by: an empty one has some hundreds.
const fewKeys = 100

// reviewKeys reports a newest bundle with half the keys of the one before, or fewer: somebody may have deleted much, and
// the bundles that still have it will be pruned. Bundles with an SQLite database have keys, too; cold ones have none.
func (r *review) reviewKeys() {
	var proved []held
	for _, h := range r.inventory.bundles {
		if h.standing == Proved && h.Keys > 0 {
			proved = append(proved, h)
		}
	}
	if len(proved) < 2 {
		return
	}
	before, newest := proved[len(proved)-2], proved[len(proved)-1]
	if before.Keys >= fewKeys && newest.Keys <= before.Keys/2 {
		r.add(providers.Finding{ID: "BACKUP_KEYS_FEWER", Severity: providers.SeverityNote, Object: called(newest.ID),
			Summary: fmt.Sprintf("etcd had %d keys when the bundle was taken, and %d keys in the bundle before (%s)",
				newest.Keys, before.Keys, called(before.ID)),
			Hint: "find out what was deleted; to keep the bundle before, copy it out of the store"})
	}
}

// reviewOthers reports bundles that count for nothing and that the policy is not asked about.
func (r *review) reviewOthers() {
	remove := func(id string) string {
		return "it counts for nothing and upkeep never removes it by itself. Look at it: `upkeep backup show " + id + "`. Remove it: `upkeep backup remove " + id + "`"
	}
	for _, h := range slices.Concat(r.inventory.bundles, r.inventory.others) {
		switch h.standing {
		case NotAuthentic:
			r.add(providers.Finding{ID: "BUNDLE_NOT_AUTHENTIC", Severity: providers.SeverityWarning, Object: h.ID, Summary: h.why, Hint: remove(h.ID)})
		case Unencrypted:
			r.add(providers.Finding{ID: "BUNDLE_UNENCRYPTED", Severity: providers.SeverityWarning, Object: h.ID, Summary: h.why, Hint: remove(h.ID)})
		case OtherCluster:
			r.add(providers.Finding{ID: "BUNDLE_FOREIGN", Severity: providers.SeverityNote, Object: h.ID, Summary: h.why,
				Hint: "give each cluster a store, or a prefix in it, of its own; upkeep neither uses nor removes it"})
		}
	}
}

func (r *review) addStray(s facts.Stray) {
	f := providers.Finding{Severity: providers.SeverityWarning, Object: plain.Told(s.Name), Summary: s.What}
	switch s.Kind {
	case "half-written":
		f.ID = "BUNDLE_HALF_WRITTEN"
		if !r.ours(s) {
			f.Hint = "another run may be writing it; when none is, remove it by hand"
		}
	case "damaged":
		f.ID, f.Severity = "BUNDLE_DAMAGED", providers.SeverityError
		f.Hint = "it counts for nothing and is not removed: look at the store"
	default:
		f.ID, f.Severity = "BUNDLE_FOREIGN", providers.SeverityNote
		f.Hint = "upkeep neither uses nor removes it"
	}
	r.add(f)
}

// ours reports whether only a run of this block for this cluster can have written something: such a run holds the claim on
// the cluster, so that none is at it now.
func (r *review) ours(s facts.Stray) bool {
	cluster := clusterOf(r.in.World)
	return cluster != "" && strings.HasPrefix(s.Name, IDPrefix(r.address, cluster))
}

// provable reports whether a stored bundle can be proved as the block wants it: what is encrypted must be opened for a
// drill, and only then can its content be trusted without having seen it taken.
func (r *review) provable(h held) bool {
	return !h.Encrypted || r.spec.IdentityFile != ""
}

// objects lists what `status` shows.
func (r *review) objects() {
	object := providers.Object{Address: r.address, Name: "last proved bundle", Status: "ok", Path: r.spec.Store.String()}
	newest, any := r.inventory.newestProved()
	_, fresh := r.inventory.fresh()
	switch {
	case r.inventory.unknown != "":
		object.Status, object.Detail = "unknown", r.inventory.unknown
	case !any:
		object.Status, object.Detail = "missing", "no bundle is proved"
	default:
		object.Detail = fmt.Sprintf("%s, %s, proved by %s; %s", called(newest.ID), r.inventory.old(newest), newest.proof.Level, bundles(len(r.inventory.bundles)))
		object.Expires = newest.TakenAt.Add(r.inventory.maxAge)
		if !fresh {
			object.Status = "due"
		}
	}
	r.out.Objects = append(r.out.Objects, object)
}

func bundles(n int) string {
	if n == 1 {
		return "1 bundle in the store"
	}
	return fmt.Sprintf("%d bundles in the store", n)
}
