package schedule_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"upkeep/planner/schedule"
	"upkeep/providers"
)

var clock = time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC)

// truth watches the starts and ends of steps and judges them by the rules, from the plan alone. It never asks the
// schedule.
type truth struct {
	plan    schedule.Plan
	steps   map[string]providers.Step
	index   map[string]int
	last    map[providers.Address]string // of a series, its last step
	top     map[providers.Address]string // of a series, the latest step that was started or skipped
	good    map[string]bool              // succeeded
	running map[string]bool
	touched map[providers.Address]bool // series that were changed since their last rest
	failed  map[providers.Address]bool
	proved  map[string]bool // of a step that begins a bracket: in this round
	begun   []bool          // of a bracket: something of it took effect
	ended   []map[string]bool
	rounds  []int
	taken   map[string]bool
	stopped schedule.Level
	trouble []string
}

func watch(plan schedule.Plan) *truth {
	w := &truth{
		plan: plan, steps: map[string]providers.Step{}, index: map[string]int{}, last: map[providers.Address]string{}, running: map[string]bool{},
		touched: map[providers.Address]bool{}, failed: map[providers.Address]bool{}, proved: map[string]bool{}, begun: make([]bool, len(plan.Brackets)),
		rounds: make([]int, len(plan.Brackets)), taken: map[string]bool{}, top: map[providers.Address]string{}, good: map[string]bool{},
	}
	for range plan.Brackets {
		w.ended = append(w.ended, map[string]bool{})
	}
	for i, step := range plan.Steps {
		w.steps[step.ID], w.index[step.ID] = step, i
		w.last[w.series(step.ID)] = step.ID
	}
	return w
}

// series is the series of a step; what may run several times is one of its own.
func (w *truth) series(id string) providers.Address {
	for _, b := range w.plan.Brackets {
		if len(b.End) > 0 && (slices.Contains(b.Begin, id) || slices.Contains(b.End, id)) {
			return providers.Address{Type: "own", Name: id, Node: w.steps[id].Node}
		}
	}
	return w.steps[id].Series()
}

// again reports whether a step may run several times.
func (w *truth) again(id string) bool { return w.series(id).Type == "own" }

// reach notes how far a series has come.
func (w *truth) reach(series providers.Address, id string) {
	if top := w.top[series]; top == "" || w.index[id] > w.index[top] {
		w.top[series] = id
	}
}

// goes reports whether a step of a series is under way.
func (w *truth) goes(series providers.Address) bool {
	for id := range w.running {
		if w.series(id) == series {
			return true
		}
	}
	return false
}

func (w *truth) wrong(format string, args ...any) {
	w.trouble = append(w.trouble, fmt.Sprintf(format, args...))
}

func (w *truth) ends(id string) int {
	return slices.IndexFunc(w.plan.Brackets, func(b providers.Bracket) bool { return slices.Contains(b.End, id) })
}

// inLane lists who is under way in a lane.
func (w *truth) inLane(name string) map[string]bool {
	in := map[string]bool{}
	for id, step := range w.steps {
		if w.ends(id) >= 0 || !w.touched[w.series(id)] {
			continue
		}
		if slices.ContainsFunc(step.Lanes, func(l providers.Lane) bool { return l.Name == name }) {
			in[who(step)] = true
		}
	}
	return in
}

func who(step providers.Step) string {
	if step.Node != "" {
		return step.Node
	}
	return "cluster " + step.Address.String()
}

// lanesOf are those of the whole series.
func (w *truth) lanesOf(id string) map[string]providers.Lane {
	out := map[string]providers.Lane{}
	for other, step := range w.steps {
		if w.series(other) == w.series(id) {
			for _, l := range step.Lanes {
				out[l.Name] = l
			}
		}
	}
	return out
}

