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
	// ID is a stable word with a page in docs/findings: "CERT_EXPIRES_SOON".
	ID       string   `json:"id"`
	Severity Severity `json:"severity"`
	Address  Address  `json:"address"` // with Node where it is about one node
	// Object is what on the node: "apiserver", "/root/.kube/config".
	Object  string `json:"object,omitempty"`
	Summary string `json:"summary"` // "expires in 12d; renewal starts 30d before"
	// Hint is what to do where upkeep will not do it itself.
	Hint string `json:"hint,omitempty"`
	// Unknown: this is about something that could not be observed.
	Unknown bool `json:"unknown,omitempty"`
	// Waits: this is work that is due and not in the plan, since something else must be repaired first. A run that has
	// done all its steps is then one that was applied in part.
	Waits    bool   `json:"waits,omitempty"`
	Position string `json:"position,omitempty"` // file:line
	// Cause names what is wrong in the world, the same for every reporter ("etcd/8e9e05c52164694d/silent"): of the findings
	// with one cause a plan shows one, of the most specific id. Empty: it is nobody else's to report.
	Cause string `json:"-"`
	// ByItself: who uses the thing keeps it from coming to this, so nobody expects the finding before it is there.
	ByItself bool `json:"-"`
	// Foretold: it tells of another finding that is still to come, so a forecast, which tells that one, leaves it out.
	Foretold bool `json:"-"`
}

// Class says what kind of thing a finding reports, so that a reader of many findings knows whom to ask. Each id has one
// class: where two fit, the one that the remedy follows from.
type Class string

const (
	// ClassChanged: somebody or something other than upkeep changed what was in order: an object was edited in the
	// cluster, a provider stopped, a bundle exchanged. Ask who did it before you undo it.
	ClassChanged Class = "changed"
	// ClassNotApplied: the configuration says something that does not hold, or cannot hold as written. An apply, or an
	// edit of the configuration, closes the finding.
	ClassNotApplied Class = "not applied"
	// ClassExpiring: time alone is the cause: a date comes near or has passed, or a backup or a version became old.
	ClassExpiring Class = "expiring"
	// ClassUnhealthy: something is broken or unsafe, or does not do what its owner expects, whatever the configuration
	// says.
	ClassUnhealthy Class = "unhealthy"
	// ClassUnknown: something could not be observed. Unknown is never healthy.
	ClassUnknown Class = "unknown"
)

// Classes lists every class, in the order of their constants.
func Classes() []Class {
	return []Class{ClassChanged, ClassNotApplied, ClassExpiring, ClassUnhealthy, ClassUnknown}
}

// Worst sums findings up to the status of an Object: "ok", "due", "unknown" or "problem".
func Worst(findings []Finding) string {
	status := "ok"
	for _, f := range findings {
		switch {
		case f.Unknown && status != "problem":
			status = "unknown"
		case f.Severity == SeverityError:
			status = "problem"
		case f.Severity == SeverityWarning && status == "ok":
			status = "due"
		}
	}
	return status
}

// FindingDoc declares one finding id. What it means and what to do about it stands on its page in docs/findings.
type FindingDoc struct {
	ID    string
	Class Class
	// General: the id is a word for many things, and yields to any other that is reported of the same cause.
	General bool
}
