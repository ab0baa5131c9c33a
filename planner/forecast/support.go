package forecast

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"upkeep/planner"
)

// ending is when something leaves support.
type ending struct{ name, day, source string }

// kubernetes are the end-of-life dates of Kubernetes minors, as of 2026-11: kubernetes.io/releases/MINOR, and for those
// that had ended kubernetes/website, data/releases/eol.yaml.
var kubernetes = []ending{
	{"1.28", "2024-10-22", "kubernetes.io/releases"}, {"1.29", "2025-02-28", "kubernetes.io/releases"},
	{"1.30", "2025-07-15", "kubernetes.io/releases"}, {"1.31", "2025-11-11", "kubernetes.io/releases"},
	{"1.32", "2026-02-28", "kubernetes.io/releases"}, {"1.33", "2026-06-28", "kubernetes.io/releases/1.33"},
	{"1.34", "2026-10-27", "kubernetes.io/releases/1.34"}, {"1.35", "2027-02-28", "kubernetes.io/releases/1.35"},
	{"1.36", "2027-06-28", "kubernetes.io/releases/1.36"},
}

// nvidia are those of branches of the NVIDIA data center driver, as of 2026-11: docs.nvidia.com, "Supported Drivers and
// CUDA Toolkit Versions" of releases 615 and 620. NVIDIA names months; here stands the last day of each.
var nvidia = []ending{
	{"535", "2026-06-30", drivers}, {"580", "2028-06-30", drivers}, {"595", "2027-03-31", drivers},
	{"610", "2026-08-31", drivers}, {"620", "2029-09-30", drivers},
}

const drivers = "docs.nvidia.com/datacenter/tesla/drivers"

// support says which releases of the cluster leave support. One that has left it is told at the beginning; one whose
// date nobody told this upkeep, too.
func support(p planner.Plan, c planner.Course) (out []Entry) {
	minors, branches := map[string][]string{}, map[string][]string{}
	for _, n := range p.Request.World.Kubernetes.Nodes {
		if parts := strings.SplitN(strings.TrimPrefix(n.Version, "v"), ".", 3); len(parts) > 1 {
			minor := parts[0] + "." + parts[1]
			minors[minor] = append(minors[minor], n.Name)
		}
	}
	for _, name := range p.Request.World.NodeNames() {
		if n := p.Request.World.Nodes[name]; n != nil && n.NVIDIA.Driver() != "" {
			branch, _, _ := strings.Cut(n.NVIDIA.Driver(), ".")
			branches[branch] = append(branches[branch], name)
		}
	}
	for _, of := range []struct {
		what  string
		found map[string][]string
		table []ending
	}{{"Kubernetes %s", minors, kubernetes}, {"NVIDIA driver branch %s", branches, nvidia}} {
		for _, name := range slices.Sorted(maps.Keys(of.found)) {
			what := fmt.Sprintf(of.what, name)
			e := Entry{Kind: Ends, At: c.From, Nodes: of.found[name]}
			i := slices.IndexFunc(of.table, func(e ending) bool { return e.name == name })
			if i < 0 {
				e.What = []string{"this upkeep does not know when support ends for " + what}
				out = append(out, e)
				continue
			}
			last, err := time.Parse(time.DateOnly, of.table[i].day)
			if err != nil {
				panic("the table of support: " + err.Error())
			}
			e.Source = of.table[i].source
			switch ends := last.AddDate(0, 0, 1); {
			case !ends.After(c.From):
				e.What = []string{fmt.Sprintf("%s was the last day of support for %s", of.table[i].day, what)}
			case ends.Before(c.Until):
				e.At = ends
				e.What = []string{fmt.Sprintf("%s is the last day of support for %s", of.table[i].day, what)}
			default:
				continue
			}
			out = append(out, e)
		}
	}
	return out
}
