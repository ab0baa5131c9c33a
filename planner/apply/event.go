package apply

import (
	"time"

	"upkeep/providers"
)

// Event is something that happened in a run: one of the types below. Renderers switch on the type.
type Event interface{ event() }

// RunStarted is the first event of a run.
type RunStarted struct {
	At     time.Time
	Plan   string
	Digest string
	Steps  int
	// Resumed: this plan was started before. InProgress are the ids of steps that were then begun and have no end.
	Resumed    bool
	InProgress []string
}

// StepChecking says that a step's ground is looked at.
type StepChecking struct {
	At         time.Time
	Number, Of int // from 1
	Step       providers.Step
}

// StepStarted says that the step acts from now on.
type StepStarted struct {
	At         time.Time
	Number, Of int
	Step       providers.Step
}

// StepProgress is one line of a step that is in progress.
type StepProgress struct {
	At   time.Time
	Step providers.Step
	Line string
	// Seconds since the step started.
	Seconds float64
}

// StepEnded says how a step ended: done, skipped, refused, failed or blocked. It comes once for each step that the run
// came to, also for those that never started.
type StepEnded struct {
	At         time.Time
	Number, Of int
	Step       providers.Step
	Result     StepResult
}

// RunEnded is the last event of a run.
type RunEnded struct {
	At     time.Time
	Result Result
}

func (RunStarted) event()   {}
func (StepChecking) event() {}
func (StepStarted) event()  {}
func (StepProgress) event() {}
func (StepEnded) event()    {}
func (RunEnded) event()     {}
