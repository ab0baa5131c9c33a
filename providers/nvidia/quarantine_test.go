package nvidia

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// fleet is a world of GPU nodes, accepted all, of which some have a GPU that asks for a reboot.
func fleet(t *testing.T, size int, faulty ...int) providers.Input {
	t.Helper()
	in := providers.Input{Now: noon, World: facts.World{Nodes: map[string]*facts.Node{}}}
	var accepted []facts.AcceptedNode
	for i := range size {
		look := healthy()
		n := look.Node
		n.Name = fmt.Sprintf("gpu%d", i)
		look.Accepted.Name = n.Name
		accepted = append(accepted, look.Accepted)
		in.World.Nodes[n.Name] = &n
		object := *look.Kubernetes
		object.Name = n.Name
		in.World.Kubernetes.Nodes = append(in.World.Kubernetes.Nodes, object)
		in.Inventory.Nodes = append(in.Inventory.Nodes, config.Node{Name: n.Name, Block: "gpu", Fleet: true})
	}
	for _, i := range faulty {
		n := in.World.Nodes[fmt.Sprintf("gpu%d", i)]
		n.KernelLog.Events = []facts.KernelEvent{event(79, "0000:10:00", noon.Add(-time.Hour))}
	}
	var err error
	if in.Memory, err = in.Memory.WithAccepted(accepted...); err != nil {
		t.Fatal(err)
	}
	return in
}

func block(max int) Spec {
	return Spec{
		Name: "fleet", Nodes: config.Selection{Fleets: []string{"gpu"}}, Quarantine: true,
		Classes: []string{ClassReboot}, MaxQuarantined: max,
	}
}

func summary(out providers.Outcome) (steps, findings []string) {
	for _, s := range out.Steps {
		steps = append(steps, s.Summary)
	}
	for _, f := range out.Findings {
		findings = append(findings, f.ID+" "+f.Address.Node)
	}
	return steps, findings
}

