package planner

import (
	"fmt"

	"upkeep/providers"
)

// fleetSize is the finding of a fleet that is not as large as its block expects. It belongs to no domain: whatever acts on
// a fleet acts on what was discovered.
const fleetSize = "FLEET_SIZE"

// FindingDocs documents the findings that a plan can have of itself.
func FindingDocs() []providers.FindingDoc {
	return []providers.FindingDoc{{
		ID: fleetSize, Title: "A set of discovered nodes has another size than expected",
		Meaning: "The block says `expect = N`, and another number of Kubernetes nodes matches its selector. A node that is missing was " +
			"deregistered or lost its label, and nothing of this plan is about it; a node too many was added, or the label went to a machine that " +
			"should not have it, and the plan would act on that too.",
		Remedy: "Compare `kubectl get nodes -l SELECTOR` with the machines that should be there. Bring the missing node back or correct its label; " +
			"if the fleet did change, correct `expect`.",
	}}
}

// fleetSizes reports the fleets that are known and have another size than their blocks expect, in declared order.
func fleetSizes(r Request) ([]providers.Finding, error) {
	findings := []providers.Finding{}
	for _, fleet := range r.Desired.Fleets {
		found, discovered := r.World.Fleets[fleet.Name]
		if fleet.Expect == 0 || !discovered || found.Unknown != "" || len(found.Members) == fleet.Expect {
			continue
		}
		address, err := providers.ParseAddress("nodes." + fleet.Name)
		if err != nil {
			return nil, fmt.Errorf("the name of a nodes block: %w", err)
		}
		findings = append(findings, providers.Finding{
			ID: fleetSize, Severity: providers.SeverityWarning, Address: address, Position: fleet.Position.String(),
			Summary: fmt.Sprintf("%s found, expect = %d", count(len(found.Members), "node"), fleet.Expect),
			Hint:    fmt.Sprintf("compare `kubectl get nodes -l '%s'` with the machines that should be there", fleet.Selector),
		})
	}
	return findings, nil
}
