package backup

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/backup/keep"
	"upkeep/providers/facts"
)

// The arguments of steps. They say what a bundle must be and hold no times, so that the same due work has the same
// arguments on any day.
type (
	takeArgs struct {
		MaxAge  config.Duration  `json:"max_age"`
		Verify  string           `json:"verify"`
		Nodes   config.Selection `json:"nodes"`
		Include []string         `json:"include,omitempty"`
		// EncryptTo are the recipients: a bundle for others is another bundle.
		EncryptTo []string `json:"encrypt_to,omitempty"`
	}

	proveArgs struct {
		Bundle string          `json:"bundle"`
		MaxAge config.Duration `json:"max_age"`
		Verify string          `json:"verify"`
		// Encrypted: the block has recipients, so that what is not encrypted does not count.
		Encrypted bool `json:"encrypted,omitempty"`
	}

	pruneArgs struct {
		// Remove are bundles by id, Leftovers the names of what interrupted writing left in the store.
		Remove    []string        `json:"remove,omitempty"`
		Leftovers []string        `json:"leftovers,omitempty"`
		MaxAge    config.Duration `json:"max_age"`
		Verify    string          `json:"verify"`
		// Encrypted is as in proveArgs.
		Encrypted bool        `json:"encrypted,omitempty"`
		Keep      keep.Policy `json:"keep"`
		// LockFor is how long the store itself refuses to remove a bundle.
		LockFor config.Duration `json:"lock_for,omitempty"`
	}
)

// Estimates where no earlier run is remembered: a snapshot is read and written at some 60 MB/s with everything that is
// done beside it, and restored once more for a drill.
const (
	takeEstimate  = 10
	pruneEstimate = 5
	bytesASecond  = 60e6
)

func (r *review) step(verb, operation string, args any, estimate float64) providers.Step {
	s := providers.NewStep(r.in, r.address, verb, operation, args, estimate)
	s.Position = r.at
	return s
}

func (r *review) maxAgeWhy() string {
	return fmt.Sprintf("%s.max_age = %s (%s)", r.address, r.spec.MaxAge, r.spec.MaxAgeAt)
}

// takeStep takes and proves one bundle. It has one id, whoever asks for it.
func (r *review) takeStep() providers.Step {
	from, _, lacking := source(r.in.World)
	estimate := takeEstimate + float64(max(size(r.in.World.Etcd), from.database.Size))/bytesASecond
	if r.spec.Verify == LevelRestore {
		estimate *= 2
	}
	s := r.step("take", OperationTake, takeArgs{
		MaxAge: r.spec.MaxAge, Verify: r.spec.Verify, Nodes: r.spec.Nodes, Include: from.include(r.spec.Include), EncryptTo: r.spec.EncryptTo,
	}, estimate)
	s.Action, s.Summary = "create", "take and prove a bundle"
	before := "none"
	newest, any := r.inventory.newestProved()
	if any {
		before = r.inventory.old(newest)
	}
	_, fresh := r.inventory.fresh()
	switch {
	case r.inventory.unknown != "":
		before = "unknown"
		s.Why = []string{"what the store holds is unknown: " + r.inventory.unknown}
	case r.replaced():
		s.Why = []string{"a new one is asked for (-replace)"}
	case fresh:
		// It is skipped unless this one has grown too old by then.
		s.Action, s.Summary = "no-op", fmt.Sprintf("take and prove a bundle, unless one younger than %s is proved by then", r.spec.MaxAge)
		s.Why = []string{"the last proved bundle " + r.inventory.aged(newest)}
	case any:
		s.Why = []string{"the last proved bundle " + r.inventory.aged(newest)}
	case len(r.inventory.bundles) > 0:
		s.Why = []string{"no bundle in the store is proved"}
	default:
		s.Why = []string{"there is no bundle yet"}
	}
	if s.Action == "create" {
		if lacking == nil {
			s.Summary += from.phrase()
		}
	}
	s.Why = append(s.Why, r.maxAgeWhy())
	s.Changes = []providers.Change{{What: "last proved bundle", Before: before, After: "a new one in " + r.spec.Store.String()}}
	s.Proof = from.proof(r.spec.Verify, r.spec.Store)
	s.Undo = "none is needed: a bundle more"
	s.Reversal = providers.Reversal{Way: providers.ReverseNone}
	return s
}

