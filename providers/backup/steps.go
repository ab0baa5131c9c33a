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
	}

	pruneArgs struct {
		// Remove are bundles by id, Scraps the names of what interrupted writing left in the store.
		Remove []string        `json:"remove,omitempty"`
		Scraps []string        `json:"scraps,omitempty"`
		MaxAge config.Duration `json:"max_age"`
		Verify string          `json:"verify"`
		Keep   keep.Policy     `json:"keep"`
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
	newest, any := r.shelf.newestProved()
	if any {
		before = r.shelf.old(newest)
	}
	_, fresh := r.shelf.fresh()
	switch {
	case r.shelf.unknown != "":
		before = "unknown"
		s.Why = []string{"what the store holds is unknown: " + r.shelf.unknown}
	case r.replaced():
		s.Why = []string{"a new one is asked for (-replace)"}
	case fresh:
		// It is skipped unless this one has grown too old by then.
		s.Action, s.Summary = "no-op", fmt.Sprintf("take and prove a bundle, unless one younger than %s is proved by then", r.spec.MaxAge)
		s.Why = []string{"the last proved bundle " + r.shelf.aged(newest)}
	case any:
		s.Why = []string{"the last proved bundle " + r.shelf.aged(newest)}
	case len(r.shelf.bundles) > 0:
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
	s.Proof = from.proof(r.spec.Verify)
	s.Undo = "none is needed: a bundle more"
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
	s := r.step("prove", OperationProve, proveArgs{Bundle: h.ID, MaxAge: r.spec.MaxAge, Verify: r.spec.Verify}, takeEstimate+float64(h.Size)/bytesASecond)
	s.Summary = "prove bundle " + called(h.ID)
	s.Why = []string{"nothing that this state remembers proves the newest bundle", fmt.Sprintf("%s.verify = %q (%s)", r.address, r.spec.Verify, r.at)}
	s.Changes = []providers.Change{{What: "proof of " + called(h.ID), Before: "none", After: r.spec.Verify}}
	s.Proof = "every part of the bundle has the SHA-256 of its manifest"
	if r.spec.Verify == LevelRestore {
		s.Proof += "; " + originOf(r.in.World).proved()
	}
	s.Undo = "none is needed: nothing in the store changes"
	return s
}

// prune plans the removal of what no rule keeps, as it will be once the steps before it are done: with a bundle more, or
// with the newest one proved.
func (r *review) prune(taken, saved bool) {
	shelf := r.shelf
	if saved {
		shelf.bundles = slices.Clone(shelf.bundles)
		newest, _ := shelf.newestUnproved()
		for i := range shelf.bundles {
			if h := &shelf.bundles[i]; h.ID == newest.ID {
				h.proof = &facts.Proof{Bundle: h.ID, SHA256: h.SHA256, Level: r.spec.Verify}
			}
		}
	} else if taken {
		shelf.bundles = append(shelf.bundles[:len(shelf.bundles):len(shelf.bundles)], held{
			Bundle: facts.Bundle{ID: facts.New, TakenAt: r.in.Now, SHA256: facts.New},
			proof:  &facts.Proof{Bundle: facts.New, SHA256: facts.New, Level: r.spec.Verify},
		})
	}
	if r.cold {
		shelf.bundles = append(slices.Clone(shelf.bundles), held{Bundle: facts.Bundle{ID: newCold, TakenAt: r.in.Now, SHA256: facts.New, Cold: true}})
	}
	decisions, err := decide(shelf, r.spec.Keep, time.Duration(r.spec.Store.LockFor))
	if err != nil {
		r.out.Warnings = append(r.out.Warnings, fmt.Sprintf("%s: nothing is removed: %v", r.address, err))
		return
	}
	args := pruneArgs{MaxAge: r.spec.MaxAge, Verify: r.spec.Verify, Keep: r.spec.Keep, LockFor: r.spec.Store.LockFor}
	var changes []providers.Change
	for _, d := range decisions {
		change := providers.Change{What: "bundle " + called(d.ID), Before: "kept", After: "kept: " + strings.Join(d.Reasons, ", ")}
		if !d.Keep {
			args.Remove = append(args.Remove, d.ID)
			change.After = "removed: " + strings.Join(d.Reasons, ", ")
		}
		changes = append(changes, change)
	}
	for _, stray := range r.shelf.strays {
		if stray.Kind == "half-written" && r.ours(stray) {
			args.Scraps = append(args.Scraps, stray.Name)
			changes = append(changes, providers.Change{What: stray.Name, Before: "half-written", After: "removed: the run that wrote it is over"})
		}
	}
	if len(args.Remove)+len(args.Scraps) == 0 {
		return
	}
	s := r.step("prune", OperationPrune, args, pruneEstimate)
	s.Action, s.Changes = "delete", changes
	var what []string
	if n := len(args.Remove); n > 0 {
		what = append(what, fmt.Sprintf("remove %s of %d", count(n, "bundle"), len(decisions)))
	}
	if n := len(args.Scraps); n > 0 {
		what = append(what, "clear away "+count(n, "half-written object"))
	}
	s.Summary = strings.Join(what, ", ")
	s.Why = []string{fmt.Sprintf("%s.keep wants no more than the others (%s)", r.address, r.at)}
	if len(args.Remove) == 0 {
		s.Why = []string{"the run that wrote it was interrupted"}
	}
	if taken {
		s.After = []string{r.address.String() + "/take"}
	}
	if r.cold {
		s.After = []string{r.address.String() + "/cold"}
	}
	s.Proof = "they are gone from the store, and every other bundle is there"
	s.Undo = "none: what is removed is gone"
	r.out.Steps = append(r.out.Steps, s)
}

// decide says which bundles stay. Damaged ones are left out: they must not push good ones out, and whoever looks into the
// damage needs them.
func decide(s shelf, policy keep.Policy, lockFor time.Duration) ([]keep.Decision, error) {
	var all, cold []keep.Bundle
	taken := map[string]time.Time{}
	for _, h := range s.bundles {
		switch {
		case h.damage != "":
			continue
		case h.Cold:
			cold = append(cold, keep.Bundle{ID: h.ID, Time: h.TakenAt})
		default:
			all = append(all, keep.Bundle{ID: h.ID, Time: h.TakenAt, Proved: s.proved(h)})
		}
		taken[h.ID] = h.TakenAt
	}
	decisions, err := keep.Apply(policy, all, s.now, time.UTC)
	if err == nil {
		decisions = append(decisions, s.decideCold(policy, cold)...)
	}
	// A damaged bundle says as well as any other that the clock is wrong.
	ahead := slices.IndexFunc(s.bundles, func(h held) bool { return h.TakenAt.After(s.now) })
	for i, d := range decisions {
		if ahead >= 0 && !d.Keep {
			decisions[i].Keep, decisions[i].Reasons = true, []string{"the clock is behind " + s.bundles[ahead].ID + ", so none is removed"}
			continue
		}
		if end := taken[d.ID].Add(lockFor); !d.Keep && lockFor > 0 && s.now.Before(end) {
			decisions[i].Keep, decisions[i].Reasons = true, []string{"the store locks it until " + instant(end)}
		}
	}
	return decisions, err
}

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