func TestQuarantine(t *testing.T) {
	mark := facts.Cordon{By: "gpu_health.other", Run: "p0", Since: noon}
	for _, test := range []struct {
		name     string
		spec     Spec
		in       func(*testing.T) providers.Input
		steps    []string
		findings []string
	}{
		{
			name: "one fault, one cordon", spec: block(2), in: func(t *testing.T) providers.Input { return fleet(t, 3, 1) },
			steps: []string{"cordon gpu1"}, findings: []string{"NVIDIA_XID_REBOOT gpu1"},
		},
		{
			name: "findings only", spec: Spec{Name: "fleet", Nodes: config.Selection{Fleets: []string{"gpu"}}},
			in:       func(t *testing.T) providers.Input { return fleet(t, 3, 1) },
			findings: []string{"NVIDIA_XID_REBOOT gpu1"},
		},
		{
			name: "never beyond the number", spec: block(1), in: func(t *testing.T) providers.Input {
				return fleet(t,
					3, 0, 2)
			},
			steps: []string{"cordon gpu0"}, findings: []string{"NVIDIA_XID_REBOOT gpu0", "NVIDIA_XID_REBOOT gpu2",
				"GPU_QUARANTINE_LIMIT gpu2"},
		},
		{
			name: "5 percent of the accepted nodes, rounded down", spec: block(0),
			in:    func(t *testing.T) providers.Input { return fleet(t, 59, 0, 1, 2) },
			steps: []string{"cordon gpu0", "cordon gpu1"},
			findings: []string{
				"NVIDIA_XID_REBOOT gpu0", "NVIDIA_XID_REBOOT gpu1", "NVIDIA_XID_REBOOT gpu2", "GPU_QUARANTINE_LIMIT gpu2",
			},
		},
		{
			name: "what other blocks have cordoned counts", spec: block(1), in: func(t *testing.T) providers.Input {
				in := fleet(t, 3, 0)
				in.World.Kubernetes.Nodes[2].Unschedulable, in.World.Kubernetes.Nodes[2].Cordon = true, &mark
				return in
			},
			findings: []string{"NVIDIA_XID_REBOOT gpu0", "GPU_QUARANTINED gpu2", "GPU_QUARANTINE_LIMIT gpu0"},
		},
		{
			name: "what somebody else has cordoned stays theirs", spec: block(1), in: func(t *testing.T) providers.Input {
				in := fleet(t, 3, 0)
				in.World.Kubernetes.Nodes[0].Unschedulable = true
				return in
			},
			findings: []string{"NVIDIA_XID_REBOOT gpu0"},
		},
		{
			name:     "a fault of a class that nobody chose",
			spec:     func() Spec { s := block(1); s.Classes = []string{ClassFabric}; return s }(),
			in:       func(t *testing.T) providers.Input { return fleet(t, 3, 0) },
			findings: []string{"NVIDIA_XID_REBOOT gpu0"},
		},
		{
			name: "without the API nobody is cordoned", spec: block(1), in: func(t *testing.T) providers.Input {
				in := fleet(t, 2, 0)
				in.World.Kubernetes = facts.Kubernetes{Unknown: "refused"}
				return in
			},
			findings: []string{"NVIDIA_XID_REBOOT gpu0", "NVIDIA_UNKNOWN "},
		},
		{
			name: "another program has a node for its work", spec: block(1), in: func(t *testing.T) providers.Input {
				in := fleet(t, 2)
				in.World.Maintenance = &facts.Maintenance{Claims: []facts.MaintenanceClaim{{Node: "gpu1", By: "kured", Evidence: "a lock"}}}
				return in
			},
			findings: []string{"NODE_MAINTAINED gpu1"},
		},
		{
			name: "nobody knows whether other programs have nodes", spec: block(1), in: func(t *testing.T) providers.Input {
				in := fleet(t, 1)
				in.World.Maintenance = &facts.Maintenance{Unknown: "forbidden"}
				return in
			},
			findings: []string{"NVIDIA_UNKNOWN "},
		},
		{
			name: "models", spec: func() Spec { s := block(1); s.Models = []string{"a100"}; return s }(),
			in:       func(t *testing.T) providers.Input { return fleet(t, 2, 0) },
			findings: []string{"GPU_NONE_SELECTED "},
		},
		{
			name: "a node that nobody can ask", spec: block(1), in: func(t *testing.T) providers.Input {
				in := fleet(t, 1)
				in.World.Nodes["gpu0"] = &facts.Node{Name: "gpu0", Unknown: "no answer"}
				return in
			},
			findings: []string{"NODE_UNREACHABLE gpu0"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			steps, findings := summary(test.spec.Diff(test.in(t)))
			if diff := cmp.Diff(test.steps, steps); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.findings, findings); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// Two blocks plan without one another. What is looked at just before each cordon keeps both within the number.
func TestBudgetHoldsOverBlocks(t *testing.T) {
	in := fleet(t, 2, 0, 1)
	first := block(1).Diff(in).Steps[0]
	other := block(1)
	other.Name, other.Nodes = "other", config.Selection{Names: []string{"gpu1"}}
	second := other.Diff(in).Steps[0]
	effect := quarantining{}
	if ready := effect.Ready(in, first); ready.State != providers.Holds {
		t.Fatalf("first: %+v", ready)
	}
	after := in
	after.World = in.World.Clone()
	after.World.Apply(effect.Predict(in, first))
	if err := effect.Proved(in, after, first); err != nil {
		t.Errorf("what was predicted is not proved: %v", err)
	}
	if err := effect.Proved(in, in, first); err == nil {
		t.Error("nothing happened, and that is proved")
	}
	if ready := effect.Ready(after, first); ready.State != providers.Done {
		t.Errorf("first again: %+v", ready)
	}
	if ready := effect.Ready(after, second); ready.State != providers.Moved {
		t.Errorf("second: %+v", ready)
	}
}

// Just before a cordon the fault must still be there, and the node still nobody's.
func TestReady(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*providers.Input)
		want   providers.ReadyState
	}{
		{"as planned", func(*providers.Input) {}, providers.Holds},
		{"the fault is gone", func(in *providers.Input) { in.World.Nodes["gpu0"].KernelLog.Events = nil },
			providers.Moved},
		{"the node is silent", func(in *providers.Input) { in.World.Nodes["gpu0"].Unknown = "no answer" },
			providers.Unknown},
		{"the API is silent", func(in *providers.Input) { in.World.Kubernetes.Unknown = "refused" }, providers.Unknown},
		{"somebody else was faster",
			func(in *providers.Input) { in.World.Kubernetes.Nodes[0].Unschedulable = true }, providers.Moved},
		{"the node has left",
			func(in *providers.Input) { in.World.Kubernetes.Nodes = in.World.Kubernetes.Nodes[1:] }, providers.Moved},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := fleet(t, 2, 0)
			step := block(1).Diff(in).Steps[0]
			test.change(&in)
			if got := (quarantining{}).Ready(in, step); got.State != test.want {
				t.Errorf("%+v, want %s", got, test.want)
			}
		})
	}
}

