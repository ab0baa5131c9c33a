package planner

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"upkeep/planner/schedule"
	"upkeep/planner/window"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// Course is what becomes of a world in which nothing happens but what upkeep does: each step once it is due and its
// window is open, for the time that it is estimated to take, and always with success.
type Course struct {
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
	Runs  []Run     `json:"runs,omitempty"`
	// Found are the findings, those that stand at From included, in the order in which they appear.
	Found []Found `json:"found,omitempty"`
	// Left are the steps that are due at the end, or that could not be planned any further.
	Left []Left `json:"left,omitempty"`
}

// Run is what an apply does that begins at a time.
type Run struct {
	Begins time.Time `json:"begins"`
	Ends   time.Time `json:"ends"`
	Steps  []Ran     `json:"steps"`
}

// Ran is a step of a run.
type Ran struct {
	ID         string            `json:"id"`
	Address    providers.Address `json:"address"`
	Operation  string            `json:"operation"`
	Summary    string            `json:"summary"`
	Disruption string            `json:"disruption,omitempty"`
	// Windows are those that it waited for: Step.Window.
	Window string    `json:"window,omitempty"`
	Due    time.Time `json:"due"` // since when it was in the plan
	Begins time.Time `json:"begins"`
	Ends   time.Time `json:"ends"`
}

// Found is a finding with when it stands.
type Found struct {
	Finding providers.Finding `json:"finding"`
	Since   time.Time         `json:"since"`
	// Gone is when it no longer stands; zero: it does at the end. ByStep: a step of upkeep's ended it.
	Gone   time.Time `json:"gone,omitzero"`
	ByStep bool      `json:"by_step,omitempty"`
	// Waits names the window that a step for it waits for, which is then too late; empty: none does.
	Waits string `json:"waits,omitempty"`
}

// Left is a step that the course does not come to.
type Left struct {
	Ran
	// Why is empty where its time only lies beyond the end.
	Why string `json:"why,omitempty"`
}

// Look is how a course is walked: from change to change or, for tests, with looks in between that nothing needs.
type Look struct {
	Every time.Duration // zero: only where something changes
	// Afresh: nothing is taken from an earlier look.
	Afresh bool
}

// Walk follows a request for a while. It is pure.
func Walk(r Request, types []providers.Type, length time.Duration, look Look) (Course, error) {
	w, err := newWalk(r, types, length, look)
	if err != nil {
		return Course{}, err
	}
	for {
		if err := w.step(); err != nil {
			return Course{}, err
		}
		next := w.next()
		if !next.Before(w.course.Until) {
			break
		}
		w.in.Now = next
	}
	w.finish()
	return w.course, nil
}

// mostEvents bounds a walk: a window of every five minutes and a year are 105,120.
const mostEvents = 500_000

type walk struct {
	course    Course
	look      Look
	known     domains
	resources []providers.Resource
	calendars metas
	overrides []Override
	request   Request
	in        providers.Input
	outcomes  []providers.Outcome
	fresh     []bool // of an outcome: nothing has happened that could change it
	events    int
	ran       bool // what this look finds comes of a run

	// due are since when steps are due, and stuck why some of them are not tried again while they are.
	due   map[string]time.Time
	stuck map[string]string
	// open are the findings that stand, by what they are, as places in course.Found.
	open map[string]int
	// waiting are the steps that wait for a window, by id; vain is the longest part of an opening that had no room for
	// one of them, since they last changed.
	waiting  []providers.Step
	vain     time.Duration
	openings map[string][]schedule.Opening
	starts   *starts
}

func newWalk(r Request, types []providers.Type, length time.Duration, look Look) (*walk, error) {
	if err := CheckOuts(r.Desired, r.Now); err != nil {
		return nil, err
	}
	r.World = unsettled(r.World)
	resources, err := resourcesOf(r.Desired)
	if err != nil {
		return nil, err
	}
	w := &walk{
		starts: startsOf(r.metas()),
		course: Course{From: r.Now, Until: r.Now.Add(length)}, look: look,
		resources: resources, overrides: r.Overrides, request: r,
		calendars: r.metas(), due: map[string]time.Time{}, stuck: map[string]string{}, open: map[string]int{},
		openings: map[string][]schedule.Opening{},
		outcomes: make([]providers.Outcome, len(resources)), fresh: make([]bool, len(resources)),
	}
	if w.known, err = register(types, resources, w.calendars); err != nil {
		return nil, err
	}
	in := r.input()
	in.Declared = resources
	if in.Owners, err = owners(resources); err != nil {
		return nil, err
	}
	w.in, _ = in.Walk()
	return w, nil
}

