package journal

import (
	"fmt"
	"maps"
	"slices"
)

// History is what a journal says. It is indexed while it is read: what it says of one step costs the same however long it is.
// The zero value is the history of a plan that was never started.
//
// A copy shares the index; the one who adds to a copy clones it first.
type History struct {
	// Torn is the length of a last line that was cut off while it was written, in bytes; 0: there is none.
	Torn int

	records []Record
	steps   map[string]*entry
}

// StepHistory is what a history says of one step. A record with the zero Kind stands for none.
type StepHistory struct {
	Last    Record // the last record about the step, of any kind
	Started Record // the last start
	Ended   Record // the last end: done, skipped, failed, refused or blocked
	Done    Record // the last end that says that the step acted and was proved
	// Rounds is how often the step was started: one that begins or ends a guard may run more than once.
	Rounds int
}

// entry is a StepHistory with the places of its records, counted from 1; 0 is nowhere.
type entry struct {
	StepHistory
	started, settled int
	// opened is the place of the first start that no end has followed; 0: the step is not in progress.
	opened int
}

// HistoryOf returns the history that records make, in their order. What Replay refuses is not looked for.
func HistoryOf(records ...Record) History {
	var h History
	h.Add(records...)
	return h
}

// Add adds records to the end of the history.
func (h *History) Add(records ...Record) {
	if h.steps == nil {
		h.steps = map[string]*entry{}
	}
	for _, r := range records {
		h.records = append(h.records, r)
		if r.Step == "" {
			continue
		}
		e := h.steps[r.Step]
		if e == nil {
			e = &entry{}
			h.steps[r.Step] = e
		}
		e.add(r, len(h.records))
	}
}

func (e *entry) add(r Record, place int) {
	e.Last = r
	switch {
	case r.Kind == StepStarted:
		e.Started, e.started = r, place
		e.Rounds++
		if e.opened == 0 {
			e.opened = place
		}
	case r.Kind.ends():
		e.Ended, e.opened = r, 0
		if r.Kind == StepDone {
			e.Done = r
		}
		if r.Kind == StepDone || r.Kind == StepSkipped {
			e.settled = place
		}
	}
}

// Records returns the records in order. The caller must not change them.
func (h History) Records() []Record { return h.records }

// Started reports whether the plan was ever started.
func (h History) Started() bool { return len(h.records) > 0 }

// First returns the record of the plan's first start; the zero Record where it was never started.
func (h History) First() Record {
	if len(h.records) == 0 {
		return Record{}
	}
	return h.records[0]
}

// Step returns what the history says of a step; the zero StepHistory where it says nothing.
func (h History) Step(id string) StepHistory {
	if e := h.steps[id]; e != nil {
		return e.StepHistory
	}
	return StepHistory{}
}

// Last returns the last record about a step, and whether there is one.
func (h History) Last(step string) (Record, bool) {
	r := h.Step(step).Last
	return r, r.Kind != ""
}

// Done returns the record that says that a step acted and was proved, and whether there is one.
func (h History) Done(step string) (Record, bool) {
	r := h.Step(step).Done
	return r, r.Kind != ""
}

// Open reports whether what one step began was not ended by another since: the first was started after the other was last
// done or skipped.
func (h History) Open(begin, end string) bool {
	b := h.steps[begin]
	if b == nil || b.started == 0 {
		return false
	}
	e := h.steps[end]
	return e == nil || e.settled < b.started
}

// InProgress returns the ids of the steps that were started and have no end, in order of their start.
func (h History) InProgress() []string {
	var open []string
	for id, e := range h.steps {
		if e.opened > 0 {
			open = append(open, id)
		}
	}
	slices.SortFunc(open, func(a, b string) int { return h.steps[a].opened - h.steps[b].opened })
	return open
}

// Clone returns a history that can be added to without changing h.
func (h History) Clone() History {
	h.records = slices.Clip(h.records)
	h.steps = maps.Clone(h.steps)
	for id, e := range h.steps {
		own := *e
		h.steps[id] = &own
	}
	return h
}

// Equal reports whether two histories have the same records and the same torn end.
func (h History) Equal(other History) bool {
	return h.Torn == other.Torn && slices.EqualFunc(h.records, other.records, Record.equal)
}

// follows says whether a record can come after the first and the last of a history that has count records.
func follows(first, last Record, count int, r Record) error {
	if want := uint64(count) + 1; r.Seq != want {
		return fmt.Errorf("its sequence number is %d and should be %d", r.Seq, want)
	}
	if count == 0 {
		if r.Kind != RunStarted {
			return fmt.Errorf("it is %q; a journal begins with %q", r.Kind, RunStarted)
		}
		return nil
	}
	switch {
	case r.Kind == RunStarted:
		if r.Plan != first.Plan || r.Digest != first.Digest {
			return fmt.Errorf("it starts plan %s (%s) in the journal of plan %s (%s)", r.Plan, r.Digest, first.Plan, first.Digest)
		}
	case last.Kind == RunEnded:
		return fmt.Errorf("it is %q after the run's end", r.Kind)
	case r.Kind == RunEnded:
	case r.Kind == StepStarted, r.Kind.ends():
		if r.Step == "" {
			return fmt.Errorf("it is %q and names no step", r.Kind)
		}
	default:
		return fmt.Errorf("its kind %q is not known", r.Kind)
	}
	return nil
}

// last returns the last record; the zero Record where there is none.
func (h History) last() Record {
	if len(h.records) == 0 {
		return Record{}
	}
	return h.records[len(h.records)-1]
}
