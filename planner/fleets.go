package planner

import (
	"fmt"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// fleetSize is the finding of a fleet that is not as large as its block expects. It belongs to no domain: whatever acts
// on a fleet acts on what was discovered.
const fleetSize = "FLEET_SIZE"

// fleetSizes reports the fleets that are known and have another size than their blocks expect, in declared order.
func fleetSizes(r Request) ([]providers.Finding, error) {
	findings := []providers.Finding{}
	for _, fleet := range r.Desired.Fleets {
		found, discovered := r.World.Fleets[fleet.Name]
		if fleet.Expect == 0 || !discovered || found.Unknown != "" || len(found.Members) == fleet.Expect {
			continue
		}
		address, err := facts.ParseAddress("nodes." + fleet.Name)
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
