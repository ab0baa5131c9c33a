package facts

import "time"

// Unit is a unit of systemd, as `systemctl show` has it.
type Unit struct {
	Name string `json:"name"` // "nvidia-fabricmanager.service"
	// Unknown: systemd could not be asked; why.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// Load is "loaded", "not-found", "masked" or "error"; Active "active", "activating", "inactive" or "failed"; Sub
	// tells more ("running", "exited", "auto-restart").
	Load   string `json:"load,omitempty"`
	Active string `json:"active,omitempty"`
	Sub    string `json:"sub,omitempty"`
	// Enabled is UnitFileState: "enabled", "disabled", "static", "masked".
	Enabled string `json:"enabled,omitempty"`
	// Result is how it ended the last time: "success", "exit-code", "timeout"; Status is its exit status.
	Result string `json:"result,omitempty"`
	Status int    `json:"status,omitempty"`
	// Restarts counts how often systemd itself started it again since a person or the boot did.
	Restarts int `json:"restarts,omitempty"`
	// Since is when it became active, or when it stopped being active.
	Since time.Time `json:"since,omitzero"`
}

// Installed reports whether there is such a unit.
func (u Unit) Installed() bool { return u.Load == "loaded" || u.Load == "masked" }

// Running reports whether it is active and its process runs.
func (u Unit) Running() bool { return u.Active == "active" && u.Sub == "running" }
