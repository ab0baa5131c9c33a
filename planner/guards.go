package planner

import (
	"fmt"
	"slices"
	"strings"

	"upkeep/providers"
)

// provided is a guard with the block that provides it.
type provided struct {
	of    providers.Address
	guard providers.Guard
}

// placement is what came of placing guards.
type placement struct {
	// steps are the steps with their guards, in the order in which they should run where nothing else decides.
	steps    []providers.Step
	placed   []providers.Step // those of steps that are there as guards
	brackets []providers.Bracket
	refusals []string
	lifted   []Override // those that something was held back without
}

// bracket is one guard of one block with the steps it brings.
type bracket struct {
	name string
	provided
	guarded       []providers.Step
	before, after []providers.Step
	ids           []string // of guarded, to see whether another round changed anything
}

// placeGuards puts the steps of each needed guard around the steps that name it. It knows no guard: who provides one is
// registered, and what a guard does is the provider's. A guard's own steps may need other guards. A step that the plan has
// anyway, under the same id, serves as the guard's.
func (d domains) placeGuards(in providers.Input, due []providers.Step, overrides []Override) (placement, error) {
	due = d.withoutUnprovided(due)
	brackets, err := d.brackets(in, due)
	if err != nil {
		return placement{}, err
	}
	out := arrange(due, brackets)
	out.refusals, out.lifted = d.unguarded(due, brackets, overrides)
	own := make(map[string]bool, len(due))
	for _, step := range due {
		own[step.ID] = true
	}
	for _, b := range brackets {
		out.brackets = append(out.brackets, b.data(own))
	}
	return out, nil
}

// data is the bracket as the plan keeps it; own are the steps that the plan has anyway.
func (b *bracket) data(own map[string]bool) providers.Bracket {
	begin := idsOf(b.before)
	var due []string
	for _, id := range begin {
		if own[id] {
			due = append(due, id)
		}
	}
	return providers.Bracket{
		Guard: b.name, Of: b.of, Target: b.guard.Target, Condition: b.guard.Holds != nil, Begin: begin, Due: due, Guarded: b.within(), End: idsOf(b.after),
	}
}

// within are the ids of the guarded steps but for those that are the guard itself.
func (b *bracket) within() []string {
	mine := map[string]bool{}
	for _, step := range slices.Concat(b.before, b.after) {
		mine[step.ID] = true
	}
	var out []string
	for _, step := range b.guarded {
		if !mine[step.ID] {
			out = append(out, step.ID)
		}
	}
	return out
}

func idsOf(steps []providers.Step) []string {
	var out []string
	for _, step := range steps {
		out = append(out, step.ID)
	}
	return out
}

// withoutUnprovided drops the optional needs that no block provides; the given steps are not written into.
func (d domains) withoutUnprovided(due []providers.Step) []providers.Step {
	drop := func(n providers.Need) bool { return n.Optional && len(d.guards[n.Name]) == 0 }
	var out []providers.Step
	for i, step := range due {
		if !slices.ContainsFunc(step.Guards, drop) {
			continue
		}
		if out == nil {
			out = slices.Clone(due)
		}
		out[i].Guards = slices.DeleteFunc(slices.Clone(step.Guards), drop)
		if len(out[i].Guards) == 0 {
			out[i].Guards = nil
		}
	}
	if out == nil {
		return due
	}
	return out
}

// brackets asks the needed guards for their steps, again until the steps of guards need no guard that was not asked.
func (d domains) brackets(in providers.Input, due []providers.Step) ([]*bracket, error) {
	var brackets []*bracket
	same := func(a, b *bracket) bool { return a.name == b.name && a.of == b.of && slices.Equal(a.ids, b.ids) }
	for range len(d.guards) + 1 {
		next := d.needed(due, brackets)
		if slices.EqualFunc(brackets, next, same) {
			return brackets, nil
		}
		for _, b := range next {
			b.before, b.after = b.guard.Begin(in, b.guarded), b.guard.End(in, b.guarded)
			d.marks.mark(b.before)
			d.marks.mark(b.after)
		}
		brackets = next
	}
	var names []string
	for _, b := range brackets {
		if !slices.Contains(names, b.name) {
			names = append(names, b.name)
		}
	}
	return nil, fmt.Errorf("the guards %s need one another in a cycle", strings.Join(names, ", "))
}

