package nvidia

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/providers/facts"
)

func TestNodesOfOneModelThatDiffer(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(map[string]*facts.Node)
		want   []string
	}{
		{name: "all alike", change: func(map[string]*facts.Node) {}},
		{"one has another kernel", func(n map[string]*facts.Node) { n["gpu1"].System.Kernel = "6.8.0-50" },
			[]string{"nodes with h100: they run different kernels: 6.8.0-60 on gpu0, gpu2, gpu3, gpu4, gpu5 and 1 more; " +
				"6.8.0-50 on gpu1"}},
		{"another release, and nobody is in the majority", func(n map[string]*facts.Node) {
			for _, name := range []string{"gpu0", "gpu1", "gpu2", "gpu3"} {
				n[name].System.OS = "Ubuntu 24.04.1 LTS"
			}
			n["gpu6"].System.OS = "" // it did not say
		}, []string{"nodes with h100: they run different releases of the operating system: " +
			"Ubuntu 24.04.1 LTS on gpu0, gpu1, gpu2, gpu3; Ubuntu 22.04.5 LTS on gpu4, gpu5"}},
		{"the one that differs has another model", func(n map[string]*facts.Node) {
			n["gpu1"].System.Kernel = "6.8.0-50"
			for i := range n["gpu1"].NVIDIA.Devices.GPUs {
				n["gpu1"].NVIDIA.Devices.GPUs[i].Model = "a100"
			}
		}, nil},
		{"the one that differs cannot be asked", func(n map[string]*facts.Node) {
			n["gpu1"].System.Kernel, n["gpu1"].Unknown = "6.8.0-50", "ssh: timed out"
		}, nil},
		{"a node with two models is compared with both", func(n map[string]*facts.Node) {
			for _, name := range []string{"gpu0", "gpu1"} {
				n[name].NVIDIA.Devices.GPUs[0].Model = "a100"
			}
			n["gpu0"].System.Kernel = "6.8.0-50"
		}, []string{
			"nodes with a100: they run different kernels: 6.8.0-50 on gpu0; 6.8.0-60 on gpu1",
			"nodes with h100: they run different kernels: 6.8.0-60 on gpu1, gpu2, gpu3, gpu4, gpu5 and 1 more; 6.8.0-50 on gpu0",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := fleet(t, 7)
			for _, n := range in.World.Nodes {
				n.System.OS = "Ubuntu 22.04.5 LTS"
				n.NVIDIA.Devices.GPUs = append([]facts.PCIDevice(nil), n.NVIDIA.Devices.GPUs...)
			}
			test.change(in.World.Nodes)
			spec := Spec{Name: "fleet", Nodes: config.Selection{Fleets: []string{"gpu"}}}
			var got []string
			for _, f := range spec.Diff(in).Findings {
				if f.ID == "GPU_NODES_DIFFER" {
					got = append(got, f.Object+": "+f.Summary)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
