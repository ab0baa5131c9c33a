package nvidia

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// What matters beside tenants is shown with the node, and that nobody could look is shown, too.
func TestAlsoRuns(t *testing.T) {
	pods := []facts.Resident{
		{Node: "gpu3", Name: "akash-provider-0", Owner: "StatefulSet akash-provider", Duty: facts.DutyProvider, Volume: facts.VolumeLocal},
		{Node: "gpu3", Name: "controller-x", Owner: "DaemonSet controller", Duty: facts.DutyGateway, Ports: []int{80, 443}},
		{Node: "gpu3", Name: "coredns-a", Owner: "ReplicaSet coredns", Duty: facts.DutyOnly},
		{Node: "gpu3", Name: "osd-3", Owner: "ReplicaSet osd-3", Duty: facts.DutyOSD, Pinned: true, Volume: facts.VolumeFollows},
		{Node: "gpu3", Name: "by-hand", Duty: facts.DutyOnly},
		{Node: "gpu3", Name: "metrics-a", Owner: "ReplicaSet metrics", Duty: facts.DutyOnly, Volume: facts.VolumeUnknown},
		{Node: "gpu4", Name: "elsewhere", Owner: "ReplicaSet elsewhere", Duty: facts.DutyOnly},
	}
	row := func(name, status string) []providers.Object {
		return []providers.Object{{Address: Spec{Name: "fleet"}.Address().On("gpu3"), Name: name, Status: status}}
	}
	for _, test := range []struct {
		name  string
		found *facts.Residents
		want  []providers.Object
	}{
		{"nobody asked", nil, nil},
		{"nothing runs there", &facts.Residents{}, nil},
		{"not readable", &facts.Residents{Unknown: "forbidden"}, row("also runs: unknown", "unknown")},
		{"the most important first", &facts.Residents{Pods: pods}, row("also runs akash-provider-0 (volume on this node), "+
			"osd-3 (bound to this node), and 4 more", "ok")},
		{"a gateway", &facts.Residents{Pods: pods[1:3]}, row("also runs controller-x (gateway on 80 and 443), coredns-a", "ok")},
		{"nothing starts it again", &facts.Residents{Pods: pods[4:5]}, row("also runs by-hand (nothing starts it again)", "ok")},
		{"a volume nobody could look at", &facts.Residents{Pods: pods[5:]},
			row("also runs metrics-a (place of its volume unknown)", "ok")},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := &review{spec: Spec{Name: "fleet"}, in: providers.Input{World: facts.World{Residents: test.found}}}
			r.alsoRuns(r.spec.Address().On("gpu3"), &facts.KubernetesNode{Name: "gpu3"})
			if diff := cmp.Diff(test.want, r.out.Objects); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