func (w *truth) started(id string) {
	step := w.steps[id]
	if w.stopped >= schedule.Now || w.stopped >= schedule.NoNewSteps && w.ends(id) < 0 {
		w.wrong("%s starts at stop level %d", id, w.stopped)
	}
	for other := range w.running {
		if step.Node != "" && w.steps[other].Node == step.Node {
			w.wrong("%s starts beside %s", id, other)
		}
	}
	for n, b := range w.plan.Brackets {
		if slices.Contains(b.Guarded, id) && w.ends(id) < 0 {
			for _, begin := range b.Begin {
				if !w.proved[begin] {
					w.wrong("%s starts, and %s did not begin", id, begin)
				}
			}
		}
		if slices.Contains(b.End, id) {
			if !w.begun[n] {
				w.wrong("%s ends what never began", id)
			}
			for _, g := range b.Guarded {
				if w.running[g] {
					w.wrong("%s starts, and %s is under way", id, g)
				}
			}
			for _, begin := range b.Begin {
				w.proved[begin] = false
			}
		}
		if len(b.End) > 0 && (slices.Contains(b.Begin, id) || len(b.Begin) == 0 && slices.Contains(b.Guarded, id)) {
			if !w.begun[n] {
				w.rounds[n]++
			}
			w.begun[n], w.ended[n] = true, map[string]bool{}
		}
	}
	if w.ends(id) < 0 && !w.touched[w.series(id)] {
		if w.stopped >= schedule.NoNewNodes && !w.begins(id) {
			w.wrong("%s begins its series at stop level %d", id, w.stopped)
		}
		for name, lane := range w.lanesOf(id) {
			in := w.inLane(name)
			if in[who(step)] {
				continue
			}
			for _, node := range lane.Selection {
				if w.taken[node] && node != step.Node {
					in[node] = true
				}
			}
			if len(in) >= lane.Width {
				w.wrong("%s enters lane %s (%d wide), in which are %v", id, name, lane.Width, in)
			}
		}
		w.touched[w.series(id)] = true
	}
	w.running[id] = true
	w.good[id] = false
	w.reach(w.series(id), id)
}

func (w *truth) begins(id string) bool {
	return slices.ContainsFunc(w.plan.Brackets, func(b providers.Bracket) bool { return slices.Contains(b.Begin, id) })
}

func (w *truth) ended2(id string, outcome schedule.Outcome) {
	delete(w.running, id)
	series := w.series(id)
	if outcome == schedule.Failed {
		w.failed[series] = true
	}
	if outcome.Succeeded() {
		w.good[id] = true
		w.reach(series, id)
	}
	top := w.top[series]
	if top != "" && w.good[top] && (w.steps[top].Rest || w.last[series] == top) && !w.failed[series] && !w.goes(series) {
		w.touched[series] = false
	}
	for n, b := range w.plan.Brackets {
		if slices.Contains(b.Begin, id) {
			w.proved[id] = outcome.Succeeded()
			if len(b.End) > 0 && outcome.Succeeded() && !w.begun[n] {
				w.begun[n], w.ended[n] = true, map[string]bool{}
				w.rounds[n]++
			}
		}
		if slices.Contains(b.End, id) {
			w.ended[n][id] = true
			if len(w.ended[n]) == len(b.End) {
				w.begun[n] = false
			}
		}
	}
}

// world drives a schedule at random.
type world struct {
	t        *rapid.T
	s        *schedule.Schedule
	truth    *truth
	now      time.Time
	hands    []schedule.Decision
	going    []string
	patience map[string]int
	lapses   int
	trace    []string
	history  schedule.History
	past     map[string]bool // steps that an earlier run did
}

func chance(t *rapid.T, percent int, what string) bool {
	return rapid.IntRange(0, 99).Draw(t, what) < percent
}

func (w *world) must(err error) {
	if err != nil {
		w.t.Fatalf("%v\n%s", err, strings.Join(w.trace, "\n"))
	}
}

func (w *world) say(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf(format, args...))
}