// step looks once, and runs what can run.
func (w *walk) step() error {
	if w.events++; w.events > mostEvents {
		return fmt.Errorf("more than %d things happen before %s; forecast a shorter time with -for",
			mostEvents, w.course.Until.UTC().Format(time.DateOnly))
	}
	if err := w.review(); err != nil {
		return err
	}
	steps, err := w.steps()
	if err != nil {
		return err
	}
	w.waiting = nil
	if len(steps) == 0 {
		return nil
	}
	return w.run(steps)
}

// review brings the outcomes up to now, and notes what appears and what is gone.
func (w *walk) review() error {
	changed := false
	for i, resource := range w.resources {
		out := &w.outcomes[i]
		if w.fresh[i] && !w.look.Afresh && (out.Until.IsZero() || w.in.Now.Before(out.Until)) {
			continue
		}
		address, in := resource.Address(), w.in
		in.Start = w.starts.of(address, in.Now)
		*out = providers.Review(resource, in)
		for n := range out.Findings {
			if out.Findings[n].Address == (providers.Address{}) {
				out.Findings[n].Address = address
			}
		}
		for n := range out.Steps {
			if out.Steps[n].Address == (providers.Address{}) {
				out.Steps[n].Address = address
			}
		}
		w.fresh[i], changed = true, true
	}
	if !changed {
		return nil
	}
	standing := map[string]bool{}
	for i := range w.outcomes {
		for _, f := range w.outcomes[i].Findings {
			key := strings.Join([]string{f.Address.String(), f.ID, string(f.Severity), f.Object}, "\x00")
			standing[key] = true
			if _, known := w.open[key]; !known {
				w.open[key] = len(w.course.Found)
				w.course.Found = append(w.course.Found, Found{Finding: f, Since: w.in.Now, Waits: w.tooLate(f)})
			}
		}
	}
	for key, place := range w.open {
		if !standing[key] {
			w.course.Found[place].Gone, w.course.Found[place].ByStep = w.in.Now, w.ran
			delete(w.open, key)
		}
	}
	return nil
}

// tooLate names the window that a step waits for although what is found now is an error of the step's own object:
// time, and nothing else, made it one.
func (w *walk) tooLate(f providers.Finding) string {
	if f.Severity != providers.SeverityError || f.Unknown || f.Foretold || w.ran {
		return ""
	}
	for _, s := range w.waiting {
		if s.Address == f.Address && w.due[s.ID].Before(w.in.Now) {
			return s.Window
		}
	}
	return ""
}

// steps are the due ones, and since when.
func (w *walk) steps() ([]providers.Step, error) {
	var steps []providers.Step
	var orders []providers.Order
	planned := map[string]bool{}
	for i := range w.outcomes {
		for _, s := range w.outcomes[i].Steps {
			if planned[s.ID] || s.ID == "" {
				return nil, fmt.Errorf("two steps have the id %q", s.ID)
			}
			planned[s.ID] = true
			s.After, s.Lanes = slices.Clone(s.After), slices.Clip(s.Lanes)
			steps = append(steps, s)
		}
		orders = append(orders, w.outcomes[i].Orders...)
	}
	for id := range w.due {
		if !planned[id] {
			delete(w.due, id)
			delete(w.stuck, id)
			w.vain = 0
		}
	}
	for id := range planned {
		if _, known := w.due[id]; !known {
			w.due[id], w.vain = w.in.Now, 0
		}
	}
	applyOrders(steps, orders)
	w.known.marks.mark(steps)
	// What follows a step that is not tried is not tried either.
	held := map[string]bool{}
	series := map[providers.Address]bool{}
	steps = slices.DeleteFunc(steps, func(s providers.Step) bool {
		held[s.ID] = w.stuck[s.ID] != "" || s.Node != "" && series[s.Series()] ||
			slices.ContainsFunc(s.After, func(id string) bool { return held[id] })
		if held[s.ID] {
			series[s.Series()] = true
			w.stick(s.ID, cmp.Or(w.stuck[s.ID], "it follows a step that cannot run"))
		}
		return held[s.ID]
	})
	return steps, nil
}

func (w *walk) stick(id, why string) {
	if w.stuck[id] == "" {
		w.stuck[id] = why
	}
}

