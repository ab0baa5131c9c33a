package downtime

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"upkeep/providers/facts"
)

// named is how many pods a line names: it must fit a screen.
const named = 2

// duties are those of residents, the most important one first.
var duties = []facts.Duty{
	facts.DutyProvider, facts.DutyMonitor, facts.DutyOSD, facts.DutyGateway, facts.DutyRPC, facts.DutyInventory,
	facts.DutyStorage, facts.DutyOperator, facts.DutyOnly,
}

// ResidentsText names pods, and says of each what stays down with the node: "akash-provider-0 (volume on this node),
// controller-x (gateway on 80 and 443), and 3 more".
func ResidentsText(pods []facts.Resident) string {
	pods = slices.Clone(pods)
	slices.SortStableFunc(pods, func(a, b facts.Resident) int {
		return cmp.Compare(slices.Index(duties, a.Duty), slices.Index(duties, b.Duty))
	})
	var texts []string
	for _, pod := range pods[:min(named, len(pods))] {
		var notes []string
		if pod.Duty == facts.DutyGateway {
			notes = append(notes, "gateway on "+portsText(pod.Ports))
		}
		switch {
		case pod.Volume == facts.VolumeLocal:
			notes = append(notes, "volume on this node")
		case pod.Pinned:
			notes = append(notes, "bound to this node")
		case pod.Volume == facts.VolumeUnknown:
			notes = append(notes, "place of its volume unknown")
		case pod.Owner == "":
			notes = append(notes, "nothing starts it again")
		}
		text := pod.Name
		if len(notes) > 0 {
			text += " (" + strings.Join(notes, ", ") + ")"
		}
		texts = append(texts, text)
	}
	if more := len(pods) - len(texts); more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(texts, ", ")
}

func portsText(ports []int) string {
	var texts []string
	for _, port := range ports {
		texts = append(texts, strconv.Itoa(port))
	}
	return strings.Join(texts, " and ")
}
