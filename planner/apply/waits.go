package apply

import (
	"time"

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
