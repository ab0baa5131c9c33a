package schedule_test

import (
	"fmt"
	"time"

	"upkeep/planner/schedule"
	"upkeep/providers"
)

// A driver that does one thing at a time, and to whom every step is ready and succeeds. One that does many starts each
// decision in a task of its own and calls Next whenever one of them has reported.
func Example() {
	plan := schedule.Plan{
		Steps: []providers.Step{
			{ID: "provider/stop"},
			{ID: "driver@gpu1/upgrade", Node: "gpu1"},
			{ID: "driver@gpu2/upgrade", Node: "gpu2", After: []string{"driver@gpu1/upgrade"}},
			{ID: "provider/start"},
		},
		Brackets: []providers.Bracket{{
			Guard: "leases", Begin: []string{"provider/stop"},
			Guarded: []string{"driver@gpu1/upgrade", "driver@gpu2/upgrade"}, End: []string{"provider/start"},
		}},
	}
	s, err := schedule.New(plan, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC)
	for {
		decisions := s.Next(now, 1)
		if len(decisions) == 0 {
			break // nothing is under way, so that s.Over() holds
		}
		for _, d := range decisions {
			if d.Kind == schedule.Look { // observe, ask Effect.Ready
				fmt.Println("look ", d.Step)
				err = s.Ready(d.Step, now)
				continue
			}
			if start, _ := s.Started(d.Step); start { // observe, ask Effect.Ready and the guards first; record, act and prove after
				fmt.Println("start", d.Step)
				err = s.Ended(d.Step, schedule.Done, "")
			}
		}
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	for _, state := range s.States() {
		fmt.Println(state.Outcome, state.Step)
	}
	// Output:
	// look  driver@gpu1/upgrade
	// start provider/stop
	// start driver@gpu1/upgrade
	// start driver@gpu2/upgrade
	// start provider/start
	// done provider/stop
	// done driver@gpu1/upgrade
	// done driver@gpu2/upgrade
	// done provider/start
}
