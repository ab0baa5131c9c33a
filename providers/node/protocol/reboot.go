package protocol

// RebootRequest asks a node to reboot itself. The unit that does so ends with the boot, and its record says afterwards
// that this was expected (Performed.Rebooted).
type RebootRequest struct {
	Run  Run    `json:"run"`
	Step string `json:"step"`
	// BootID is the boot that must end; in another one the helper does nothing and says so.
	BootID string `json:"boot_id"`
}

// InRun and BelongsTo implement Changing.
func (r RebootRequest) InRun(run Run) any { r.Run = run.at(r.Step); return r }
func (r RebootRequest) BelongsTo() Run    { return r.Run }

// RebootResult says how it was done. A node that went down answers only after the boot.
type RebootResult struct {
	Performed Performed `json:"performed,omitzero"`
}
