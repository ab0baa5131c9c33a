package apply

import (
	"fmt"
	"time"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/state/seen"
)

// since is when a step began to wait for something other than a window: what its domain says, else what an earlier run
// saw; zero: now.
func (r *run) since(step providers.Step, told time.Time) time.Time {
	if before, known := r.Waited[step.ID]; known && told.IsZero() && before.Window == "" {
		return before.First
	}
	return told
}

// late says that a step has waited for longer than it may; empty: it has not.
func (r *run) late(since time.Time, most time.Duration) string {
	if most <= 0 || since.IsZero() || r.now().Sub(since) <= most {
		return ""
	}
	return fmt.Sprintf("the step has waited since %s, and may wait for %s", since.UTC().Format("2006-01-02 15:04 MST"),
		config.Duration(most))
}

// StillWaiting returns the steps that a run came to, and those among them that wait for something outside the plan. Of
// a step that was not started, since the run was stopped, nothing new is known.
func StillWaiting(result Result) (looked []string, waits map[string]seen.Wait) {
	waits = map[string]seen.Wait{}
	for _, s := range result.Steps {
		if s.Outcome == Pending {
			continue
		}
		looked = append(looked, s.Step)
		if s.Outcome == Waiting && s.For != "" {
			waits[s.Step] = seen.Wait{For: s.For, Window: s.Window, Sighting: seen.Sighting{First: s.Since}}
		}
	}
	return looked, waits
}
