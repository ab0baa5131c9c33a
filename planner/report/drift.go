package report

import (
	"time"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/providers"
)

// DriftJSON says what in the cluster is not as declared. It holds nothing that could be applied.
type DriftJSON struct {
	FormatVersion string `json:"format_version"` // "1.0"
	Version       string `json:"upkeep_version,omitempty"`
	// Status is "none", "drift" or "unknown". What could not be checked outweighs the drift that is known, which the
	// summary counts.
	Status     Verdict   `json:"status"`
	Timestamp  time.Time `json:"timestamp"`
	ObservedAt time.Time `json:"observed_at"`
	Recorded   bool      `json:"recorded,omitempty"`
	// AgeSeconds is how old the facts are where they are shown, if they were not observed just for that.
	AgeSeconds int64               `json:"age_seconds,omitempty"`
	Identity   planner.Identity    `json:"identity"`
	Nodes      []Node              `json:"nodes"`
	Out        []config.Out        `json:"out"`
	Summary    DriftSummary        `json:"summary"`
	Findings   []DriftFinding      `json:"findings"`
	Ignored    []planner.Ignored   `json:"ignored"`
	LeftOut    []providers.Finding `json:"left_out"`
	Unknown    []planner.Unknown   `json:"unknown"`
	Warnings   []string            `json:"warnings"`
	// NextDue is what time alone brings next; absent where nothing is in sight.
	NextDue *planner.NextDue `json:"next_due,omitempty"`
}

// DriftSummary counts findings. Those about something unknown count as Unknown alone.
type DriftSummary struct {
	Errors   int `json:"errors"`
	Warnings int `json:"warnings"`
	Notes    int `json:"notes"`
	// Unknown counts what could not be checked, except for what somebody exempted.
	Unknown int `json:"unknown"`
	// Fixed counts the errors and warnings that a plan would repair.
	Fixed int `json:"fixed_by_plan"`
}

// Drift returns what a plan found, without what it would do.
func Drift(p planner.Plan) DriftJSON {
	all := Plan(p)
	d := DriftJSON{
		FormatVersion: "1.0", Version: p.UpkeepVersion, Timestamp: p.CreatedAt, ObservedAt: all.Upkeep.ObservedAt, Recorded: all.Upkeep.Recorded,
		Identity: all.Upkeep.Identity, Nodes: all.Upkeep.Nodes, Out: all.Upkeep.Out, Ignored: all.Upkeep.Ignored, LeftOut: all.Upkeep.LeftOut, Status: drifted(p), Findings: []DriftFinding{}, Unknown: all.Upkeep.Unknown, Warnings: all.Upkeep.Warnings,
	}
	for _, f := range all.Upkeep.Findings {
		d.Findings = append(d.Findings, DriftFinding{Finding: f})
		switch {
		case f.Unknown:
		case f.Severity == providers.SeverityError:
			d.Summary.Errors++
		case f.Severity == providers.SeverityWarning:
			d.Summary.Warnings++
		default:
			d.Summary.Notes++
		}
	}
	d.Summary.Unknown = all.Upkeep.Summary.Unknown
	d.Summary.Fixed = max(0, d.Summary.Errors+d.Summary.Warnings-Known(p.Remaining))
	return d
}

// At returns the report as shown at a time; see PlanJSON.At.
func (d DriftJSON) At(now time.Time) DriftJSON {
	d.AgeSeconds = ageOf(d.ObservedAt, now)
	return d
}