// run does what of the due steps can be done now.
func (w *walk) run(due []providers.Step) error {
	now := w.in.Now
	guarded, err := w.known.placeGuards(w.in, due, w.overrides)
	if err != nil {
		return err
	}
	setLanes(guarded.steps, w.in)
	steps, err := order(guarded.steps, guarded.brackets, w.in.Inventory, w.in.World)
	if err != nil {
		return err
	}
	p := Plan{CreatedAt: now, Request: w.request, Steps: steps, Brackets: guarded.brackets}
	p.Request.Now = now
	scheduled := schedule.Plan{Steps: steps, Brackets: guarded.brackets, Lifted: p.Request.lifted()}
	scheduled.Openings = w.openingsOf(steps)
	scheduled.Stretch = p.whole(scheduled)
	table, _ := schedule.Timetable(scheduled, now)
	var turns []int
	for i := range steps {
		if !table[i].Ends.IsZero() {
			turns = append(turns, i)
		}
	}
	slices.SortStableFunc(turns, func(a, b int) int { return table[a].Ends.Compare(table[b].Ends) })
	run, err := w.fold(steps, guarded.brackets, table, turns)
	if err != nil {
		return err
	}
	done := map[string]bool{}
	for _, s := range run.Steps {
		done[s.ID] = true
	}
	for _, s := range due {
		if _, bound := scheduled.Openings[s.Window]; bound && !done[s.ID] && w.stuck[s.ID] == "" {
			w.waiting = append(w.waiting, s)
			for _, o := range scheduled.Openings[s.Window] {
				if !o.From.After(now) && o.Until.After(now) {
					w.vain = max(w.vain, o.Until.Sub(now))
				}
			}
		}
	}
	if len(run.Steps) == 0 {
		return nil
	}
	w.course.Runs = append(w.course.Runs, run)
	w.in.Now = run.Ends
	return w.afterRun(done)
}

// afterRun looks at what is left. What is due again at once would be for ever, so it is not tried again while it is.
func (w *walk) afterRun(done map[string]bool) error {
	w.ran = true
	err := w.review()
	w.ran = false
	if err != nil {
		return err
	}
	again := false
	for i := range w.outcomes {
		for _, s := range w.outcomes[i].Steps {
			if done[s.ID] {
				w.stick(s.ID, "the step would be due again at once")
			} else if _, known := w.due[s.ID]; !known {
				again = true
			}
		}
	}
	for id := range done {
		delete(w.due, id)
	}
	if again { // what was not due before
		return w.step()
	}
	_, err = w.steps()
	return err
}

// fold predicts what steps do, in the order in which they end.
func (w *walk) fold(
	steps []providers.Step, brackets []providers.Bracket, table []schedule.Time, turns []int,
) (Run, error) {
	now := w.in.Now
	run := Run{Begins: now, Ends: now}
	index := providers.IndexBrackets(brackets).Guarded
	failed := map[string]bool{}
	later := map[string]bool{} // waits for a time to come, or follows what does: it is tried again
	for _, i := range turns {
		s := steps[i]
		if slices.ContainsFunc(s.After, func(id string) bool { return later[id] }) {
			later[s.ID] = true
			continue
		}
		if slices.ContainsFunc(s.After, func(id string) bool { return failed[id] }) {
			failed[s.ID] = true
			w.stick(s.ID, "it follows a step that cannot run")
			continue
		}
		effect, err := w.known.effect(s)
		if err != nil {
			return run, err
		}
		w.in.Now = table[i].Begins
		if s, err = s.WithGround(effect.Ground(w.in, s)); err != nil {
			return run, err
		}
		ready := effect.Ready(w.in, s)
		if ready.State == providers.Holds {
			ready = w.known.conditions(w.in, brackets, index[s.ID], s)
		}
		switch {
		case ready.State == providers.Holds:
		case ready.State == providers.Done:
			continue
		case ready.State == providers.Waits && ready.Again.After(w.in.Now):
			later[s.ID] = true
			continue
		default:
			failed[s.ID] = true
			w.stick(s.ID, cmp.Or(ready.Why, ready.For, "it is not ready"))
			continue
		}
		w.in.Now = table[i].Ends
		update := effect.Predict(w.in, s)
		concrete(w.in.World, &update, fmt.Sprint(len(w.course.Runs), " ", s.ID))
		w.touch(update)
		w.in.Apply(update)
		run.Ends = w.in.Now
		ran := w.ranOf(s)
		ran.Begins, ran.Ends = table[i].Begins, table[i].Ends
		run.Steps = append(run.Steps, ran)
	}
	w.in.Now = now
	return run, nil
}

