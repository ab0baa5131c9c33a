package providers

import (
	"fmt"
	"time"
)

// Readiness is the answer of Effect.Ready.
type Readiness struct {
	State ReadyState `json:"state"`
	Why   string     `json:"why,omitempty"`
	// Final, with Unknown: looking again in some seconds will not tell either, so that the step is refused at once.
	Final bool `json:"final,omitempty"`
	// With Waits: what it waits for in words ("2 leases on gpu7: akash1…/1/1/1"), since when (zero: since now), and when
	// to look again at the earliest (zero: at the executor's own pace). AtMost is how long it may wait, by what earlier
	// runs saw, before it is refused; zero: for ever.
	For    string        `json:"for,omitempty"`
	Since  time.Time     `json:"since,omitzero"`
	Again  time.Time     `json:"again,omitzero"`
	AtMost time.Duration `json:"at_most,omitempty"`
}

// ReadyState is what a step's ground looks like just before it runs.
type ReadyState string

const (
	Holds   ReadyState = "holds"   // as planned: run it
	Done    ReadyState = "done"    // what it would do is already so: record and skip
	Moved   ReadyState = "moved"   // the world is not what the plan was made for: refuse
	Waits   ReadyState = "waits"   // as planned except for something that passes by itself: do not start its node, look again later
	Unknown ReadyState = "unknown" // cannot be told: refuse
)

// Because returns the readiness of that state, with its reason.
func (s ReadyState) Because(format string, args ...any) Readiness {
	return Readiness{State: s, Why: fmt.Sprintf(format, args...)}
}

// Unreadable is the readiness of a step whose arguments or ground cannot be used: no second look will tell more.
func Unreadable(err error) Readiness {
	return Readiness{State: Unknown, Why: err.Error() + "; plan again", Final: true}
}
