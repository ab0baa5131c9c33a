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
	// Status is "none", "drift" or "unknown": drift that is known outweighs what is unknown.
	Status     string            `json:"status"`
	Timestamp  time.Time         `json:"timestamp"`
	ObservedAt time.Time         `json:"observed_at"`
	Recorded   bool              `json:"recorded,omitempty"`
	Identity   planner.Identity  `json:"identity"`
	Nodes      []Node            `json:"nodes"`
	Out        []config.Out      `json:"out"`
	Summary    DriftSummary      `json:"summary"`
	Findings   []DriftFinding    `json:"findings"`
	Ignored    []planner.Ignored `json:"ignored"`
	Unknown    []planner.Unknown `json:"unknown"`
	Warnings   []string          `json:"warnings"`
}

// DriftSummary counts findings. Those about something unknown count as Unknown alone.
type DriftSummary struct {
	Errors   int `json:"errors"`
	Warnings int `json:"warnings"`
	Notes    int `json:"notes"`
	// Unknown counts the places that are unknown.
	Unknown int `json:"unknown"`
	// Mended counts the errors and warnings that a plan would mend.
	Mended int `json:"mended_by_plan"`
}

// Drift returns what a plan found, without what it would do.
func Drift(p planner.Plan) DriftJSON {
	all := Plan(p)
	d := DriftJSON{
		FormatVersion: "1.0", Version: p.UpkeepVersion, Timestamp: p.CreatedAt, ObservedAt: all.Upkeep.ObservedAt, Recorded: all.Upkeep.Recorded,
		Identity: all.Upkeep.Identity, Nodes: all.Upkeep.Nodes, Out: all.Upkeep.Out, Ignored: all.Upkeep.Ignored, Findings: []DriftFinding{}, Unknown: all.Upkeep.Unknown, Warnings: all.Upkeep.Warnings,
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
	d.Summary.Unknown = len(Places(all.Upkeep.Findings, d.Unknown))
	d.Summary.Mended = max(0, d.Summary.Errors+d.Summary.Warnings-Known(p.Remaining))
	switch {
	case d.Summary.Errors+d.Summary.Warnings > 0:
		d.Status = "drift"
	case d.Summary.Unknown > 0 || !p.Complete:
		d.Status = "unknown"
	default:
		d.Status = "none"
	}
	return d
}

// Exit returns the exit code of a drift report: 0 nothing has drifted, 2 something has, 1 it cannot be told, since nothing
// is known to have drifted but not everything could be seen.
func (d DriftJSON) Exit() int {
	switch d.Status {
	case "none":
		return 0
	case "drift":
		return 2
	default:
		return 1
	}
}