func (w *walk) ranOf(s providers.Step) Ran {
	out := Ran{
		ID: s.ID, Address: s.Address, Operation: s.Operation, Summary: s.Summary, Disruption: s.Disruption, Due: w.in.Now,
	}
	if since, known := w.due[s.ID]; known {
		out.Due = since
	}
	if _, bound := w.openings[s.Window]; bound && s.Disruption != "" && !s.Repairs {
		out.Window = s.Window
	}
	return out
}

// touch notes which outcomes an update may change. Stores, and what is remembered of a block, are that block's own;
// releases are for those who ask Helm. Everything else may be anybody's.
func (w *walk) touch(u facts.Update) {
	others := len(u.Nodes)+len(u.Archives)+len(u.Definitions) > 0 ||
		u.Kubernetes != nil || u.Etcd != nil || u.Tenancies != nil
	for i, resource := range w.resources {
		if others {
			w.fresh[i] = false
			continue
		}
		address := resource.Address()
		_, own := u.Backups[address.String()]
		_, remembered := u.Sections[address]
		helm := resource.Needs().Helm
		if own || remembered || len(u.Releases) > 0 && len(helm.Releases)+len(helm.Charts) > 0 {
			w.fresh[i] = false
		}
	}
}

// openingsOf are those of the calendars of some steps. They are looked up once.
func (w *walk) openingsOf(steps []providers.Step) map[string][]schedule.Opening {
	out := map[string][]schedule.Opening{}
	for name, c := range w.calendars.calendars(steps) {
		all, known := w.openings[name]
		if !known {
			for _, o := range c.Openings(w.course.From, w.course.Until.Add(horizon)) {
				all = append(all, schedule.Opening{From: o.From, Until: o.Until})
			}
			w.openings[name] = all
		}
		out[name] = all[sort.Search(len(all), func(i int) bool { return all[i].Until.After(w.in.Now) }):]
	}
	return out
}

// next is when to look again: an outcome may change, or a window opens that steps wait for.
func (w *walk) next() time.Time {
	next := w.course.Until
	sooner := func(t time.Time) {
		if t.After(w.in.Now) && t.Before(next) {
			next = t
		}
	}
	for i := range w.outcomes {
		if !w.outcomes[i].Until.IsZero() {
			sooner(w.outcomes[i].Until)
		}
	}
	for _, s := range w.waiting {
		for _, o := range w.openings[s.Window] {
			if o.From.After(w.in.Now) && (o.Until.Sub(o.From) > w.vain || w.look.Afresh) {
				sooner(o.From)
				break
			}
		}
	}
	if w.look.Every > 0 {
		sooner(w.in.Now.Truncate(w.look.Every).Add(w.look.Every))
	}
	return next
}

// finish notes what is left at the end.
func (w *walk) finish() {
	waits := map[string]bool{}
	for _, s := range w.waiting {
		waits[s.ID] = true
	}
	for i := range w.outcomes {
		for _, s := range w.outcomes[i].Steps {
			since, due := w.due[s.ID]
			if !due {
				continue
			}
			left := Left{Ran: w.ranOf(s), Why: w.stuck[s.ID]}
			left.Due = since
			if left.Why == "" && waits[s.ID] {
				for _, waiting := range w.waiting {
					if waiting.ID == s.ID {
						left.Window = waiting.Window
					}
				}
				left.Why = w.whyLeft(left)
			}
			w.course.Left = append(w.course.Left, left)
		}
	}
}

// whyLeft says why a step found no opening; empty where the next one lies beyond the end.
func (w *walk) whyLeft(left Left) string {
	all := w.openings[left.Window]
	if len(all) == 0 {
		return left.Window + " does not open"
	}
	for _, o := range all {
		if o.Until.After(left.Due) && o.From.Before(w.course.Until) {
			return "no opening of " + left.Window + " is long enough for the step and what goes with the step"
		}
	}
	return ""
}

// Unused are the windows that blocks may begin in, and in which no run began, in declared order.
func (c Course) Unused(r Request) []*window.Window {
	windows := Windows(r.Desired)
	used := map[*window.Window]bool{}
	metas := r.metas()
	for _, run := range c.Runs {
		for _, s := range run.Steps {
			if s.Window == "" {
				continue
			}
			at := providers.Step{Address: s.Address, Node: s.Address.Node, Operation: s.Operation}
			calendar := window.Of(windows, metas.of[s.Address.Resource()].Windows, metas.subject(at))
			for _, w := range calendar.Allow {
				if len(w.Openings(s.Begins, s.Begins.Add(time.Second))) > 0 {
					used[w] = true
				}
			}
		}
	}
	return slices.DeleteFunc(windows, func(w *window.Window) bool { return w.Deny || used[w] })
}
