package akash

import (
	"fmt"
	"strings"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/helm/pending"
	"upkeep/providers/helm/revision"
)

// The arguments of the stages' steps.
type (
	definedArgs struct {
		Name     string   `json:"name"`
		Versions []string `json:"versions"`
		Served   []string `json:"served"`
		Digest   string   `json:"digest"`
	}

	definitionsArgs struct {
		Tag string `json:"tag"`
		// SHA256 is that of the text.
		SHA256      string        `json:"sha256"`
		Definitions []definedArgs `json:"definitions"`
	}

	operatorArgs struct {
		revision.Args
		Chart   Chart           `json:"chart"`
		SHA256  string          `json:"sha256,omitempty"`
		Rolls   bool            `json:"rolls"`
		Timeout config.Duration `json:"timeout"`
	}
)

// Estimates in seconds.
const (
	definitionsEstimate = 5
	operatorEstimate    = 60
)

func (r *review) planDefinitions() {
	due := r.stages.definitions
	if len(due) == 0 {
		return
	}
	d := r.spec.Definitions
	args := definitionsArgs{Tag: d.Tag, SHA256: d.SHA256}
	var changes []providers.Change
	for _, wanted := range due {
		args.Definitions = append(args.Definitions, definedArgs{wanted.Name, wanted.Versions, wanted.Served, wanted.Digest})
		live := r.in.World.Definition(wanted.Name)
		change := providers.Change{What: wanted.Name, Before: "serves " + strings.Join(live.Served, ", "),
			After: "serves " + strings.Join(wanted.Served, ", ") + ", as " + d.Tag + " has it"}
		if live.Missing {
			change.Before = ""
		}
		changes = append(changes, change)
	}
	s := r.step("crds", OperationDefinitions, args, definitionsEstimate)
	s.Summary = fmt.Sprintf("apply the custom resource definitions of %s", d.Tag)
	s.Why = []string{fmt.Sprintf("the operators and the provider of a version need the definitions of its tag (%s)",
		r.spec.where("crds.tag"))}
	s.Changes = changes
	s.Proof = "the API server serves every definition of the text, with its very schema"
	s.Undo = "kubectl apply --server-side --force-conflicts --field-manager=upkeep -f the definitions of the tag before; objects stay"
	r.guard(s)
	for _, managed := range r.managed {
		r.out.Orders = append(r.out.Orders, providers.Order{Step: s.ID, Before: managed})
	}
}

// planOperators brings each operator to its version: one that an interrupted run left pending is repaired, and what
// its upgrade replaces is kept.
func (r *review) planOperators() {
	for _, u := range r.upgrades {
		of := revision.Args{Namespace: u.release.Namespace, Release: u.release.Name}
		if u.repair.Action == pending.Unlock {
			r.planRepair("repair-"+of.Release, of, u.repair)
		}
		r.planArchive("archive-"+of.Release, releaseArgs{Args: of}, u.release)
		args := operatorArgs{Args: of, Chart: u.chart, SHA256: u.sha256, Rolls: u.rolls, Timeout: r.spec.Timeout}
		s := r.step("operator-"+u.release.Name, OperationOperator, args, operatorEstimate)
		s.Limit = limit(args.Timeout)
		s.Summary = fmt.Sprintf("upgrade %s with chart %s-%s", u.release.Name, u.chart.Source.Name, u.chart.Version)
		s.Why = []string{fmt.Sprintf("the operators must have the provider's version, %s (%s)", r.spec.Chart.Version,
			r.spec.where("chart.version"))}
		if u.release.Status != facts.ReleaseDeployed {
			s.Why = append(s.Why, fmt.Sprintf("revision %d did not end well, and is %s", u.release.Revision, u.release.Status))
		}
		s.Changes = []providers.Change{{What: "chart version", Before: inForce(u.release), After: u.chart.Version,
			Always: true}}
		s.Proof = fmt.Sprintf("the release is deployed with chart version %s and the old values, and its pods are ready",
			u.chart.Version)
		s.Undo, s.Reversal = revision.Rollback(u.release)
		if u.rolls {
			s.Disruption, s.Unaffected = fmt.Sprintf("the operator %s restarts",
				u.release.Name), unaffected(r.in.World.Tenancies)
			r.guard(s)
		}
	}
}
