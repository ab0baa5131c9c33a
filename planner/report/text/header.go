package text

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"upkeep/planner/report"
)

// header counts the nodes by what they are, and says when they were observed.
func header(nodes []report.Node, observed time.Time, recorded bool, run Run) string {
	var parts []string
	for _, c := range takeCensus(nodes) {
		switch c.role {
		case "control-plane":
			parts = append(parts, plural(c.nodes, "control plane"))
		case "gpu":
			parts = append(parts, plural(c.nodes, "GPU node"))
		case "":
			parts = append(parts, plural(c.nodes, "node"))
		default:
			parts = append(parts, plural(c.nodes, clean(c.role)+" node"))
		}
	}
	if len(parts) == 0 {
		parts = []string{"no nodes"}
	}
	seen := observed.UTC().Format("2006-01-02 15:04:05 MST")
	switch {
	case recorded:
		parts = append(parts, "facts recorded "+seen)
	case run.Took > 0:
		parts = append(parts, fmt.Sprintf("observed in %.1fs", run.Took.Seconds()))
	case !observed.IsZero():
		parts = append(parts, "observed "+seen)
	}
	return strings.Join(parts, ", ")
}

type census struct {
	role  string
	nodes int
}

// takeCensus counts each node once: as a control plane, else as a GPU node, else by its first role.
func takeCensus(nodes []report.Node) []census {
	var out []census
	for _, n := range nodes {
		role := ""
		if len(n.Roles) > 0 {
			role = n.Roles[0]
		}
		for _, known := range []string{"gpu", "control-plane"} {
			if slices.Contains(n.Roles, known) {
				role = known
			}
		}
		i := slices.IndexFunc(out, func(c census) bool { return c.role == role })
		if i < 0 {
			i = len(out)
			out = append(out, census{role: role})
		}
		out[i].nodes++
	}
	return out
}
