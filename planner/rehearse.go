package planner

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

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

// Rehearse walks a plan as apply would, over its facts instead of the cluster: each step is asked whether it is ready,
// the world is changed as the step predicts, and the step must then prove itself. Values that cannot be known before
// they happen become new ones. Faults end a step and close its lanes; unrelated steps go on. Pure.
func Rehearse(p Plan, types []providers.Type, faults []Fault) (Rehearsal, error) {
	resources, err := resourcesOf(p.Request.Desired)
	if err != nil {
		return Rehearsal{}, err
	}
	known, err := register(types, resources, metasOf(p.Request.Desired))
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
	if in.Owners, err = owners(resources); err != nil {
		return Rehearsal{}, err
	}
	stage := &stage{before: in, after: in}
	stage.before.World, stage.after.World = in.World.Clone(), in.World.Clone()
	out := Rehearsal{Digest: p.Digest, Faults: faults, Steps: []Rehearsed{}, Refusals: p.Refusals}
	w := newWalk(p, known)
	for i, step := range p.Steps {
		effect, err := known.effect(step)
		if err != nil {
			return Rehearsal{}, err
		}
		ending, why := NotStarted, w.held(step)
		if why == "" {
			if why = w.refused(stage.before, step); why != "" {
				ending = Refused
			}
		}
		if why == "" {
			if ending, why, err = stage.perform(effect, step, i, injected[step.ID]); err != nil {
				return Rehearsal{}, err
			}
		}
		w.note(step, ending)
		out.Steps = append(out.Steps, Rehearsed{Step: step.ID, Address: step.Address, Node: step.Node, Summary: step.Summary, Ending: ending, Why: why})
	}
	after, err := diff(resources, stage.after)
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

// walk remembers how the steps so far ended.
type walk struct {
	brackets []providers.Bracket
	index    providers.BracketIndex
	guards   []providers.Guard // those of the brackets
	ended    map[string]Ending
	closed   map[string]string // lanes that are closed, and by which step
}

func newWalk(p Plan, known domains) walk {
	w := walk{brackets: p.Brackets, index: providers.IndexBrackets(p.Brackets), ended: map[string]Ending{}, closed: map[string]string{}}
	for _, b := range p.Brackets {
		w.guards = append(w.guards, known.guard(b))
	}
	return w
}

// held says why a step cannot start; empty: it can.
func (w walk) held(step providers.Step) string {
	if ends := w.index.Ends[step.ID]; len(ends) > 0 {
		for _, i := range ends {
			for _, id := range w.brackets[i].Begins() {
				switch w.ended[id] {
				case Proved, AlreadySo, Failed: // what ran and was not proved may have taken effect
					return ""
				}
			}
		}
		return "the guard that it ends never began"
	}
	for _, lane := range step.Lanes {
		if by, closed := w.closed[lane.Name]; closed {
			return "its lane " + lane.Name + " was closed by " + by
		}
	}
	waits := func(ids []string) string {
		for _, id := range ids {
			switch w.ended[id] {
			case Proved, AlreadySo:
			default:
				return "it waits for " + id
			}
		}
		return ""
	}
	why := waits(step.After)
	for _, i := range w.index.Guarded[step.ID] {
		why = cmp.Or(why, waits(w.brackets[i].Begin))
	}
	return why
}

// refused says which condition that guards a step does not hold; empty: none.
func (w walk) refused(in providers.Input, step providers.Step) string {
	for _, i := range w.index.Guarded[step.ID] {
		if holds := w.guards[i].Holds; holds != nil {
			if ready := holds(in, step); ready.State != providers.Holds && ready.State != providers.Done {
				return fmt.Sprintf("the guard %q of %s does not hold: %s", w.brackets[i].Guard, w.brackets[i].Of, ready.Why)
			}
		}
	}
	return ""
}

func (w walk) note(step providers.Step, ending Ending) {
	w.ended[step.ID] = ending
	if ending != Failed && ending != Refused {
		return
	}
	for _, lane := range step.Lanes {
		if lane.Strict {
			w.closed[lane.Name] = step.ID
		}
	}
}

// stage is the world just before and just after a step. Both follow every change, so that a step costs the same however
// large the world is.
type stage struct{ before, after providers.Input }

// perform does one step of a rehearsal.
func (s *stage) perform(effect providers.Effect, step providers.Step, number int, fault FaultKind) (Ending, string, error) {
	ready := effect.Ready(s.before, step)
	switch ready.State {
	case providers.Done:
		return AlreadySo, ready.Why, nil
	case providers.Holds:
	default:
		return Refused, ready.Why, nil
	}
	var update facts.Update
	switch {
	case fault == Fails, fault == Loses && step.Node == "":
		return Failed, "injected: the operation fails", nil
	case fault == Lies:
	case fault == Loses:
		host := s.before.World.Node(step.Node).Host
		update.Nodes = []facts.Node{{Name: step.Node, Host: host, Unknown: "injected: the node stopped answering"}}
	default:
		var err error
		if update, err = concrete(effect.Predict(s.before, step), fmt.Sprint(number, " ", step.ID)); err != nil {
			return "", "", fmt.Errorf("step %s: %w", step.ID, err)
		}
	}
	s.after.Apply(update)
	s.after.Now = s.before.Now.Add(step.EstimateDuration())
	unproved := effect.Proved(s.before, s.after, step)
	s.before.Apply(update)
	s.before.Now = s.after.Now
	switch {
	case unproved != nil && fault != "":
		return Failed, "injected: " + string(fault) + "; seen as: " + unproved.Error(), nil
	case unproved != nil:
		return Failed, unproved.Error(), nil
	case fault != "":
		return Proved, "injected: " + string(fault) + "; the step was proved all the same", nil
	default:
		return Proved, "", nil
	}
}

// concrete gives the new values of an update a value that no fact has: upper-case hexadecimal, as serials are.
func concrete(update facts.Update, seed string) (facts.Update, error) {
	data, err := json.Marshal(update)
	if err != nil {
		return update, err
	}
	mark := []byte(`"` + facts.New + `"`)
	if !bytes.Contains(data, mark) {
		return update, nil
	}
	sum := sha256.Sum256([]byte(seed))
	value := strings.ToUpper(hex.EncodeToString(sum[:8]))
	data = bytes.ReplaceAll(data, mark, []byte(`"`+value+`"`))
	var out facts.Update
	if err := json.Unmarshal(data, &out); err != nil {
		return update, err
	}
	return out, nil
}
