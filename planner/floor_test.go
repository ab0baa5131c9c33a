package planner

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// A machine that nobody accepted is new, and one under an accepted name is not planned for.
func TestWhichMachine(t *testing.T) {
	accepted := facts.AcceptedNode{Name: "gpu1", MachineID: "m1", HostKeys: []string{"SHA256:a", "SHA256:b"}}
	gpus := facts.NVIDIA{Devices: facts.NVIDIADevices{GPUs: []facts.PCIDevice{{Address: "0000:10:00.0"}}}}
	for _, test := range []struct {
		name     string
		node     facts.Node
		accepted []facts.AcceptedNode
		want     string // id
	}{
		{name: "as accepted", node: facts.Node{System: facts.System{MachineID: "m1"}, NVIDIA: gpus},
			accepted: []facts.AcceptedNode{accepted}},
		{name: "another machine id", node: facts.Node{System: facts.System{MachineID: "m2"}},
			accepted: []facts.AcceptedNode{accepted}, want: nodeReplaced},
		{
			name: "other host keys", accepted: []facts.AcceptedNode{accepted}, want: nodeReplaced,
			node: facts.Node{System: facts.System{MachineID: "m1"}, Floor: facts.Floor{HostKeys: []string{"SHA256:c"}}},
		},
		{
			name: "one host key is left", accepted: []facts.AcceptedNode{accepted},
			node: facts.Node{System: facts.System{MachineID: "m1"}, Floor: facts.Floor{HostKeys: []string{"SHA256:b",
				"SHA256:c"}}},
		},
		{name: "silent", node: facts.Node{Unknown: "no answer"}, accepted: []facts.AcceptedNode{accepted}},
		{name: "new with GPUs", node: facts.Node{System: facts.System{MachineID: "m1"}, NVIDIA: gpus}, want: nodeNew},
		{name: "nobody accepts nodes here", node: facts.Node{System: facts.System{MachineID: "m1"}}},
		{
			name: "new beside accepted ones", node: facts.Node{System: facts.System{MachineID: "m1"}}, want: nodeNew,
			accepted: []facts.AcceptedNode{{Name: "gpu2", MachineID: "m2"}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.node.Name = "gpu1"
			r := Request{
				Desired: config.Desired{Nodes: []config.Node{{Name: "gpu1", Block: "gpu", Host: "10.0.0.1"}}},
				World:   facts.World{Nodes: map[string]*facts.Node{"gpu1": &test.node}},
			}
			var err error
			if r.Memory, err = r.Memory.WithAccepted(test.accepted...); err != nil {
				t.Fatal(err)
			}
			plan, err := Build(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, f := range plan.Findings {
				got += f.ID
				if want := (providers.Address{Type: "node", Name: "gpu", Node: "gpu1"}); f.Address != want {
					t.Errorf("%s is about %s, want %s", f.ID, f.Address, want)
				}
			}
			if got != test.want {
				t.Errorf("found %q, want %q", got, test.want)
			}
			if kept := len(r.input().Inventory.Nodes) == 1; kept != (test.want != nodeReplaced) {
				t.Errorf("the node is planned for: %v", kept)
			}
		})
	}
}

// What a person accepted survives the memory's JSON, and a second acceptance replaces the first.
func TestAcceptedNodesAreRemembered(t *testing.T) {
	first := facts.AcceptedNode{Name: "a", MachineID: "m1", GPUs: []facts.AcceptedGPU{{PCI: "0000:10:00",
		Serial: "S1"}}}
	other := facts.AcceptedNode{Name: "b", MachineID: "m2"}
	again := facts.AcceptedNode{Name: "a", MachineID: "m3"}
	m, err := facts.Memory{}.WithAccepted(other, first)
	if err == nil {
		m, err = m.WithAccepted(again)
	}
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.Accepted()
	if diff := cmp.Diff(map[string]facts.AcceptedNode{"a": again, "b": other}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