func size(e facts.Etcd) (largest int64) {
	for _, m := range e.Members {
		largest = max(largest, m.DBSize)
	}
	return largest
}

// proveStep proves a bundle that is in the store and that nothing proves.
func (r *review) proveStep(h held) providers.Step {
	s := r.step("prove", OperationProve, proveArgs{Bundle: h.ID, MaxAge: r.spec.MaxAge, Verify: r.spec.Verify, Encrypted: r.inventory.encrypted}, takeEstimate+float64(h.Size)/bytesASecond)
	s.Summary = "prove bundle " + called(h.ID)
	s.Why = []string{"nothing that this state remembers proves the newest bundle", fmt.Sprintf("%s.verify = %q (%s)", r.address, r.spec.Verify, r.at)}
	s.Changes = []providers.Change{{What: "proof of " + called(h.ID), Before: "none", After: r.spec.Verify}}
	s.Proof = "every part of the bundle has the SHA-256 of its manifest"
	if r.spec.Verify == LevelRestore {
		s.Proof += "; " + originOf(r.in.World).proved()
	}
	s.Undo = "none is needed: nothing in the store changes"
	s.Reversal = providers.Reversal{Way: providers.ReverseNone}
	return s
}

// clear plans, before something is written, the removal of what no rule keeps as it is, and of what an interrupted run left: a
// full store takes nothing else.
func (r *review) clear() {
	if s, gone, any := r.removal("clear", r.inventory, r.scraps()); any {
		r.out.Steps = append(r.out.Steps, s)
		r.inventory.bundles = slices.DeleteFunc(slices.Clone(r.inventory.bundles), func(h held) bool { return slices.Contains(gone.Remove, h.ID) })
		r.inventory.strays = slices.DeleteFunc(slices.Clone(r.inventory.strays), func(x facts.Stray) bool { return slices.Contains(gone.Leftovers, x.Name) })
	}
}

// prune plans the removal of what no rule keeps once the steps before it are done: with the newest bundle proved, with one more
// taken, or with both.
func (r *review) prune(taken, proved bool) {
	inventory := r.inventory
	inventory.bundles = slices.Clone(inventory.bundles)
	if newest, any := inventory.newestUnproved(); proved && any {
		for i := range inventory.bundles {
			if h := &inventory.bundles[i]; h.ID == newest.ID {
				h.proof = &facts.Proof{Bundle: h.ID, SHA256: h.SHA256, Level: r.spec.Verify}
				h.standing, h.why = Proved, ""
			}
		}
	}
	if taken {
		inventory.bundles = append(inventory.bundles, held{
			Bundle: facts.Bundle{ID: facts.New, TakenAt: r.in.Now, SHA256: facts.New},
			proof:  &facts.Proof{Bundle: facts.New, SHA256: facts.New, Level: r.spec.Verify}, standing: Proved,
		})
	}
	if r.cold {
		inventory.bundles = append(inventory.bundles, held{Bundle: facts.Bundle{ID: newCold, TakenAt: r.in.Now, SHA256: facts.New, Cold: true}, standing: Cold})
	}
	s, _, any := r.removal("prune", inventory, r.scraps())
	if !any {
		return
	}
	if taken {
		s.After = []string{r.address.String() + "/take"}
	}
	if r.cold {
		s.After = []string{r.address.String() + "/cold"}
	}
	r.out.Steps = append(r.out.Steps, s)
}

// leftovers are the names of what interrupted runs of this block left in the store.
func (r *review) scraps() (names []string) {
	for _, stray := range r.inventory.strays {
		if stray.Kind == "half-written" && r.ours(stray) {
			names = append(names, stray.Name)
		}
	}
	return names
}

