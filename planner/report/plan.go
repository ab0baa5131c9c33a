// Package report is plans, drift, status and runbooks as data that is shown: in JSON unchanged, in every other format
// by a package beneath this one.
//
// It decides nothing, reads nothing and knows no domain: a plan in, data out, the same data for the same plan. Every
// format is rendered from the JSON types, so they never disagree.
package report

import (
	"slices"
	"time"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/planner/schedule"
	"upkeep/providers"
)

// FormatVersion is the version of Terraform's JSON plan format that PlanJSON follows
// (https://developer.hashicorp.com/terraform/internals/json-format).
const FormatVersion = "1.2"

// PlanJSON is a plan in the shape of Terraform's JSON plan, so that policy tools and terraform-json read it. What is
// upkeep's own stands under one key.
type PlanJSON struct {
	FormatVersion   string           `json:"format_version"`
	PlannedValues   Values           `json:"planned_values"`
	ResourceDrift   []ResourceChange `json:"resource_drift"`
	ResourceChanges []ResourceChange `json:"resource_changes"`
	OutputChanges   struct{}         `json:"output_changes"`
	Checks          []Check          `json:"checks"`
	Timestamp       time.Time        `json:"timestamp"`
	Applyable       bool             `json:"applyable"`
	Complete        bool             `json:"complete"`
	Errored         bool             `json:"errored"`
	Upkeep          Upkeep           `json:"upkeep"`
}

// Upkeep is what Terraform's format has no word for.
type Upkeep struct {
	Version string `json:"version,omitempty"`
	PlanID  string `json:"plan_id,omitempty"`
	Digest  string `json:"digest"`
	// Status is the plan's verdict; see there.
	Status Verdict `json:"status"`
	// Digests are of what is done for each resource, by address.
	Digests    map[string]string `json:"digests"`
	Identity   planner.Identity  `json:"identity"`
	ObservedAt time.Time         `json:"observed_at"`
	// Recorded: the facts came from a file.
	Recorded bool `json:"recorded,omitempty"`
	// Unverified says why nothing proves who made a saved plan; empty where the state does, and for a plan just made.
	Unverified string `json:"unverified,omitempty"`
	// AgeSeconds is how old the facts are where they are shown, if they were not observed just for that.
	AgeSeconds int64               `json:"age_seconds,omitempty"`
	Targets    []providers.Address `json:"targets,omitempty"`
	Exclude    []providers.Address `json:"exclude,omitempty"`
	// Overrides are the safety rules that this run is told to lift.
	Overrides []planner.Override `json:"overrides,omitempty"`
	Nodes     []Node             `json:"nodes"`
	Summary   Summary            `json:"summary"`
	// Out are the nodes that a person has taken out. They are not asked, and nothing is planned for them.
	Out      []config.Out        `json:"out"`
	Findings []providers.Finding `json:"findings"`
	// Ignored are the findings that do not count, since a person has accepted them.
	Ignored []planner.Ignored `json:"ignored"`
	// LeftOut are findings about what -target and -exclude leave out. They do not count either.
	LeftOut []providers.Finding `json:"left_out"`
	Steps   []providers.Step    `json:"steps"`
	// Money is how prices change, and Undo how the steps are taken back.
	Money []Money `json:"money"`
	Undo  []Undo  `json:"undo"`
	// Waits are the steps that an earlier apply left waiting.
	Waits []Wait `json:"waits,omitempty"`
	// Brackets are the guards around the steps, and Lanes bound how many nodes are in progress at once.
	Brackets []providers.Bracket `json:"brackets"`
	Lanes    []planner.LaneNodes `json:"lanes"`
	// Windows are the maintenance windows that hold steps back at some time, and what fits into their next openings.
	Windows []planner.WindowUse `json:"windows,omitempty"`
	// Remaining are the findings that are predicted to be left after the last step.
	Remaining []providers.Finding `json:"remaining"`
	// Unknown is everything that could not be checked, nodes and parts of them.
	Unknown []planner.Unknown `json:"unknown"`
	// Outage says that the cluster is down, why, and what the steps do about it.
	Outage   string   `json:"outage,omitempty"`
	Warnings []string `json:"warnings"`
	// Refusals are the reasons why this plan must not be applied; ExpectedRefusals are the steps that apply will refuse.
	Refusals         []string                  `json:"refusals"`
	ExpectedRefusals []planner.ExpectedRefusal `json:"expected_refusals"`
}

// Node is one node of the inventory.
type Node struct {
	Name  string   `json:"name"`
	Roles []string `json:"roles,omitempty"`
}

