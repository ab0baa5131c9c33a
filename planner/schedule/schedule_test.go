package schedule_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/planner/schedule"
	"upkeep/providers"
)

// steps reads "ID [after ID,ID] [lane NAME] [strict] [rest] [repairs] [window NAME] [min N] [turn N]". An id is
// NODE/SERIES.VERB.
func steps(lanes map[string]providers.Lane, lines ...string) (out []providers.Step) {
	for _, line := range lines {
		words := strings.Fields(line)
		step := providers.Step{ID: words[0]}
		node, rest, _ := strings.Cut(words[0], "/")
		series, _, _ := strings.Cut(rest, ".")
		if node == "-" {
			node = ""
		}
		step.Node, step.Address = node, providers.Address{Type: "sim", Name: series, Node: node}
		for k := 1; k < len(words); k++ {
			switch words[k] {
			case "rest":
				step.Rest = true
			case "repairs":
				step.Repairs = true
			case "after":
				k++
				step.After = strings.Split(words[k], ",")
			case "lane":
				k++
				step.Lanes = append(step.Lanes, lanes[words[k]])
			case "window":
				k++
				step.Window, step.Disruption = words[k], "all of it"
			case "min":
				k++
				fmt.Sscan(words[k], &step.Estimate)
				step.Estimate *= 60
			case "worst":
				k++
				fmt.Sscan(words[k], &step.Worst)
				step.Worst *= 60
			case "turn":
				k++
				fmt.Sscan(words[k], &step.Turn)
			}
		}
		out = append(out, step)
	}
	return out
}

// tell plays a script and writes down what the schedule answers. "next" asks for decisions; "end" says how all steps
// stand.
func tell(t *testing.T, plan schedule.Plan, history schedule.History, script string) (out []string) {
	t.Helper()
	s, err := schedule.New(plan, history)
	if err != nil {
		t.Fatal(err)
	}
	now := clock
	for _, line := range strings.Split(strings.TrimSpace(script), "\n") {
		words := strings.Fields(line)
		fail := func(err error) {
			if err != nil {
				t.Fatalf("%s: %v\n%s", line, err, strings.Join(out, "\n"))
			}
		}
		for _, id := range words[1:] {
			switch words[0] {
			case "ready":
				fail(s.Ready(id, now))
			case "start", "done", "fail":
				may, err := s.Started(id)
				fail(err)
				if !may {
					out = append(out, "no start of "+id)
				} else if words[0] == "done" {
					fail(s.Ended(id, schedule.Done, ""))
				} else if words[0] == "fail" {
					fail(s.Ended(id, schedule.Failed, "exit status 1"))
				}
			case "closed":
				closed, err := s.Closed(id, now)
				fail(err)
				out = append(out, fmt.Sprintf("closed for %s: %t", id, closed))
			case "ended":
				fail(s.Ended(id, schedule.Done, ""))
			case "skip":
				fail(s.Ended(id, schedule.Skipped, "already so"))
			case "refuse":
				fail(s.Ended(id, schedule.Refused, "moved"))
			case "wait":
				fail(s.Waits(id, schedule.Wait{For: "tenants"}, now))
			case "release":
				fail(s.Release(id))
			}
		}
		switch words[0] {
		case "next":
			var said []string
			for _, d := range s.Next(now, 0) {
				text := fmt.Sprintf("%s %s", d.Kind, d.Step)
				if d.Round > 1 {
					text += fmt.Sprintf(" (round %d)", d.Round)
				}
				if d.Again {
					text += " (again)"
				}
				if d.Overrun > 0 {
					text += fmt.Sprintf(" (%s over)", d.Overrun)
				}
				said = append(said, text)
			}
			if len(said) == 0 {
				said = append(said, "nothing")
				if s.Over() {
					said[0] = "over"
				}
				if s.OnlyWaits() {
					said[0] = "only waits"
				}
			}
			out = append(out, strings.Join(said, ", "))
		case "stop":
			var level int
			fmt.Sscan(words[1], &level)
			s.Stop(schedule.Level(level))
		case "taken":
			var taken []schedule.Taken
			for _, node := range words[1:] {
				taken = append(taken, schedule.Taken{Node: node, Why: "NotReady"})
			}
			s.Taken(taken)
		case "lapse":
			again, err := s.GuardLost(words[1], words[2])
			fail(err)
			out = append(out, fmt.Sprintf("again %v", again))
		case "after":
			d, err := time.ParseDuration(words[1])
			fail(err)
			now = now.Add(d)
		case "end":
			for _, state := range s.States() {
				text := fmt.Sprintf("%s %s", state.Step, state.Outcome)
				if state.Why != "" {
					text += ": " + state.Why
				}
				out = append(out, text)
			}
		}
	}
	return out
}