// run drives until the run is over.
func (w *world) run(stops, troubles bool) {
	for round := 0; ; round++ {
		if round > 5000 {
			w.t.Fatalf("it does not end:\n%s", strings.Join(w.trace[len(w.trace)-40:], "\n"))
		}
		if stops && chance(w.t, 2, "stop") {
			level := schedule.Level(rapid.IntRange(1, 3).Draw(w.t, "level"))
			w.s.Stop(level)
			w.truth.stopped = max(w.truth.stopped, level)
			w.say("stop %d", level)
		}
		if troubles && chance(w.t, 4, "others come or go") {
			w.others()
		}
		for _, d := range w.s.Next(w.now, rapid.SampledFrom([]int{0, 1, 2}).Draw(w.t, "most")) {
			w.say("%s %s", d.Kind, d.Step)
			w.hands = append(w.hands, d)
		}
		if len(w.hands)+len(w.going) == 0 {
			if !w.s.Over() {
				w.t.Fatalf("nothing goes on, and it is not over:\n%s", strings.Join(w.trace, "\n"))
			}
			return
		}
		w.now = w.now.Add(time.Duration(rapid.IntRange(0, 40).Draw(w.t, "seconds")) * time.Second)
		k := rapid.IntRange(0, len(w.hands)+len(w.going)-1).Draw(w.t, "which")
		if k < len(w.hands) {
			d := w.hands[k]
			w.hands = slices.Delete(w.hands, k, k+1)
			w.answer(d, troubles)
			continue
		}
		k -= len(w.hands)
		id := w.going[k]
		w.going = slices.Delete(w.going, k, k+1)
		outcome := schedule.Done
		if troubles && chance(w.t, 10, "fails") {
			outcome = schedule.Failed
		}
		w.say("ended %s %s", id, outcome)
		w.truth.ended2(id, outcome)
		w.history = append(w.history, schedule.Past{Step: id, What: schedule.What(outcome)})
		w.must(w.s.Ended(id, outcome, "because"))
	}
}

// others has a look tell which nodes take room.
func (w *world) others() {
	var taken []schedule.Taken
	w.truth.taken = map[string]bool{}
	for _, node := range []string{"n1", "n2", "n3", "n4", "n5"} {
		if chance(w.t, 10, "taken") {
			taken = append(taken, schedule.Taken{Node: node, Why: "NotReady"})
			w.truth.taken[node] = true
		}
	}
	w.say("taken %v", taken)
	w.s.Taken(taken)
}

func (w *world) answer(d schedule.Decision, troubles bool) {
	if n := w.patience[d.Step]; n > 0 && !d.Ends {
		w.patience[d.Step]--
		w.say("waits %s", d.Step)
		w.must(w.s.Waits(d.Step, schedule.Wait{For: "tenants"}, w.now))
		return
	}
	if troubles && chance(w.t, 5, "refused") {
		w.say("refused %s", d.Step)
		w.truth.ended2(d.Step, schedule.Refused)
		w.must(w.s.Ended(d.Step, schedule.Refused, "moved"))
		return
	}
	if w.past[d.Step] || chance(w.t, 5, "skipped") {
		w.say("skipped %s", d.Step)
		w.history = append(w.history, schedule.Past{Step: d.Step, What: schedule.WasSkipped})
		w.truth.ended2(d.Step, schedule.Skipped)
		w.must(w.s.Ended(d.Step, schedule.Skipped, "already so"))
		return
	}
	if d.Kind == schedule.Look {
		w.say("ready %s", d.Step)
		w.must(w.s.Ready(d.Step, w.now))
		return
	}
	if w.lapses > 0 && !d.Begins && !d.Ends {
		for _, b := range w.truth.plan.Brackets {
			if len(b.Begin) > 0 && len(b.End) > 0 && slices.Contains(b.Guarded, d.Step) && chance(w.t, 20, "lapses") {
				w.lapses--
				again, err := w.s.GuardLost(d.Step, b.Begin[0])
				w.must(err)
				w.say("lapsed %s of %s: %v", b.Begin[0], d.Step, again)
				w.truth.proved[b.Begin[0]] = false
				if !again {
					w.truth.ended2(d.Step, schedule.Refused)
					w.must(w.s.Ended(d.Step, schedule.Refused, "undone again"))
				}
				return
			}
		}
	}
	may, err := w.s.Started(d.Step)
	w.must(err)
	w.say("started %s: %v", d.Step, may)
	if may {
		w.truth.started(d.Step)
		w.history = append(w.history, schedule.Past{Step: d.Step, What: schedule.WasStarted})
		w.going = append(w.going, d.Step)
	}
}

