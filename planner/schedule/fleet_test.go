package schedule_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"upkeep/planner/schedule"
	"upkeep/providers"
)

// fleet is a plan of three steps on each of some nodes in one lane, with or without a bracket around all of them.
func fleet(nodes, width int, guarded bool) schedule.Plan {
	lane := providers.Lane{Name: "fleet", Width: width}
	for n := range nodes {
		lane.Selection = append(lane.Selection, fmt.Sprintf("n%d", n))
	}
	var plan schedule.Plan
	b := providers.Bracket{Guard: "leases", Begin: []string{"stop"}, End: []string{"start"}}
	for _, node := range lane.Selection {
		for k, verb := range []string{"drain", "upgrade", "reboot"} {
			step := providers.Step{ID: node + "/" + verb, Node: node, Lanes: []providers.Lane{lane}, Address: providers.Address{Type: "sim", Name: "driver", Node: node}}
			if k > 0 {
				step.After = []string{plan.Steps[len(plan.Steps)-1].ID}
			}
			b.Guarded = append(b.Guarded, step.ID)
			plan.Steps = append(plan.Steps, step)
		}
	}
	if guarded {
		plan.Steps = slices.Concat([]providers.Step{{ID: "stop"}}, plan.Steps, []providers.Step{{ID: "start"}})
		plan.Brackets = []providers.Bracket{b}
	}
	return plan
}

// pass takes time: each step as long as it says. It returns how long the run took.
func pass(t testing.TB, plan schedule.Plan, takes func(id string) time.Duration) time.Duration {
	t.Helper()
	s, err := schedule.New(plan, nil)
	if err != nil {
		t.Fatal(err)
	}
	type work struct {
		until time.Time
		id    string
	}
	var going []work
	now := clock
	for {
		for decisions := s.Next(now, 0); len(decisions) > 0; decisions = s.Next(now, 0) {
			for _, d := range decisions {
				if d.Kind == schedule.Look {
					if err := s.Ready(d.Step, now); err != nil {
						t.Fatal(err)
					}
					continue
				}
				if may, err := s.Started(d.Step); err != nil || !may {
					t.Fatal(d.Step, may, err)
				}
				at, _ := slices.BinarySearchFunc(going, now.Add(takes(d.Step)), func(w work, t time.Time) int { return w.until.Compare(t) })
				going = slices.Insert(going, at, work{now.Add(takes(d.Step)), d.Step})
			}
		}
		if len(going) == 0 {
			break
		}
		now = going[0].until
		if err := s.Ended(going[0].id, schedule.Done, ""); err != nil {
			t.Fatal(err)
		}
		going = going[1:]
	}
	for _, state := range s.States() {
		if state.Outcome != schedule.Done {
			t.Fatalf("%+v", state)
		}
	}
	return now.Sub(clock)
}

// 1,000 nodes, 50 at a time, each as long as it happens to take: nearly as fast as packing allows.
func TestAFleetIsPacked(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	for _, guarded := range []bool{false, true} {
		plan := fleet(1000, 50, guarded)
		takes := map[string]time.Duration{}
		var sum, longest time.Duration
		for i := 0; i < len(plan.Steps); i++ {
			d := time.Duration(60+dice.IntN(540)) * time.Second
			if plan.Steps[i].Node == "" {
				d = 0
			}
			takes[plan.Steps[i].ID] = d
			sum += d
			longest = max(longest, d)
		}
		ideal := max(sum/50, longest)
		if got := pass(t, plan, func(id string) time.Duration { return takes[id] }); got > ideal*11/10 {
			t.Errorf("guarded %v: it took %s, ideal is %s", guarded, got, ideal)
		}
	}
}

// The same events give the same decisions and the same states.
func TestSameEventsSameDecisions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan := anyPlan(t)
		seed := rapid.Uint64().Draw(t, "seed")
		run := func() (out []string) {
			dice := rand.New(rand.NewPCG(seed, 1))
			s, err := schedule.New(plan, nil)
			if err != nil {
				t.Fatal(err)
			}
			s.Taken([]schedule.Taken{{Node: "n1", Why: "NotReady"}, {Node: "n2", Why: "cordoned"}})
			now := clock
			for n := 0; n < 200; n++ {
				now = now.Add(20 * time.Second)
				decisions := s.Next(now, 0)
				if len(decisions) == 0 {
					break
				}
				for _, d := range decisions {
					out = append(out, fmt.Sprintf("%+v", d))
					if dice.IntN(4) == 0 && !d.Ends {
						if err := s.Waits(d.Step, schedule.Wait{For: "tenants"}, now); err != nil {
							t.Fatal(err)
						}
						continue
					}
					if d.Kind == schedule.Look {
						if err := s.Ready(d.Step, now); err != nil {
							t.Fatal(err)
						}
						continue
					}
					if may, _ := s.Started(d.Step); may {
						outcome := schedule.Done
						if dice.IntN(8) == 0 {
							outcome = schedule.Failed
						}
						if err := s.Ended(d.Step, outcome, ""); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			for _, state := range s.States() {
				out = append(out, fmt.Sprintf("%+v", state))
			}
			return out
		}
		if diff := cmp.Diff(run(), run()); diff != "" {
			t.Fatalf("(-first +second):\n%s", diff)
		}
	})
}

// Many guards around one step cost no more than they are: each that begins has the step considered once more, not twice as often
// as the one before it. (With 40 of them this ends, or it does not.)
func TestManyGuardsOfOneStep(t *testing.T) {
	plan := schedule.Plan{}
	guarded := providers.Step{ID: "n1/restart", Node: "n1", Address: providers.Address{Type: "sim", Name: "driver", Node: "n1"}}
	var begins, ends []providers.Step
	for i := range 40 {
		stop, start := fmt.Sprintf("p%d/stop", i), fmt.Sprintf("p%d/start", i)
		begins, ends = append(begins, providers.Step{ID: stop}), append(ends, providers.Step{ID: start})
		plan.Brackets = append(plan.Brackets, providers.Bracket{
			Guard: "leases", Of: providers.Address{Type: "sim", Name: fmt.Sprintf("p%d", i)}, Begin: []string{stop}, Guarded: []string{guarded.ID}, End: []string{start},
		})
	}
	plan.Steps = slices.Concat(begins, []providers.Step{guarded}, ends)
	if took := pass(t, plan, func(string) time.Duration { return time.Minute }); took != 3*time.Minute {
		t.Errorf("it took %s: the beginnings at once, the step, the ends at once", took)
	}
}

// BenchmarkGuardedSteps is the bookkeeping of a whole run, guarded and in a lane: the time of one step must not grow with
// their number.
func BenchmarkGuardedSteps(b *testing.B) {
	for _, steps := range []int{1000, 2000, 4000, 10000} {
		plan := fleet(steps/3, 50, true)
		b.Run(fmt.Sprint(steps), func(b *testing.B) {
			for b.Loop() {
				pass(b, plan, func(string) time.Duration { return time.Minute })
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(len(plan.Steps)), "µs/step")
		})
	}
}
