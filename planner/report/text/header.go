package text

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"upkeep/planner/report"
)

// seen says when what a page shows was observed.
type seen struct {
	at       time.Time
	recorded bool
	age      int64 // in seconds; 0: just now, or not known
}

// head writes the first lines: what the page is made from where that was not observed just now, and which nodes there
// are. Between them comes what a plan is not.
func (p *page) head(nodes []report.Node, s seen, run Run, not func()) {
	if s.recorded {
		p.wrapped(yellow, "", "FROM RECORDED FACTS of "+moment(s.at)+": for review, not for apply")
	}
	if not != nil {
		not()
	}
	if s.age > 0 {
		verb := "Observed"
		if s.recorded {
			verb = "Recorded"
		}
		p.wrapped(yellow, "", fmt.Sprintf("%s %s ago (%s): times such as \"expires in 12d\" count from then.", verb, span(time.Duration(s.age)*time.Second), moment(s.at)))
	}
	p.line(p.paint(bold, header(nodes, s, run)))
	p.line()
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }

// header counts the nodes by what they are, and says when they were observed.
func header(nodes []report.Node, s seen, run Run) string {
	var parts []string
	for _, c := range countRoles(nodes) {
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
	switch {
	case s.recorded:
	case run.Took > 0:
		parts = append(parts, fmt.Sprintf("observed in %.1fs", run.Took.Seconds()))
	case !s.at.IsZero():
		parts = append(parts, "observed "+moment(s.at))
	}
	return strings.Join(parts, ", ")
}

type roleCount struct {
	role  string
	nodes int
}

// countRoles counts each node once: as a control plane, else as a GPU node, else by its first role.
func countRoles(nodes []report.Node) []roleCount {
	var out []roleCount
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
		i := slices.IndexFunc(out, func(c roleCount) bool { return c.role == role })
		if i < 0 {
			i = len(out)
			out = append(out, roleCount{role: role})
		}
		out[i].nodes++
	}
	return out
}