// needed lists the provided guards that the due steps, and the steps of the brackets so far, need: one bracket for each
// block that provides one.
func (d domains) needed(due []providers.Step, brackets []*bracket) []*bracket {
	var out []*bracket
	byName := map[string][]*bracket{}
	type pair struct{ guard, step string }
	seen := map[pair]bool{}
	add := func(step providers.Step, owner string) {
		for _, need := range step.Guards {
			name := need.Name
			if !need.Placed() || name == owner || len(d.guards[name]) == 0 || seen[pair{name, step.ID}] {
				continue
			}
			seen[pair{name, step.ID}] = true
			if byName[name] == nil {
				for _, p := range d.guards[name] {
					b := &bracket{name: name, provided: p}
					byName[name] = append(byName[name], b)
					out = append(out, b)
				}
			}
			for _, b := range byName[name] {
				b.guarded = append(b.guarded, step)
				b.ids = append(b.ids, step.ID)
			}
		}
	}
	for _, step := range due {
		add(step, "")
	}
	for _, b := range brackets {
		for _, step := range slices.Concat(b.before, b.after) {
			add(step, b.name)
		}
	}
	return out
}

// lack is what some steps of one block cannot run for.
type lack struct {
	resource       providers.Address
	name, position string // of the guard or the rule
	demands        string // what the rule demands
}

// unguarded says which needed guards nobody provides and which consents nobody gave, and which of them an override of this
// run lifts. What the configuration waives, metas.warnings says. An override does not keep a guard away that is provided.
func (d domains) unguarded(due []providers.Step, brackets []*bracket, overrides []Override) (refusals []string, lifted []Override) {
	var lacks []lack
	steps := map[lack]int{}
	note := func(step providers.Step, l lack) {
		if o, ok := lifts(overrides, l.name, step); ok {
			if !slices.Contains(lifted, o) {
				lifted = append(lifted, o)
			}
			return
		}
		if steps[l] == 0 {
			lacks = append(lacks, l)
		}
		steps[l]++
	}
	seen := map[string]bool{}
	ask := func(all []providers.Step) {
		for _, step := range all {
			if seen[step.ID] {
				continue
			}
			seen[step.ID] = true
			for _, need := range step.Guards {
				if need.Waived == "" && len(d.guards[need.Name]) == 0 {
					note(step, lack{resource: step.Address.Resource(), name: need.Name, position: step.Position})
				}
			}
			for _, c := range step.Consents {
				note(step, lack{resource: step.Address.Resource(), name: c.Rule, position: step.Position, demands: c.Demands})
			}
		}
	}
	ask(due)
	for _, b := range brackets {
		ask(b.before)
		ask(b.after)
	}
	for _, l := range lacks {
		refusals = append(refusals, l.text(steps[l]))
	}
	return refusals, lifted
}

// text says what some steps lack, and what a person can do.
func (l lack) text(steps int) string {
	place := ""
	if l.position != "" {
		place = " (" + l.position + ")"
	}
	if l.demands != "" {
		return fmt.Sprintf("%s of %s would break the rule %q (%s); apply with -override='%s=REASON', or change what the block of %s allows%s",
			count(steps, "step"), l.resource, l.name, l.demands, l.name, l.resource, place)
	}
	verb := "need"
	if steps == 1 {
		verb = "needs"
	}
	return fmt.Sprintf("%s of %s %s the guard %q, and nothing provides it; declare what does, or write without = { %s = \"reason\" } in the block of %s%s",
		count(steps, "step"), l.resource, verb, l.name, l.name, l.resource, place)
}
