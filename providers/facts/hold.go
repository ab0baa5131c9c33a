package facts

import "time"

// Hold says that people work on the cluster by other means, such as an upgrade of Kubernetes. While it stands, upkeep
// changes nothing. It is a record and no lock: it outlives every process, and a person ends it.
type Hold struct {
	Reason string    `json:"reason"`
	Who    string    `json:"who"` // user@host
	At     time.Time `json:"at"`
	// Until is when the work should be done: drift is reported again from then on. The hold stands all the same.
	Until time.Time `json:"until"`
	// Unproved is why no backup was taken and proved first; empty: one was.
	Unproved string `json:"unproved,omitempty"`
	// Stopped are the providers that are stopped while it stands.
	Stopped []StoppedProvider `json:"stopped,omitempty"`
	// Before is what stood when it began: things of the cluster and how they were.
	Before map[string]string `json:"before,omitempty"`
}

// StoppedProvider is a provider that upkeep keeps stopped for a piece of work.
type StoppedProvider struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"` // of its StatefulSet
	// Replicas is how many there were before, and By the value of the mark that says who stopped it.
	Replicas int    `json:"replicas"`
	By       string `json:"by,omitempty"`
	// Until is when timers on Nodes start it again by themselves.
	Until time.Time `json:"until,omitzero"`
	Nodes []string  `json:"nodes,omitempty"`
}
