package report

import (
	"strings"

	"upkeep/providers"
)

// Narrow returns the lane of a step in which one node at a time is in progress; empty where there is none. The lane of a node's
// own steps is about no other node.
func Narrow(s providers.Step) string {
	for _, lane := range s.Lanes {
		if lane.Width <= 1 && !strings.HasPrefix(lane.Name, providers.NodeLanePrefix) {
			return lane.Name
		}
	}
	return ""
}