// Summary counts what a plan does. Add, Change and Destroy count addresses, as Terraform counts resources.
type Summary struct {
	Add     int `json:"add"`
	Change  int `json:"change"`
	Destroy int `json:"destroy"`
	Steps   int `json:"steps"`
	// EstimateSeconds is how long the steps take, as many at once as lanes and guards let.
	EstimateSeconds float64 `json:"estimate_seconds"`
	// Findings counts what is known not to hold now, and Remaining what is left of that after the plan; notes do not
	// count.
	Findings  int `json:"findings"`
	Remaining int `json:"remaining"`
	// Unknown counts what could not be checked, except for what somebody exempted.
	Unknown int `json:"unknown"`
}

// Plan returns a plan as JSON data.
func Plan(p planner.Plan) PlanJSON {
	inventory := providers.NewInventory(p.Request.Desired, p.Request.World)
	out := PlanJSON{
		FormatVersion: FormatVersion,
		Timestamp:     p.CreatedAt,
		Applyable:     p.Applyable,
		Complete:      p.Complete,
		Errored:       VerdictOf(p) == Failed || VerdictOf(p) == Unsure,
		Upkeep: Upkeep{
			Version:          p.UpkeepVersion,
			PlanID:           p.ID,
			Digest:           p.Digest,
			Digests:          p.Digests,
			Status:           VerdictOf(p),
			Identity:         p.Request.Identity(),
			ObservedAt:       p.Request.World.ObservedAt,
			Recorded:         p.Request.Recorded,
			Targets:          p.Request.Targets,
			Exclude:          p.Request.Exclude,
			Overrides:        p.Request.Overrides,
			Nodes:            []Node{},
			Out:              present(p.Outs()),
			Findings:         present(p.Findings),
			Ignored:          present(p.Ignored),
			LeftOut:          present(p.LeftOut),
			Steps:            present(p.Steps),
			Money:            money(p.Steps),
			Undo:             undo(p.Steps),
			Brackets:         present(p.Brackets),
			Lanes:            present(p.Lanes),
			Windows:          p.WindowUses(),
			Remaining:        present(p.Remaining),
			Unknown:          present(Unknowns(p)),
			Outage:           p.Outage,
			Warnings:         present(p.Warnings),
			Refusals:         present(p.Refusals),
			ExpectedRefusals: present(p.ExpectedRefusals),
		},
	}
	for _, node := range inventory.Nodes {
		out.Upkeep.Nodes = append(out.Upkeep.Nodes, Node{node.Name, node.Roles})
	}
	if out.Upkeep.Digests == nil {
		out.Upkeep.Digests = map[string]string{}
	}
	out.ResourceChanges, out.PlannedValues = changes(p.Steps)
	out.ResourceDrift = drift(p.Findings)
	out.Checks = checks(p)
	out.Upkeep.Summary = summarize(out)
	out.Upkeep.Summary.EstimateSeconds = schedule.Estimate(p.Scheduled()).Seconds()
	return out
}

func summarize(p PlanJSON) Summary {
	s := Summary{Steps: len(p.Upkeep.Steps)}
	for _, change := range p.ResourceChanges {
		switch {
		case slices.Equal(change.Change.Actions, []string{"update"}):
			s.Change++
		default:
			for _, action := range change.Change.Actions {
				switch action {
				case "create":
					s.Add++
				case "delete":
					s.Destroy++
				}
			}
		}
	}
	s.Findings = Known(p.Upkeep.Findings)
	s.Remaining = Known(p.Upkeep.Remaining)
	s.Unknown = len(counted(p.Upkeep.Unknown))
	return s
}

// Known counts the findings that are neither notes nor about something unknown.
func Known(findings []providers.Finding) (n int) {
	for _, f := range findings {
		if !f.Unknown && f.Severity != providers.SeverityNote {
			n++
		}
	}
	return n
}

// At returns the plan as shown at a time: it says how old its facts are, where they were not observed just now.
func (p PlanJSON) At(now time.Time) PlanJSON {
	p.Upkeep.AgeSeconds = ageOf(p.Upkeep.ObservedAt, now)
	return p
}

// ageOf is how many seconds old facts are; 0 below a minute, and where that is not known.
func ageOf(observed, now time.Time) int64 {
	age := now.Sub(observed)
	if observed.IsZero() || now.IsZero() || age < time.Minute {
		return 0
	}
	return int64(age / time.Second)
}

// present returns a list that is never null in JSON.
func present[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
