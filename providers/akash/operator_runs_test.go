package akash

import (
	"testing"

	"upkeep/providers/facts"
)

// An operator that does not run says why, with the pods that cannot.
func TestOperatorRuns(t *testing.T) {
	args := operatorArgs{Chart: Chart{Version: "12.1.3"}}
	release := func(change func(*facts.Release)) facts.Release {
		r := facts.Release{
			Name: "inventory-operator", Revision: 4, Status: facts.ReleaseDeployed, Chart: facts.ChartVersion{Version: "12.1.3"},
			Workloads: []facts.Workload{{Kind: "Deployment", Name: "operator-inventory", Settled: true, Replicas: 1, Ready: 1, Updated: 1}},
		}
		change(&r)
		return r
	}
	for _, test := range []struct {
		name   string
		change func(*facts.Release)
		want   string
	}{
		{"it runs", func(*facts.Release) {}, ""},
		{"a pod that cannot", func(r *facts.Release) {
			r.Workloads[0].Ready = 0
			r.Workloads[0].Pods = []facts.Pod{{Name: "operator-inventory-1", Problem: "ImagePullBackOff: no such image"}, {Name: "operator-inventory-0"}}
		}, `Deployment operator-inventory has 0 of 1 pods ready and 1 updated; pod operator-inventory-1: "ImagePullBackOff: no such image"`},
		{"an old pod", func(r *facts.Release) { r.Workloads[0].Updated = 0 }, "Deployment operator-inventory has 1 of 1 pods ready and 0 updated"},
		{"gone", func(r *facts.Release) { r.Workloads[0].Missing = true }, "Deployment operator-inventory is not there"},
		{"unseen", func(r *facts.Release) { r.Workloads[0].Unknown = "forbidden" }, "Deployment operator-inventory: forbidden"},
		{"nothing seen", func(r *facts.Release) { r.WorkloadsUnknown = "forbidden" }, "what runs of inventory-operator is not known: forbidden"},
		{"another version", func(r *facts.Release) { r.Chart.Version = "11.0.0" }, "the chart of inventory-operator has version 11.0.0, not 12.1.3"},
		{"failed", func(r *facts.Release) { r.Status = facts.ReleaseFailed }, "revision 4 of inventory-operator is failed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := ""
			if err := operatorRuns(release(test.change), args); err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}
