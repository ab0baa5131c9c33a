package facts

import "time"

// Service is one service of systemd that a layout names: the one that renews its certificates, or etcd.
type Service struct {
	Name string `json:"name"` // "etcd.service"
	// Unknown: systemd could not be asked; why.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// Invocation is the id that systemd gave this start of the service; empty while it is not active. Started is when.
	Invocation string    `json:"invocation,omitempty"`
	Started    time.Time `json:"started,omitzero"`
}

// Service returns a service of a node by name; nil where nobody asked for it, or the layout has none.
func (n *Node) Service(name string) *Service {
	for i := range n.Services {
		if n.Services[i].Name == name {
			return &n.Services[i]
		}
	}
	return nil
}

// ForeignRenewal is a program that renews certificates without upkeep: kubespray's script with its timer.
type ForeignRenewal struct {
	// Script is its path, SHA256 that of its text; Revision says which of the published ones it is, in words.
	Script   string `json:"script"`
	SHA256   string `json:"sha256"`
	Revision string `json:"revision"`
	// Timer is the unit that starts it, Schedule its OnCalendar. Enabled: the timer starts when the node does.
	Timer    string `json:"timer,omitempty"`
	Schedule string `json:"schedule,omitempty"`
	Enabled  bool   `json:"enabled,omitempty"`
}
