package facts

import "time"

// Approval is a plan that a person has read, and that may be applied while nobody looks. The state keeps the plan
// itself, by its id.
type Approval struct {
	Plan   string `json:"plan"`   // the plan's id
	Digest string `json:"digest"` // of the plan
	// Steps are the digests of its steps by id, without those of guards: what was approved.
	Steps  map[string]string `json:"steps"`
	Who    string            `json:"who"` // user@host
	At     time.Time         `json:"at"`
	Reason string            `json:"reason,omitempty"`
	// Overrides are the safety rules that were approved to be lifted, as RULE[@NODE]=REASON: these and no others hold for
	// the runs of the plan.
	Overrides []string `json:"overrides,omitempty"`
	// BeginBy is until when the plan may be begun. Until is when the approval itself ends, as a person said it; zero:
	// nobody did.
	BeginBy time.Time `json:"begin_by"`
	Until   time.Time `json:"until,omitzero"`
	// Begun is when a run of the plan began; zero: none did.
	Begun time.Time `json:"begun,omitzero"`
}