// Nothing counts twice: not within a boot, and after a reboot the log begins anew.
func TestSighted(t *testing.T) {
	look := healthy()
	n := look.Node
	n.KernelLog = facts.KernelLog{Boot: "b1", Next: 200, Events: []facts.KernelEvent{
		event(48, "0000:10:00", noon), event(31, "0000:20:00", noon), {Kind: "Xid", Code: 79, PCI: "0000:f0:00",
			Origin: "kernel", Sequence: 100},
	}}
	world := facts.World{Nodes: map[string]*facts.Node{"gpu1": &n}}
	fault := facts.DeviceFault{Node: "gpu1", PCI: "0000:10:00", Kind: "Xid 48", At: noon, Text: "NVRM: Xid"}
	for _, test := range []struct {
		name    string
		earlier facts.Earlier
		want    map[string][]facts.DeviceFault
	}{
		{"the first look", facts.Earlier{}, map[string][]facts.DeviceFault{"S1": {fault}}},
		{
			"the same records again", facts.Earlier{KernelLogs: map[string]facts.KernelLogQuestion{"gpu1": {Boot: "b1",
				From: 200}}},
			map[string][]facts.DeviceFault{},
		},
		{
			"another boot", facts.Earlier{KernelLogs: map[string]facts.KernelLogQuestion{"gpu1": {Boot: "b0", From: 200}}},
			map[string][]facts.DeviceFault{"S1": {fault}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := Sighted(world, nil, test.earlier)
			want := Sightings{Faults: test.want, Logs: map[string]facts.KernelLogQuestion{"gpu1": {Boot: "b1", From: 200}}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSpecSurvivesJSON(t *testing.T) {
	s := block(2)
	s.Repeat = Repeat{Faults: 3, Within: config.Duration(time.Hour)}
	s.Ignores = []Ignore{{Code: 63, Reason: "RMA", Owner: "ops", Until: "2027-01-31"}}
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	got, err := restore(data)
	if diff := cmp.Diff(any(s), got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// BenchmarkFleet judges 1,000 nodes with 8 GPUs each.
func BenchmarkFleet(b *testing.B) {
	in := providers.Input{Now: noon, World: facts.World{Nodes: map[string]*facts.Node{}}}
	for i := range 1000 {
		n := healthy().Node
		n.Name = fmt.Sprintf("gpu%d", i)
		in.World.Nodes[n.Name] = &n
		in.Inventory.Nodes = append(in.Inventory.Nodes, config.Node{Name: n.Name, Block: "gpu", Fleet: true})
	}
	for b.Loop() {
		if out := block(2).Diff(in); len(out.Findings) == 0 {
			b.Fatal("nothing is found")
		}
	}
}