var testLanes = map[string]providers.Lane{
	"cp":    {Name: "control-plane", Width: 1, Strict: true, Selection: []string{"a", "b", "c"}},
	"two":   {Name: "two", Width: 2, Failures: providers.NeverCloses, Selection: []string{"a", "b", "c", "d"}},
	"one":   {Name: "one", Width: 1, Failures: 0, Selection: []string{"a", "b", "c", "d"}},
	"fails": {Name: "fails", Width: 3, Failures: 1},
}

func bracket(begin, guarded, end string) providers.Bracket {
	return providers.Bracket{Guard: "leases", Of: providers.Address{Type: "sim", Name: "provider"}, Begin: strings.Fields(begin), Guarded: strings.Fields(guarded), End: strings.Fields(end)}
}

func opening(from, until time.Duration) schedule.Opening {
	return schedule.Opening{From: clock.Add(from), Until: clock.Add(until)}
}

func TestRules(t *testing.T) {
	pair := steps(testLanes, "a/x.1 lane one", "a/x.2 after a/x.1 lane one", "b/x.1 lane one", "b/x.2 after b/x.1 lane one")
	resting := steps(testLanes, "a/x.1 lane one rest", "a/x.2 after a/x.1 lane one", "b/x.1 lane one")
	control := steps(testLanes, "a/x.1 lane cp", "a/x.2 after a/x.1 lane cp", "b/x.1 lane cp", "c/x.1 lane cp")
	begins := steps(nil, "-/p.stop", "a/x.1", "b/x.1", "-/p.start")
	around := []providers.Bracket{bracket("-/p.stop", "a/x.1 b/x.1", "-/p.start")}
	for name, test := range map[string]struct {
		steps    []providers.Step
		brackets []providers.Bracket
		lifted   []schedule.Lifted
		openings map[string][]schedule.Opening
		whole    map[string]time.Duration
		history  schedule.History
		script   string
		want     []string
	}{
		"what comes first": {
			steps: steps(nil, "-/x.1", "-/x.2 after -/x.1", "-/x.3 after -/x.2", "-/y.1"),
			script: `next
				fail -/x.1
				done -/y.1
				next
				end`,
			want: []string{
				"start -/x.1, start -/y.1", "over", "-/x.1 failed: exit status 1", "-/x.2 blocked: step -/x.1 must come first, and failed",
				"-/x.3 blocked: step -/x.2 must come first, and was blocked", "-/y.1 done",
			},
		},
		"a node stays in its lane to the end of its series": {
			steps: pair,
			script: `next
				done a/x.1
				next
				done a/x.2
				next
				end`,
			want: []string{
				"start a/x.1", "start a/x.2", "start b/x.1", "a/x.1 done", "a/x.2 done", "b/x.1 waiting", "b/x.2 waiting: step b/x.1 must come first",
			},
		},
		"one changing step on a node": {
			steps: steps(nil, "a/x.1", "a/y.1", "b/y.1"),
			script: `next
				start a/x.1
				next
				end
				ended a/x.1
				next`,
			want: []string{
				"start a/x.1, start b/y.1", "nothing", "a/x.1 waiting", "a/y.1 waiting: step a/x.1 is in progress on a", "b/y.1 waiting", "start a/y.1",
			},
		},
		"nodes that are not ready take room, but not their own": {
			steps: steps(testLanes, "a/x.1 lane two", "b/x.1 lane two", "c/x.1 lane two"),
			script: `taken b d
				next
				done b/x.1
				next
				end
				taken d
				next
				done a/x.1
				next`,
			want: []string{
				"start b/x.1", "only waits", `a/x.1 waiting: no room in lane "two" (2 wide): b (NotReady), d (NotReady)`, "b/x.1 done",
				`c/x.1 waiting: no room in lane "two" (2 wide): b (NotReady), d (NotReady)`, "start a/x.1", "start c/x.1",
			},
		},
		"who is about to begin goes back in line where others are seen to have taken the room": {
			steps: steps(testLanes, "a/x.1 lane two", "b/x.1 lane two", "c/x.1 lane two"),
			script: `next
				taken d
				start a/x.1
				start b/x.1
				next
				end
				taken c d
				ended b/x.1
				next
				done c/x.1
				taken
				next`,
			want: []string{
				"start a/x.1, start b/x.1", "no start of a/x.1", "nothing", `a/x.1 waiting: no room in lane "two" (2 wide): b (in progress), d (NotReady)`,
				"b/x.1 waiting", `c/x.1 waiting: no room in lane "two" (2 wide): b (in progress), d (NotReady)`, "start c/x.1", "start a/x.1",
			},
		},
		"repairs take no room from one another, and go one at a time": {
			steps: steps(testLanes, "a/x.1 lane one", "b/r.1 lane one repairs", "c/r.1 lane one repairs"),
			script: `taken b c
				next
				done b/r.1
				next
				done c/r.1
				taken
				next`,
			want: []string{"start b/r.1", "start c/r.1", "start a/x.1"},
		},
		"a node that an earlier run left keeps its place": {
			steps: pair, history: schedule.History{{"b/x.1", schedule.WasStarted}, {"b/x.1", schedule.WasDone}},
			script: `next
				end
				skip b/x.1
				next
				done b/x.2
				next`,
			want: []string{
				"look b/x.1", `a/x.1 waiting: no room in lane "one" (1 wide): b (left in progress by an earlier run)`, "a/x.2 waiting: step a/x.1 must come first",
				"b/x.1 waiting", "b/x.2 waiting: step b/x.1 must come first", "start b/x.2", "start a/x.1",
			},
		},
		"a node that an earlier run left at a rest has no place": {
			steps: resting, history: schedule.History{{"a/x.1", schedule.WasStarted}, {"a/x.1", schedule.WasDone}},
			script: `next
				wait a/x.1
				next`,
			want: []string{"start b/x.1, look a/x.1", "nothing"},
		},
		"what an earlier run did needs no room to be seen": {
			steps:   steps(testLanes, "a/x.1 lane one", "b/x.1 lane one after a/x.1", "b/x.2 lane one after b/x.1"),
			history: schedule.History{{"a/x.1", schedule.WasStarted}, {"a/x.1", schedule.WasDone}, {"b/x.1", schedule.WasStarted}},
			script: `next
				skip a/x.1
				next
				done b/x.1
				next`,
			want: []string{"look a/x.1", "start b/x.1", "start b/x.2"},
		},
		"a control plane that is not done closes the lane": {
			steps: control,
			script: `next
				refuse a/x.1
				next
				end`,
			want: []string{
				"start a/x.1", "over", "a/x.1 refused: moved", "a/x.2 blocked: step a/x.1 must come first, and was refused",
				`b/x.1 blocked: lane "control-plane" is closed: step a/x.1 was refused`, `c/x.1 blocked: lane "control-plane" is closed: step a/x.1 was refused`,
			},
		},
		"control planes keep their order while the first one waits": {
			steps: control,
			script: `next
				wait a/x.1
				next
				end`,
			want: []string{
				"start a/x.1", "only waits", "a/x.1 waiting: waits for tenants", "a/x.2 waiting: step a/x.1 must come first",
				`b/x.1 waiting: a goes first in lane "control-plane"`, `c/x.1 waiting: a goes first in lane "control-plane"`,
			},
		},
		"order is lifted for one node": {
			steps: control, lifted: []schedule.Lifted{{Rule: schedule.RuleOrder, Node: "c"}},
			script: `next
				wait a/x.1
				next
				done c/x.1
				next`,
			want: []string{"start a/x.1", "start c/x.1", "only waits"},
		},
		"order is lifted": {
			steps: control, lifted: []schedule.Lifted{{Rule: schedule.RuleOrder}},
			script: `next
				fail a/x.1
				next`,
			want: []string{"start a/x.1", "only waits"}, // a keeps its place: the lane is still 1 wide
		},
		"max_unavailable is lifted": {
			steps: pair, lifted: []schedule.Lifted{{Rule: schedule.RuleUnavailable}},
			script: `next`,
			want:   []string{"start a/x.1, start b/x.1"},
		},
		"turns decide who enters a lane": {
			steps:  steps(testLanes, "a/x.1 lane one turn 1", "b/x.1 lane one"),
			script: `next`, want: []string{"start b/x.1"},
		},
		"a fleet's lane counts nodes that failed after their first change": {
			steps: steps(testLanes, "a/x.1 lane fails", "b/x.1 lane fails", "c/x.1 lane fails rest", "c/x.2 lane fails after c/x.1", "d/x.1 lane fails", "e/x.1 lane fails"),
			script: `next
				refuse a/x.1
				fail b/x.1
				start c/x.1
				next
				fail d/x.1
				ended c/x.1
				next
				end`,
			want: []string{
				"start a/x.1, start b/x.1, start c/x.1", "start d/x.1", "over",
				"a/x.1 refused: moved", "b/x.1 failed: exit status 1", "c/x.1 done", `c/x.2 blocked: lane "fails" is closed: step d/x.1 failed`,
				"d/x.1 failed: exit status 1", `e/x.1 blocked: lane "fails" is closed: step d/x.1 failed`,
			},
		},
		"a waiting node has no place, and is looked at beside other work": {
			steps: pair,
			script: `next
				wait a/x.1
				next
				start b/x.1
				after 30s
				next
				after 31s
				next
				ready a/x.1
				next
				ended b/x.1
				next
				done b/x.2
				next`,
			want: []string{"start a/x.1", "start b/x.1", "nothing", "look a/x.1", "nothing", "start b/x.2", "start a/x.1"},
		},
		"those of one resource are looked at together": {
			steps: steps(nil, "a/x.1", "b/x.1", "c/x.1", "-/y.1"),
			script: `next
				start -/y.1
				wait a/x.1
				after 20s
				wait b/x.1
				after 20s
				wait c/x.1
				after 30s
				next
				after 31s
				next`,
			want: []string{"start a/x.1, start b/x.1, start c/x.1, start -/y.1", "nothing", "look a/x.1, look b/x.1, look c/x.1"},
		},
		"a bracket begins once something is ready, and ends when nothing is": {
			steps: begins, brackets: around,
			script: `next
				wait a/x.1
				ready b/x.1
				next
				done -/p.stop
				next
				start b/x.1
				after 61s
				next
				wait a/x.1
				ended b/x.1
				next
				start -/p.start
				after 61s
				next
				ready a/x.1
				next
				ended -/p.start
				next
				done -/p.stop
				next
				done a/x.1
				next
				done -/p.start
				next
				end`,
			want: []string{
				"look a/x.1, look b/x.1", "start -/p.stop", "start b/x.1", "look a/x.1", "start -/p.start", "look a/x.1", "nothing",
				"start -/p.stop (round 2)", "start a/x.1", "start -/p.start (round 2)", "over", "-/p.stop done", "a/x.1 done", "b/x.1 done", "-/p.start done",
			},
		},
		"a bracket for nothing does not begin": {
			steps: begins, brackets: around,
			script: `next
				refuse a/x.1
				skip b/x.1
				next
				end`,
			want: []string{
				"look a/x.1, look b/x.1", "over", `-/p.stop blocked: nothing is left to run for the guard "leases"`, "a/x.1 refused: moved",
				"b/x.1 skipped: already so", `-/p.start blocked: nothing is left to run for the guard "leases"`,
			},
		},
		"a bracket whose work is done already is skipped": {
			steps: begins, brackets: around,
			script: `next
				skip a/x.1 b/x.1
				next
				end`,
			want: []string{
				"look a/x.1, look b/x.1", "over", `-/p.stop skipped: nothing that the guard "leases" is for had to run`, "a/x.1 skipped: already so",
				"b/x.1 skipped: already so", `-/p.start skipped: nothing that the guard "leases" is for had to run`,
			},
		},
		"a beginning that failed may have taken effect": {
			steps: begins, brackets: around,
			script: `next
				ready a/x.1 b/x.1
				next
				fail -/p.stop
				next
				done -/p.start
				next
				end`,
			want: []string{
				"look a/x.1, look b/x.1", "start -/p.stop", "start -/p.start", "over", "-/p.stop failed: exit status 1",
				`a/x.1 blocked: step -/p.stop begins the guard "leases" and failed`, `b/x.1 blocked: step -/p.stop begins the guard "leases" and failed`, "-/p.start done",
			},
		},
		"what an earlier run began is ended": {
			steps: begins, brackets: around, history: schedule.History{{"-/p.stop", schedule.WasStarted}},
			script: `next
				wait a/x.1 b/x.1
				next
				done -/p.start
				next`,
			want: []string{"look a/x.1, look b/x.1", "start -/p.start", "only waits"},
		},
		"a bracket that was undone begins again, once for each step": {
			steps: begins, brackets: around,
			script: `next
				ready a/x.1 b/x.1
				next
				done -/p.stop
				next
				start b/x.1
				lapse a/x.1 -/p.stop
				next
				done -/p.stop
				next
				lapse a/x.1 -/p.stop
				refuse a/x.1
				next
				ended b/x.1
				next`,
			want: []string{
				"look a/x.1, look b/x.1", "start -/p.stop", "start a/x.1, start b/x.1", "again true", "start -/p.stop (again)", "start a/x.1", "again false",
				"nothing", "start -/p.start",
			},
		},
		"a bracket within another": {
			steps:    steps(nil, "-/b.take", "-/p.stop", "a/x.1", "-/p.start"),
			brackets: []providers.Bracket{bracket("-/b.take", "-/p.stop -/p.start", ""), bracket("-/p.stop", "a/x.1", "-/p.start")},
			script: `next
				ready a/x.1
				next
				ready -/p.stop
				next
				done -/b.take
				next
				done -/p.stop
				next
				done a/x.1
				next`,
			want: []string{"look a/x.1", "look -/p.stop", "start -/b.take", "start -/p.stop", "start a/x.1", "start -/p.start"},
		},
		"a backup that is due is taken though nothing is left to guard": {
			steps:    steps(nil, "-/b.take", "a/x.1"),
			brackets: []providers.Bracket{{Guard: "backup", Begin: []string{"-/b.take"}, Due: []string{"-/b.take"}, Guarded: []string{"a/x.1"}}},
			script: `next
				refuse a/x.1
				done -/b.take
				next
				end`,
			want: []string{"start -/b.take, look a/x.1", "over", "-/b.take done", "a/x.1 refused: moved"},
		},
		"the first signal: on to the next rest, and brackets end": {
			steps: steps(nil, "-/p.stop", "a/x.1", "a/x.2 after a/x.1 rest", "a/x.3 after a/x.2", "b/x.1", "-/p.start"), brackets: []providers.Bracket{bracket("-/p.stop", "a/x.1 b/x.1", "-/p.start")},
			script: `next
				ready a/x.1
				next
				done -/p.stop
				next
				start a/x.1
				stop 1
				ready b/x.1
				ended a/x.1
				next
				done -/p.start a/x.2
				next
				end`,
			want: []string{
				"look a/x.1, look b/x.1", "start -/p.stop", "start a/x.1", "start -/p.start, start a/x.2", "over", "-/p.stop done", "a/x.1 done", "a/x.2 done",
				"a/x.3 pending: not started: the run was stopped", "b/x.1 pending: not started: the run was stopped", "-/p.start done",
			},
		},
		"the second signal: brackets end": {
			steps: begins, brackets: around,
			script: `next
				ready a/x.1
				next
				done -/p.stop
				next
				start a/x.1
				stop 2
				ready b/x.1
				ended a/x.1
				next`,
			want: []string{"look a/x.1, look b/x.1", "start -/p.stop", "start a/x.1", "start -/p.start"},
		},
		"the third signal: nothing starts": {
			steps: begins, brackets: around,
			script: `next
				ready a/x.1
				next
				done -/p.stop
				next
				stop 3
				start a/x.1
				refuse b/x.1
				next
				end`,
			want: []string{
				"look a/x.1, look b/x.1", "start -/p.stop", "start a/x.1", "no start of a/x.1", "over", "-/p.stop done", "a/x.1 pending: not started: the run was stopped",
				"b/x.1 refused: moved", "-/p.start pending: not started: the run was stopped",
			},
		},
		"a stretch begins where it fits into the window": {
			steps:    steps(testLanes, "a/x.1 lane one window w min 30", "a/x.2 after a/x.1 lane one window w min 30", "b/x.1 lane one window w min 90", "c/x.1 repairs window w min 90", "-/y.1"),
			openings: map[string][]schedule.Opening{"w": {opening(0, 70*time.Minute), opening(24*time.Hour, 26*time.Hour)}},
			script: `next
				done c/x.1 -/y.1
				start a/x.1
				after 80m
				ended a/x.1
				next
				done a/x.2
				next
				end
				after 23h
				next`,
			want: []string{
				"start a/x.1, start c/x.1, start -/y.1", "start a/x.2 (10m0s over)", "only waits", "a/x.1 done", "a/x.2 done",
				`b/x.1 waiting: waits for an opening of window "w" that has 1h30m0s left`, "c/x.1 done", "-/y.1 done", "start b/x.1",
			},
		},
		"a window that closed while a step was looked at is another one's": {
			steps:    steps(nil, "a/x.1 window w min 30", "b/x.1 window w min 5"),
			openings: map[string][]schedule.Opening{"w": {opening(0, time.Hour), opening(24*time.Hour, 26*time.Hour)}},
			script: `next
				closed b/x.1
				start b/x.1
				after 50m
				closed a/x.1
				ended b/x.1
				next
				after 24h
				next`,
			want: []string{
				"start a/x.1, start b/x.1", "closed for b/x.1: false", "closed for a/x.1: true", "only waits", "start a/x.1",
			},
		},
		"the worst run that is remembered must fit": {
			steps:    steps(nil, "a/x.1 window w min 30 worst 90", "b/x.1 window w min 30 worst 40"),
			openings: map[string][]schedule.Opening{"w": {opening(0, 70*time.Minute), opening(24*time.Hour, 26*time.Hour)}},
			script: `next
				done b/x.1
				after 24h
				next`,
			want: []string{"start b/x.1", "start a/x.1"},
		},
		"a plan that is one stretch goes on past the edge": {
			steps:    steps(testLanes, "a/x.1 lane one window w min 30", "b/x.1 lane one window w min 30"),
			openings: map[string][]schedule.Opening{"w": {opening(0, time.Hour), opening(24*time.Hour, 26*time.Hour)}},
			whole:    map[string]time.Duration{"w": time.Hour},
			script: `next
				start a/x.1
				after 80m
				ended a/x.1
				next
				done b/x.1
				next
				end`,
			want: []string{"start a/x.1", "start b/x.1 (20m0s over)", "over", "a/x.1 done", "b/x.1 done"},
		},
		"a plan that is one stretch begins only where all of it fits": {
			steps:    steps(testLanes, "a/x.1 lane one window w min 30", "b/x.1 lane one window w min 60"),
			openings: map[string][]schedule.Opening{"w": {opening(0, time.Hour), opening(24*time.Hour, 26*time.Hour)}},
			whole:    map[string]time.Duration{"w": 90 * time.Minute},
			script: `next
				end
				after 24h
				next`,
			want: []string{"only waits", `a/x.1 waiting: waits for an opening of window "w" that has 1h30m0s left`, `b/x.1 waiting: waits for an opening of window "w" that has 1h30m0s left`, "start a/x.1"},
		},
		"a rest parts two stretches": {
			steps:    steps(nil, "a/x.1 window w min 40 rest", "a/x.2 after a/x.1 window w min 40"),
			openings: map[string][]schedule.Opening{"w": {opening(0, time.Hour), opening(24*time.Hour, 25*time.Hour)}},
			script: `next
				start a/x.1
				after 40m
				ended a/x.1
				next
				after 23h25m
				next`,
			want: []string{"start a/x.1", "only waits", "start a/x.2"},
		},
		"nothing of a node starts before what its later steps wait for": {
			steps: steps(testLanes, "-/y.1", "a/x.1 lane one", "a/x.2 after a/x.1,-/y.1 lane one", "b/x.1 lane one"),
			script: `next
				done -/y.1 b/x.1
				next
				end`,
			want: []string{"start -/y.1, start b/x.1", "start a/x.1", "-/y.1 done", "a/x.1 waiting", "a/x.2 waiting: step a/x.1 must come first", "b/x.1 done"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			plan := schedule.Plan{Steps: test.steps, Brackets: test.brackets, Lifted: test.lifted, Openings: test.openings, Stretch: test.whole}
			if diff := cmp.Diff(test.want, tell(t, plan, test.history, test.script)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
