package text

import (
	"io"
	"maps"
	"slices"

	"upkeep/planner/report"
)

const (
	digestCovers = "The digest covers for each resource the CA of the cluster and the lineage of the state. For each step the digest covers the " +
		"node and its machine id, operation, arguments, guards with their waivers, and consents. Also covered: window and lanes by " +
		"their definition, and which steps come first."
	digestLeavesOut = "The digest does not cover: time, the order between resources, steps of guards, values of secrets, reasons and other text, estimates."
)

// Digest writes what the digest of a plan covers, with the digest of each resource, and what is known of the origin of the
// plan's file.
func Digest(w io.Writer, plan report.PlanJSON, origin string, style Style) error {
	p := &page{Style: style}
	plan = cleaned(plan)
	p.line()
	p.line("Digest ", plan.Upkeep.Digest)
	for _, address := range slices.Sorted(maps.Keys(plan.Upkeep.Digests)) {
		p.line("  ", plan.Upkeep.Digests[address], "  ", clean(address))
	}
	p.wrapped("", "  ", digestCovers)
	p.wrapped("", "  ", digestLeavesOut)
	p.wrapped("", "Origin ", clean(origin))
	return p.flush(w)
}
