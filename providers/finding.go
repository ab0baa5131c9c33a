package providers

// Severity orders findings.
type Severity string

const (
	SeverityError   Severity = "error"   // broken now, or unknown
	SeverityWarning Severity = "warning" // will break
	SeverityNote    Severity = "note"    // worth knowing; no drift
)

// Finding is one thing that does not hold. Findings with the same ID and Address on several nodes fold into one line.
type Finding struct {
	// ID is a stable word with a catalogue page: "CERT_EXPIRES_SOON".
	ID       string   `json:"id"`
	Severity Severity `json:"severity"`
	Address  Address  `json:"address"` // with Node where it is about one node
	// Object is what on the node: "apiserver", "/root/.kube/config".
	Object  string `json:"object,omitempty"`
	Summary string `json:"summary"` // "12d left, renew_before = \"30d\""
	// Hint is what to do where upkeep will not do it itself.
	Hint string `json:"hint,omitempty"`
	// Unknown: this is about something that could not be observed.
	Unknown bool `json:"unknown,omitempty"`
	// Waits: this is work that is due and not in the plan, since something else must be mended first. A run that has done all
	// its steps is then one that was applied in part.
	Waits    bool   `json:"waits,omitempty"`
	Position string `json:"position,omitempty"` // file:line
	// Cause names what is wrong in the world, whoever reports it ("etcd/8e9e05c52164694d/silent"): of the findings with one
	// cause a plan shows one, of the most specific id. Empty: it is nobody else's to report.
	Cause string `json:"-"`
}

// FindingDoc documents one finding id for the catalogue.
type FindingDoc struct {
	ID string
	// Title is one line; Meaning says what was seen and why it matters; Remedy what upkeep does, or what to do by hand.
	Title, Meaning, Remedy string
	// General: the id is a word for many things, and yields to any other that is reported of the same cause.
	General bool
}