// anyPlan draws a plan whose series wait for earlier series alone, and each node's steps stand together.
func anyPlan(t *rapid.T) schedule.Plan {
	nodes := []string{"", "n1", "n2", "n3", "n4", "n5"}
	lanes := []providers.Lane{
		{Name: "fleet", Width: rapid.IntRange(1, 3).Draw(t, "width"), Failures: rapid.SampledFrom([]int{0, 1, providers.NeverCloses}).Draw(t, "failures"), Selection: nodes[1:]},
		{Name: "strict", Width: 1, Strict: true},
		{Name: "model", Width: 1, Failures: providers.NeverCloses, Selection: []string{"n1", "n2"}},
	}
	someLanes := func() (out []providers.Lane) {
		for _, l := range lanes {
			if chance(t, 35, "lane") {
				out = append(out, l)
			}
		}
		return out
	}
	var plan schedule.Plan
	guards := rapid.IntRange(0, 3).Draw(t, "guards")
	var guarded [3][]string
	for k := range rapid.IntRange(1, 7).Draw(t, "series") {
		address := providers.Address{Type: "sim", Name: fmt.Sprintf("s%d", k), Node: rapid.SampledFrom(nodes).Draw(t, "node")}
		in := someLanes()
		earlier := len(plan.Steps)
		for j := range rapid.IntRange(1, 4).Draw(t, "steps") {
			step := providers.Step{ID: fmt.Sprintf("%s/%d", address, j), Address: address, Node: address.Node, Lanes: in, Rest: chance(t, 25, "rest")}
			if j > 0 && chance(t, 80, "chained") {
				step.After = append(step.After, fmt.Sprintf("%s/%d", address, j-1))
			}
			if earlier > 0 && chance(t, 30, "after") {
				step.After = append(step.After, plan.Steps[rapid.IntRange(0, earlier-1).Draw(t, "before")].ID)
			}
			for g := range guards {
				if chance(t, 40, "guarded") {
					guarded[g] = append(guarded[g], step.ID)
				}
			}
			plan.Steps = append(plan.Steps, step)
		}
	}
	for g := range guards {
		if len(guarded[g]) == 0 {
			continue
		}
		b := providers.Bracket{Guard: fmt.Sprintf("g%d", g), Guarded: guarded[g]}
		node := rapid.SampledFrom(nodes).Draw(t, "guard's node")
		address := providers.Address{Type: "guard", Name: b.Guard, Node: node}
		withEnd := chance(t, 60, "end")
		begins := rapid.IntRange(0, 2).Draw(t, "begins")
		if !withEnd {
			begins = max(begins, 1)
		}
		at := slices.IndexFunc(plan.Steps, func(s providers.Step) bool { return s.ID == guarded[g][0] })
		var steps []providers.Step
		for j := range begins {
			step := providers.Step{ID: fmt.Sprintf("%s/begin%d", address, j), Address: address, Node: node}
			if !withEnd && chance(t, 50, "laned guard") {
				step.Lanes = lanes[:1]
			}
			if j > 0 {
				step.After = []string{steps[j-1].ID}
			}
			steps = append(steps, step)
			b.Begin = append(b.Begin, step.ID)
		}
		if !withEnd && chance(t, 30, "due") {
			b.Due = b.Begin
		}
		plan.Steps = slices.Insert(plan.Steps, at, steps...)
		if withEnd {
			for j := range rapid.IntRange(1, 2).Draw(t, "ends") {
				step := providers.Step{ID: fmt.Sprintf("%s/end%d", address, j), Address: address, Node: node, After: slices.Clone(guarded[g])}
				if j > 0 {
					step.After = append(step.After, b.End[j-1])
				}
				b.End = append(b.End, step.ID)
				plan.Steps = append(plan.Steps, step)
			}
		}
		for other := g + 1; other < guards; other++ { // its own steps may need other guards
			if len(guarded[other]) > 0 && chance(t, 30, "nested") {
				guarded[other] = append(slices.Concat(b.Begin, b.End), guarded[other]...)
				slices.SortFunc(guarded[other], func(x, y string) int {
					return slices.IndexFunc(plan.Steps, func(s providers.Step) bool { return s.ID == x }) -
						slices.IndexFunc(plan.Steps, func(s providers.Step) bool { return s.ID == y })
				})
			}
		}
		plan.Brackets = append(plan.Brackets, b)
	}
	return plan
}

func play(t *rapid.T, stops, troubles bool) *world {
	plan := anyPlan(t)
	s, err := schedule.New(plan, nil)
	if err != nil {
		t.Fatalf("%v\n%+v", err, plan)
	}
	w := &world{t: t, s: s, truth: watch(plan), now: clock, patience: map[string]int{}}
	w.others()
	for _, step := range plan.Steps {
		w.patience[step.ID] = rapid.SampledFrom([]int{0, 0, 0, 1, 3, 1000}).Draw(t, "patience")
	}
	if troubles {
		w.lapses = 3
	}
	w.run(stops, troubles)
	return w
}