// removal is the step that removes what no rule keeps; false where nothing is to go.
func (r *review) removal(verb string, inventory inventory, leftovers []string) (s providers.Step, args pruneArgs, any bool) {
	decisions, err := decide(inventory, r.spec.Keep, time.Duration(r.spec.Store.LockFor))
	if err != nil {
		r.out.Warnings = append(r.out.Warnings, fmt.Sprintf("%s: nothing is removed: %v", r.address, err))
		return s, args, false
	}
	args = pruneArgs{MaxAge: r.spec.MaxAge, Verify: r.spec.Verify, Encrypted: r.inventory.encrypted, Keep: r.spec.Keep, LockFor: r.spec.Store.LockFor, Leftovers: leftovers}
	var changes []providers.Change
	for _, d := range decisions {
		change := providers.Change{What: "bundle " + called(d.ID), Before: "kept", After: "kept: " + strings.Join(d.Reasons, ", ")}
		if !d.Keep {
			args.Remove = append(args.Remove, d.ID)
			change.After = "removed: " + strings.Join(d.Reasons, ", ")
		}
		changes = append(changes, change)
	}
	for _, name := range leftovers {
		changes = append(changes, providers.Change{What: name, Before: "half-written", After: "removed: the run that wrote it is over"})
	}
	if len(args.Remove)+len(args.Leftovers) == 0 {
		return s, args, false
	}
	s = r.step(verb, OperationPrune, args, pruneEstimate)
	s.Action, s.Changes = "delete", changes
	var what []string
	if n := len(args.Remove); n > 0 {
		what = append(what, fmt.Sprintf("remove %s of %d", count(n, "bundle"), len(decisions)))
	}
	if n := len(args.Leftovers); n > 0 {
		what = append(what, "clear away "+count(n, "half-written object"))
	}
	s.Summary = strings.Join(what, ", ")
	s.Why = []string{fmt.Sprintf("%s.keep wants no more than the others (%s)", r.address, r.at)}
	if len(args.Remove) == 0 {
		s.Why = []string{"the run that wrote it was interrupted"}
	}
	s.Proof = "the store has every other bundle, and no longer these"
	s.Undo = "none: removed bundles cannot be restored"
	s.Reversal = providers.Reversal{Way: providers.ReverseNever}
	return s, args, true
}

// decide says which bundles stay. The policy is asked about authentic bundles that are proved, at whatever level, and about
// cold copies by themselves. Every other bundle stays: it must not push a proved one out, and whoever looks into what is wrong
// with it needs it.
func decide(s inventory, policy keep.Policy, lockFor time.Duration) ([]keep.Decision, error) {
	var all, cold []keep.Bundle
	taken := map[string]time.Time{}
	for _, h := range s.bundles {
		switch {
		case h.standing == Cold:
			cold = append(cold, keep.Bundle{ID: h.ID, Time: h.TakenAt})
		case h.standing == Proved, h.standing == Unproved && h.proof != nil:
			all = append(all, keep.Bundle{ID: h.ID, Time: h.TakenAt, Proved: s.proved(h)})
		default:
			continue
		}
		taken[h.ID] = h.TakenAt
	}
	decisions, err := s.apply(policy, all)
	if err == nil {
		decisions = append(decisions, s.decideCold(policy, cold)...)
	}
	ahead := slices.IndexFunc(s.bundles, func(h held) bool { return h.standing == Future })
	for i, d := range decisions {
		if ahead >= 0 && !d.Keep {
			decisions[i].Keep, decisions[i].Reasons = true, []string{"the clock is behind " + s.bundles[ahead].ID + ", so none is removed"}
			continue
		}
		if end := taken[d.ID].Add(lockFor); !d.Keep && lockFor > 0 && !s.clock.Passed(end) {
			decisions[i].Keep, decisions[i].Reasons = true, []string{"the store locks it until " + instant(end)}
		}
	}
	return decisions, err
}

// apply asks the policy. The policy removes nothing before the time of the newest bundle; and where that is one which
// is taken now, a later one may push others out.
func (s inventory) apply(policy keep.Policy, bundles []keep.Bundle) ([]keep.Decision, error) {
	taking := false
	for _, b := range bundles {
		s.clock.Passed(b.Time)
		s.clock.Beyond(b.Time) // of two of one time, the later one is another one then
		taking = taking || b.ID == facts.New || b.ID == newCold
	}
	if taking {
		s.clock.Passed(keep.Until(policy, bundles, s.clock.Now()))
	}
	return keep.Apply(policy, bundles, s.clock.Now(), time.UTC)
}

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
