package planner

import (
	"fmt"
	"strings"

	"upkeep/planner/schedule"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// FaultKind is what goes wrong in a rehearsal.
type FaultKind string

const (
	// Fails: the operation returns an error and has changed nothing.
	Fails FaultKind = "fails"
	// Lies: the operation reports success and has changed nothing.
	Lies FaultKind = "lies"
	// Loses: the node stops answering while the operation runs, and does not come back.
	Loses FaultKind = "loses"
)

// Fault is a fault to inject at a step.
type Fault struct {
	Step string    `json:"step"` // the step's id
	Kind FaultKind `json:"kind"`
}

// ParseFault reads STEP=KIND.
func ParseFault(s string) (Fault, error) {
	i := strings.LastIndex(s, "=")
	if i <= 0 {
		return Fault{}, fmt.Errorf("%q is not a fault; write STEP=KIND, where KIND is fails, lies or loses", s)
	}
	f := Fault{Step: s[:i], Kind: FaultKind(s[i+1:])}
	switch f.Kind {
	case Fails, Lies, Loses:
		return f, nil
	}
	return Fault{}, fmt.Errorf("%q is not a kind of fault; write fails (the operation fails), lies (it reports success and changes nothing) or loses (the node stops answering)", f.Kind)
}

// Ending is how a step of a rehearsal ended.
type Ending string

const (
	Proved     Ending = "proved"      // it ran, and what was predicted happened
	AlreadySo  Ending = "already so"  // there was nothing left to do
	Refused    Ending = "refused"     // its ground had moved, or could not be seen
	Failed     Ending = "failed"      // it ran, and what was predicted did not happen
	NotStarted Ending = "not started" // a step that it waits for, or its lane, had ended badly
)

// Rehearsed is one step of a rehearsal.
type Rehearsed struct {
	Step    string            `json:"step"`
	Address providers.Address `json:"address"`
	Node    string            `json:"node,omitempty"`
	Summary string            `json:"summary"`
	Ending  Ending            `json:"ending"`
	Why     string            `json:"why,omitempty"`
}

// Rehearsal is what came of walking a plan over its facts.
type Rehearsal struct {
	Digest string      `json:"digest"`
	Faults []Fault     `json:"faults,omitempty"`
	Steps  []Rehearsed `json:"steps"`
	// Remaining are the findings of the world as the rehearsal left it.
	Remaining []providers.Finding `json:"remaining"`
	// Due are the ids of the steps that a plan made after it would have.
	Due []string `json:"due,omitempty"`
	// Refusals are the plan's own: apply would not start.
	Refusals []string `json:"refusals,omitempty"`
}

// Ended counts the steps that ended in one of some ways.
func (r Rehearsal) Ended(ways ...Ending) (n int) {
	for _, step := range r.Steps {
		for _, way := range ways {
			if step.Ending == way {
				n++
			}
		}
	}
	return n
}

// Left counts the steps that apply would leave: they failed, were refused or never started.
func (r Rehearsal) Left() int { return r.Ended(Failed, Refused, NotStarted) }

// Rehearse walks a plan as apply would, over its facts instead of the cluster: each step is asked whether it is ready,
// the world is changed as the step predicts, and the step must then prove itself. Values that cannot be known before
// they happen become new ones. Faults end a step and close its lanes; unrelated steps go on. Pure.
func Rehearse(p Plan, types []providers.Type, faults []Fault) (Rehearsal, error) {
	resources, err := resourcesOf(p.Request.Desired)
	if err != nil {
		return Rehearsal{}, err
	}
	known, err := register(types, resources, p.Request.metas())
	if err != nil {
		return Rehearsal{}, err
	}
	injected := map[string]FaultKind{}
	for _, f := range faults {
		injected[f.Step] = f.Kind
	}
	for _, step := range p.Steps {
		delete(injected, step.ID)
	}
	for _, f := range faults {
		if _, unused := injected[f.Step]; unused {
			return Rehearsal{}, fmt.Errorf("the plan has no step %q to inject a fault at; `upkeep show -json` lists their ids", f.Step)
		}
	}
	for _, f := range faults {
		injected[f.Step] = f.Kind
	}

	in := p.Request.input()
	in.Replace = nil
	in.Declared = resources
	if in.Owners, err = owners(resources); err != nil {
		return Rehearsal{}, err
	}
	stage := &stage{}
	stage.before, stage.after = in.Walk()
	out := Rehearsal{Digest: p.Digest, Faults: faults, Steps: []Rehearsed{}, Refusals: p.Refusals}
	steps, err := known.walk(p, stage, injected)
	if err != nil {
		return Rehearsal{}, err
	}
	out.Steps = steps
	last := stage.after
	last.NoObjects = true
	after, err := diff(resources, last, startsOf(known.marks))
	if err != nil {
		return Rehearsal{}, err
	}
	wrong, _ := rightCluster(p.Request, in, func(string) bool { return false })
	out.Remaining, _ = ignoring(p.Request, known.onePerCause(joined(wrong, after.Findings)))
	for _, step := range after.Steps {
		out.Due = append(out.Due, step.ID)
	}
	return out, nil
}

// walk takes the steps one at a time, in the order that the schedule gives them, and says how each ended.
func (d domains) walk(p Plan, on *stage, injected map[string]FaultKind) ([]Rehearsed, error) {
	scheduled := p.Scheduled()
	scheduled.Openings = nil // a rehearsal takes no time, so it waits for no window
	book, err := schedule.New(scheduled, nil)
	if err != nil {
		return nil, err
	}
	index := providers.IndexBrackets(p.Brackets)
	endings := make([]Rehearsed, len(p.Steps))
	for i, step := range p.Steps {
		endings[i] = Rehearsed{Step: step.ID, Address: step.Address, Node: step.Node, Summary: step.Summary, Ending: NotStarted}
	}
	for decisions := book.Next(on.before.Now, 1); len(decisions) > 0; decisions = book.Next(on.before.Now, 1) {
		for _, decision := range decisions {
			step := p.Steps[decision.Index]
			effect, err := d.effect(step)
			if err != nil {
				return nil, err
			}
			ready := effect.Ready(on.before, step)
			if ready.State == providers.Waits && ready.Again.After(on.before.Now) { // the time passes, and nothing else
				on.before.Now, on.after.Now = ready.Again, ready.Again
				ready = effect.Ready(on.before, step)
			}
			if ready.State == providers.Holds && decision.Kind == schedule.Start {
				ready = d.conditions(on.before, p.Brackets, index.Guarded[step.ID], step)
			}
			switch {
			case ready.State == providers.Waits:
				err = book.Waits(step.ID, schedule.Wait{For: ready.For, Since: ready.Since, Again: ready.Again}, on.before.Now)
			case ready.State == providers.Holds && decision.Kind == schedule.Look:
				err = book.Ready(step.ID, on.before.Now)
			default:
				ending, why := endingOf(ready), ready.Why
				if ready.State == providers.Holds {
					if _, err := book.Started(step.ID); err != nil { // one at a time, nothing comes between
						return nil, err
					}
					ending, why = on.perform(effect, step, decision.Index, injected[step.ID])
				}
				endings[decision.Index].Ending, endings[decision.Index].Why = ending, why
				err = book.Ended(step.ID, outcomeOf(ending), why)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	for i, state := range book.States() {
		if endings[i].Ending == NotStarted {
			endings[i].Why = state.Why
		}
	}
	return endings, nil
}

// outcomeOf is an ending as the schedule calls it.
func outcomeOf(ending Ending) schedule.Outcome {
	switch ending {
	case Proved:
		return schedule.Done
	case AlreadySo:
		return schedule.Skipped
	case Refused:
		return schedule.Refused
	default:
		return schedule.Failed
	}
}

// endingOf is how a step ends that is not run.
func endingOf(ready providers.Readiness) Ending {
	if ready.State == providers.Done {
		return AlreadySo
	}
	return Refused
}

// conditions asks the guards of a step that are conditions.
func (d domains) conditions(in providers.Input, brackets []providers.Bracket, guarded []int, step providers.Step) providers.Readiness {
	for _, i := range guarded {
		holds := d.guard(brackets[i]).Holds
		if holds == nil {
			continue
		}
		if ready := holds(in, step); ready.State != providers.Holds && ready.State != providers.Done {
			ready.Why = fmt.Sprintf("the guard %q of %s does not hold: %s", brackets[i].Guard, brackets[i].Of, ready.Why)
			if ready.State != providers.Waits {
				ready.State = providers.Unknown
			}
			return ready
		}
	}
	return providers.Readiness{State: providers.Holds}
}

// stage is the world just before and just after a step. Both follow every change, so that a step costs the same however
// large the world is.
type stage struct{ before, after providers.Input }

// perform runs one step of a rehearsal, whose ground holds.
func (s *stage) perform(effect providers.Effect, step providers.Step, number int, fault FaultKind) (Ending, string) {
	var update facts.Update
	switch {
	case fault == Fails, fault == Loses && step.Node == "":
		return Failed, "injected: the operation fails"
	case fault == Lies:
	case fault == Loses:
		host := s.before.World.Node(step.Node).Host
		update.Nodes = []facts.Node{{Name: step.Node, Host: host, Unknown: "injected: the node stopped answering"}}
	default:
		update = effect.Predict(s.before, step)
		concrete(s.before.World, &update, fmt.Sprint(number, " ", step.ID))
	}
	s.after.Apply(update)
	s.after.Now = s.before.Now.Add(step.EstimateDuration())
	unproved := effect.Proved(s.before, s.after, step)
	s.before.Apply(update)
	s.before.Now = s.after.Now
	switch {
	case unproved != nil && fault != "":
		return Failed, "injected: " + string(fault) + "; seen as: " + unproved.Error()
	case unproved != nil:
		return Failed, unproved.Error()
	case fault != "":
		return Proved, "injected: " + string(fault) + "; the step was proved all the same"
	default:
		return Proved, ""
	}
}
