package planner

import (
	"slices"
	"time"

	"upkeep/config"
	"upkeep/planner/schedule"
	"upkeep/planner/window"
	"upkeep/providers"
)

// Windows are the declared maintenance windows, in declared order.
func Windows(desired config.Desired) []*window.Window {
	var out []*window.Window
	for _, d := range desired.Resources {
		if w, ok := d.Value.(*window.Window); ok {
			out = append(out, w)
		}
	}
	return out
}

// BlockCalendar is when the disruptive steps of a block may begin, whatever they interrupt.
type BlockCalendar struct {
	Address providers.Address
	window.Calendar
}

// Calendars are those of the declared blocks, in declared order.
func Calendars(desired config.Desired) []BlockCalendar {
	windows := Windows(desired)
	var out []BlockCalendar
	for _, d := range desired.Resources {
		if _, plans := d.Value.(providers.Resource); plans {
			address := providers.Address{Type: d.Type, Name: d.Name, Key: d.Key}
			of := window.Subject{Type: d.Type, Address: address.String()}
			out = append(out, BlockCalendar{address, window.Of(windows, d.Meta.Windows, of)})
		}
	}
	return out
}

// calendar returns when a step may begin. What interrupts nothing may at any time, and so may what puts an outage
// right.
func (m metas) calendar(s providers.Step) window.Calendar {
	if s.Disruption == "" || s.Repairs {
		return window.Calendar{}
	}
	return window.Of(m.windows, m.of[s.Address.Resource()].Windows, m.subject(s))
}

// calendars are the calendars that are shut at some time, of some steps, by Step.Window.
func (m metas) calendars(steps []providers.Step) map[string]window.Calendar {
	out := map[string]window.Calendar{}
	for _, s := range steps {
		if _, known := out[s.Window]; known || s.Window == window.Always || s.Window == "" {
			continue
		}
		if c := m.calendar(s); c.Bound() {
			out[s.Window] = c
		}
	}
	return out
}

// mostOpenings is how many openings of one calendar the schedule is given, and horizon how far ahead they reach:
// past the days for which a plan may be continued, and to the next opening of a window that opens once a year.
const (
	mostOpenings = 10_000
	horizon      = 400 * 24 * time.Hour
)

// openings are those of the calendars of the plan's steps, from the time for which the plan was made.
func (p Plan) openings() map[string][]schedule.Opening {
	out := map[string][]schedule.Opening{}
	for name, c := range p.Request.metas().calendars(p.Steps) {
		found := c.Openings(p.CreatedAt, p.CreatedAt.Add(horizon))
		openings := make([]schedule.Opening, 0, min(len(found), mostOpenings))
		for _, o := range found[:cap(openings)] {
			openings = append(openings, schedule.Opening{From: o.From, Until: o.Until})
		}
		out[name] = openings
	}
	return out
}

// whole are the windows in which the plan is one stretch (overrun = "plan"), and how long it takes.
func (p Plan) whole(scheduled schedule.Plan) map[string]time.Duration {
	out := map[string]time.Duration{}
	for name, c := range p.Request.metas().calendars(p.Steps) {
		if len(c.Allow) > 0 && !slices.ContainsFunc(c.Allow, func(w *window.Window) bool { return w.Overrun != window.OverrunPlan }) {
			out[name] = schedule.Worst(scheduled)
		}
	}
	return out
}

// windowLanes bound how many nodes are under way in the windows of a step that say so.
func windowLanes(c window.Calendar, s providers.Step) []providers.Lane {
	var out []providers.Lane
	if s.Node == "" {
		return nil
	}
	for _, w := range c.Allow {
		if w.MaxNodes > 0 {
			out = append(out, providers.Lane{Name: "window/" + w.Name, Width: w.MaxNodes, Failures: providers.NeverCloses})
		}
	}
	return out
}

// WindowUse is what a plan can do in the windows of some of its steps.
type WindowUse struct {
	// Name names the windows: Step.Window.
	Name string `json:"name"`
	// State is that of the time for which the plan was made.
	window.State
	// Opening is the first one, the present one included, in which a disruptive step fits; where none does, the
	// first. Zero where nothing opens.
	Opening window.Opening `json:"opening,omitzero"`
	// Steps is how many steps wait for these windows, and Fit how many of them end, by their estimates, if a run
	// begins with the opening, or now where it is open. Such a run ends at Ends.
	Steps int       `json:"steps"`
	Fit   int       `json:"fit"`
	Ends  time.Time `json:"ends,omitzero"`
	// Last is the last step that ends in it, and the node of that step, where not all of them do.
	Last     string `json:"last,omitempty"`
	LastNode string `json:"last_node,omitempty"`
}

// openingsTried is in how many openings of a window a plan is tried before it is said that nothing fits.
const openingsTried = 20

// WindowUses are those of the windows that hold steps of the plan back at some time, in the order in which steps
// name them.
func (p Plan) WindowUses() []WindowUse { return p.windowUses(p.CreatedAt) }

func (p Plan) windowUses(at time.Time) []WindowUse {
	calendars := p.Request.metas().calendars(p.Steps)
	if len(calendars) == 0 {
		return nil
	}
	var out []WindowUse
	place := map[string]int{}
	for _, s := range p.Steps {
		c, bound := calendars[s.Window]
		if !bound {
			continue
		}
		i, known := place[s.Window]
		if !known {
			i = len(out)
			place[s.Window] = i
			out = append(out, WindowUse{Name: s.Window, State: c.At(at)})
		}
		out[i].Steps++
	}
	scheduled := p.Scheduled()
	for i := range out {
		for n, opening := range calendars[out[i].Name].Next(at, openingsTried) {
			use := p.in(scheduled, out[i], opening, at)
			if n == 0 || use.Fit > 0 {
				out[i] = use
			}
			if use.Fit > 0 {
				break
			}
		}
	}
	return out
}

// in tries the plan in one opening.
func (p Plan) in(scheduled schedule.Plan, use WindowUse, opening window.Opening, at time.Time) WindowUse {
	begin := opening.From
	if begin.Before(at) {
		begin = at
	}
	use.Opening, use.Fit, use.Last, use.LastNode = opening, 0, "", ""
	var table []schedule.Time
	table, use.Ends = schedule.Timetable(scheduled, begin)
	var last time.Time
	for n, s := range p.Steps {
		if !table[n].Ends.IsZero() && s.Window == use.Name {
			use.Fit++
			if !table[n].Ends.Before(last) {
				last, use.Last, use.LastNode = table[n].Ends, s.Summary, s.Node
			}
		}
	}
	if use.Fit == use.Steps {
		use.Last, use.LastNode = "", ""
	}
	return use
}

// Start is when a run of the plan can first do something that waits for a window: at a time, or with a later
// opening; the time itself where nothing waits for one. False: nothing fits into an opening.
func (p Plan) Start(at time.Time) (time.Time, bool) {
	uses := p.windowUses(at)
	if len(uses) == 0 {
		return at, true
	}
	var first time.Time
	for _, use := range uses {
		begin := use.Opening.From
		if begin.Before(at) {
			begin = at
		}
		if use.Fit > 0 && (first.IsZero() || begin.Before(first)) {
			first = begin
		}
	}
	return first, !first.IsZero()
}
