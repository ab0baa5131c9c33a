package forecast

import (
	"fmt"

	"upkeep/planner"
)

// promises are what a person said for a while: findings that are ignored, and nodes that are out. Once one has ended,
// the finding counts again, and a node that is still out is an error.
func promises(p planner.Plan, c planner.Course) (out []Entry) {
	for _, i := range p.Request.Desired.Ignores {
		ends := i.Until.Ends()
		if ends.Before(c.From) || !ends.Before(c.Until) {
			continue // it has ended, which is a finding; or it ends later
		}
		out = append(out, Entry{
			Kind: Person, At: ends, Address: "ignore." + i.Name, Nodes: i.Nodes, Finding: "IGNORE_ENDED",
			What: []string{fmt.Sprintf("%s counts again; it was ignored for %q, owner %s", i.Finding, i.Reason, i.Owner)},
		})
	}
	for _, o := range p.Request.Desired.Outs {
		ends := o.Until.Ends()
		if ends.Before(c.From) || !ends.Before(c.Until) {
			continue
		}
		out = append(out, Entry{
			Kind: Ends, At: ends, Address: "out." + o.Node,
			What: []string{fmt.Sprintf("%s was the last day out of node %s (%q, owner %s); take the node back or out again, "+
				"or no plan can be made", o.Until, o.Node, o.Reason, o.Owner)},
		})
	}
	return out
}