// Whatever happens: no width is exceeded, no node has two steps under way, nothing guarded runs outside of its
// brackets, all that began is ended, and every step ends with a reason.
func TestAnythingGoesByTheRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := play(t, true, true)
		story := func() string { return strings.Join(w.trace, "\n") }
		if len(w.truth.trouble) > 0 {
			t.Fatalf("%s\n%s", strings.Join(w.truth.trouble, "\n"), story())
		}
		for n, b := range w.truth.plan.Brackets {
			if w.truth.begun[n] && w.truth.stopped < schedule.Now {
				t.Fatalf("guard %q began and was not ended\n%s\n%+v", b.Guard, story(), w.s.States())
			}
		}
		cause := false
		for _, state := range w.s.States() {
			if state.Outcome == "" || state.Why == "" && state.Outcome != schedule.Done {
				t.Fatalf("%+v has no reason\n%s", state, story())
			}
			if state.Outcome == schedule.Pending && w.truth.stopped == 0 {
				t.Fatalf("%+v, and nobody stopped it\n%s", state, story())
			}
			cause = cause || state.Phase == schedule.Parked
		}
		if w.s.OnlyWaits() && !cause && len(w.truth.taken) == 0 && len(w.truth.failed) == 0 && !slices.ContainsFunc(w.s.States(), func(s schedule.State) bool { return s.Outcome == schedule.Refused || s.Outcome == schedule.Blocked }) {
			t.Fatalf("stuck\n%s\n%+v", story(), w.s.States())
		}
	})
}

// A run that was cut off at any moment goes on in the next one: all is done, and what was left begun is ended.
func TestACutRunGoesOn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := play(t, true, true)
		plan := first.truth.plan
		s, err := schedule.New(plan, first.history)
		if err != nil {
			t.Fatal(err)
		}
		w := &world{t: t, s: s, truth: watch(plan), now: clock, patience: map[string]int{}, past: map[string]bool{}}
		for id := range first.truth.good {
			w.past[id] = first.truth.good[id] && !first.truth.again(id)
		}
		for n := range plan.Brackets {
			// An end that did not succeed is tried again.
			w.truth.begun[n] = first.truth.begun[n]
			for id := range first.truth.ended[n] {
				w.truth.begun[n] = w.truth.begun[n] || !first.truth.good[id]
			}
		}
		for series, touched := range first.truth.touched {
			w.truth.touched[series] = touched && series.Type != "own"
		}
		w.run(false, false)
		story := strings.Join(first.trace, "\n") + "\n--\n" + strings.Join(w.trace, "\n")
		if len(w.truth.trouble) > 0 {
			t.Fatalf("%s\n%s", strings.Join(w.truth.trouble, "\n"), story)
		}
		for _, state := range s.States() {
			if !state.Outcome.Succeeded() {
				t.Fatalf("%+v\n%s\n%+v", state, story, s.States())
			}
		}
		for n, b := range plan.Brackets {
			if w.truth.begun[n] {
				t.Fatalf("guard %q began and was not ended\n%s", b.Guard, story)
			}
		}
	})
}

// Where nothing goes wrong and nothing waits for ever, everything is done.
func TestAllIsDone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan := anyPlan(t)
		s, err := schedule.New(plan, nil)
		if err != nil {
			t.Fatal(err)
		}
		w := &world{t: t, s: s, truth: watch(plan), now: clock, patience: map[string]int{}, lapses: 1}
		w.run(false, false)
		if len(w.truth.trouble) > 0 {
			t.Fatalf("%s\n%s", strings.Join(w.truth.trouble, "\n"), strings.Join(w.trace, "\n"))
		}
		for _, state := range s.States() {
			if state.Outcome != schedule.Done && state.Outcome != schedule.Skipped {
				t.Fatalf("%+v\n%s\n%+v", state, strings.Join(w.trace, "\n"), s.States())
			}
		}
		for n, b := range plan.Brackets {
			if w.truth.begun[n] {
				t.Fatalf("guard %q began and was not ended\n%s", b.Guard, strings.Join(w.trace, "\n"))
			}
		}
	})
}
