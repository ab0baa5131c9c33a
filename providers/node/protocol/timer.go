package protocol

import "time"

// TimerRequest asks a control plane to restore, at a time, what somebody has scaled to 0 and marked, unless the mark is
// gone by then: the provider of a run that died starts again without any run. With Off, the timer is taken back.
type TimerRequest struct {
	Run  Run    `json:"run"`
	Step string `json:"step"`
	// Namespace and Name are of a StatefulSet. A node has one timer for each.
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Mark is the annotation that says that it was stopped, and Value what it says. With another value nothing is done.
	Mark  string `json:"mark,omitempty"`
	Value string `json:"value,omitempty"`
	// Forget are more annotations that belong to the mark. They are removed with it.
	Forget   []string  `json:"forget,omitempty"`
	Replicas int       `json:"replicas,omitempty"`
	At       time.Time `json:"at,omitzero"`
	Off      bool      `json:"off,omitempty"`
}

// InRun and BelongsTo implement Changing.
func (r TimerRequest) InRun(run Run) any { r.Run = run.at(r.Step); return r }
func (r TimerRequest) BelongsTo() Run    { return r.Run }

// TimerResult says what the node has now.
type TimerResult struct {
	// Unit is the timer's name in systemd; empty where there is none any more.
	Unit string `json:"unit,omitempty"`

	Performed Performed `json:"performed,omitzero"`
}
