package driver

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// workers are nodes gpu1, gpu2, ... by what makes each of them: old or changed, and its changes.
func workers(nodes ...facts.Node) []facts.Node {
	for i := range nodes {
		n := fmt.Sprint(i + 1)
		nodes[i].Name, nodes[i].System.MachineID, nodes[i].System.BootID = "gpu"+n, "m"+n, "b"+n
	}
	return nodes
}

func gpus(name string) func(*facts.Node) {
	return func(n *facts.Node) {
		n.NVIDIA.Devices.GPUs = []facts.PCIDevice{{Address: "0000:01:00.0", Model: name}}
	}
}

func soaking(d time.Duration) func(*Spec) {
	return func(s *Spec) { s.Soak, s.Limits.MaxUnavailable, s.Limits.MaxFailures = config.Duration(d), 3, 1 }
}

// knows has the memory know that a node was the first of its model to have a version, some time ago.
func knows(node, model, version string, ago time.Duration) func(*providers.Input) {
	return func(in *providers.Input) {
		block := block().Address()
		step := providers.NewStep(*in, block.On(node), "record", OperationRecord, canaryArgs{Canary: node, Model: model,
			Version: version, GPUs: 1}, 0)
		data, err := Remember(in.Memory.Sections[block], step, noon.Add(-ago))
		if err != nil {
			panic(err)
		}
		in.Memory = in.Memory.WithSections(facts.Sections{block: data})
	}
}

// leave has an earlier run have left a node cordoned.
func leave(i int) func(*providers.Input) {
	return func(in *providers.Input) {
		k := &in.World.Kubernetes.Nodes[i]
		k.Unschedulable = true
		k.Cordon = &facts.Cordon{By: "nvidia_driver.workers", Run: "plan p0", Since: noon.Add(-time.Hour)}
	}
}

// tenantOn puts a tenant on a node.
func tenantOn(name string) func(*providers.Input) {
	return func(in *providers.Input) {
		in.World.Tenancies.Leases = append(in.World.Tenancies.Leases, facts.TenantLease{Namespace: "l-" + name,
			Owner: "akash1o", DSeq: "5", GSeq: "1", OSeq: "1", Provider: "akash1p",
			Pods: []facts.TenantPod{{Name: "app", Node: name, GPUs: 1}}})
	}
}

// across tells what the nodes wait for: each step that comes after one of another node, or of none, and each step of
// the memory and of the soak.
func across(steps []providers.Step) (out []string) {
	short := func(id string) string { return strings.TrimPrefix(id, "nvidia_driver.workers") }
	for _, s := range steps {
		var after []string
		for _, id := range s.After {
			if !strings.HasPrefix(id, s.Address.String()+"/") || s.Node == "" {
				after = append(after, short(id))
			}
		}
		switch {
		case len(after) > 0:
			out = append(out, short(s.ID)+" after "+strings.Join(after, ", "))
		case s.Operation == OperationRecord || s.Operation == OperationSoak:
			out = append(out, short(s.ID))
		}
	}
	return out
}

func TestTheFirstNodeOfAModelGoesAlone(t *testing.T) {
	const day = 24 * time.Hour
	three := func() []facts.Node { return workers(old(), old(), old()) }
	for _, test := range []struct {
		name   string
		soak   time.Duration
		nodes  []facts.Node
		change []func(*providers.Input)
		want   []string
		// begin are the nodes that anything is planned for.
		begin    []string
		findings []string
		says     string
	}{
		{
			name: "the others follow after the soak", soak: day, nodes: three(), begin: []string{"gpu1", "gpu2", "gpu3"},
			want: []string{"@gpu1/record", "@gpu2/download after /soak-h100", "@gpu3/download after /soak-h100",
				"/soak-h100 after @gpu1/record"},
			findings: []string{due, due, due},
		},
		{
			name: "without a soak they follow at once", nodes: three(), begin: []string{"gpu1", "gpu2", "gpu3"},
			want: []string{"@gpu1/record", "@gpu2/download after @gpu1/record",
				"@gpu3/download after @gpu1/record"},
			findings: []string{due, due, due},
		},
		{
			name: "each model has its own", soak: day, begin: []string{"gpu1", "gpu2", "gpu3", "gpu4"},
			nodes: workers(old(gpus("a100")), old(), old(), old(gpus("a100"))),
			want: []string{"@gpu1/record", "@gpu2/record", "@gpu3/download after /soak-h100",
				"@gpu4/download after /soak-a100", "/soak-a100 after @gpu1/record", "/soak-h100 after @gpu2/record"},
			findings: []string{due, due, due, due},
		},
		{name: "the only one of its model is no canary", soak: day, nodes: workers(old(), old(gpus("a100"))),
			begin: []string{"gpu1", "gpu2"}, findings: []string{due, due}},
		{
			name: "a node without tenants goes first", soak: day, nodes: three(), change: []func(*providers.Input){
				tenantOn("gpu1"), tenantOn("gpu2")},
			want: []string{"@gpu1/download after /soak-h100", "@gpu2/download after /soak-h100", "@gpu3/record",
				"/soak-h100 after @gpu3/record"},
			begin: []string{"gpu1", "gpu2", "gpu3"}, findings: []string{due, due, due},
		},
		{
			name: "what an earlier run left goes first", soak: day, nodes: three(), change: []func(*providers.Input){leave(1)},
			want: []string{"@gpu1/download after /soak-h100", "@gpu2/record", "@gpu3/download after /soak-h100",
				"/soak-h100 after @gpu2/record"},
			begin: []string{"gpu1", "gpu2", "gpu3"}, findings: []string{due, due, due},
		},
		{
			name: "left with its driver, it is given back and remembered", soak: day, nodes: workers(old(), changed(loaded)),
			change: []func(*providers.Input){leave(1)},
			want: []string{"@gpu1/download after /soak-h100", "@gpu2/record",
				"/soak-h100 after @gpu2/record"},
			begin: []string{"gpu1", "gpu2"}, findings: []string{due, left},
		},
		{
			name: "the soak goes on in the next run", soak: day, nodes: workers(changed(loaded), old(), old()),
			change: []func(*providers.Input){knows("gpu1", "h100", "580.126.20", 20*time.Hour)},
			want:   []string{"@gpu2/download after /soak-h100", "@gpu3/download after /soak-h100", "/soak-h100"},
			begin:  []string{"gpu2", "gpu3"}, findings: []string{due, due},
			says: "the change waits until driver 580.126.20 has run on gpu1 (h100) for 1d: since 2026-11-21 16:00 UTC, " +
				"until 2026-11-22 16:00 UTC",
		},
		{
			name: "the soak is over", soak: day, nodes: workers(changed(loaded), old(), old()),
			change: []func(*providers.Input){knows("gpu1", "h100", "580.126.20", day)},
			begin:  []string{"gpu2", "gpu3"}, findings: []string{due, due},
		},
		{
			name: "another version is remembered", soak: day, nodes: three(), begin: []string{"gpu1", "gpu2", "gpu3"},
			change: []func(*providers.Input){knows("gpu1", "h100", "570.124.06", 2*day)},
			want: []string{"@gpu1/record", "@gpu2/download after /soak-h100", "@gpu3/download after /soak-h100",
				"/soak-h100 after @gpu1/record"},
			findings: []string{due, due, due},
		},
		{
			name: "another model is remembered", soak: day, nodes: workers(changed(loaded, gpus("a100")), old(), old()),
			change: []func(*providers.Input){knows("gpu1", "a100", "580.126.20", 2*day)},
			want:   []string{"@gpu2/record", "@gpu3/download after /soak-h100", "/soak-h100 after @gpu2/record"},
			begin:  []string{"gpu2", "gpu3"}, findings: []string{due, due},
		},
		{
			name: "the canary is due again", soak: day, nodes: workers(old(), old()),
			change: []func(*providers.Input){knows("gpu1", "h100", "580.126.20", 2*day)},
			want:   []string{"@gpu1/record", "@gpu2/download after /soak-h100", "/soak-h100 after @gpu1/record"},
			begin:  []string{"gpu1", "gpu2"}, findings: []string{due, due},
		},
		{
			name: "a node has the driver, and nobody remembers it", soak: day, nodes: workers(old(), old(), changed(loaded)),
			want: []string{"@gpu1/download after /soak-h100", "@gpu2/download after /soak-h100", "@gpu3/record",
				"/soak-h100 after @gpu3/record"},
			begin: []string{"gpu1", "gpu2", "gpu3"}, findings: []string{due, due},
		},
		{
			name: "a node has the driver, and the driver does not work", soak: day, nodes: workers(old(), old(), changed(loaded,
				func(n *facts.Node) { n.NVIDIA.CUDA.Result = 802 })),
			want:  []string{"@gpu1/record", "@gpu2/download after /soak-h100", "/soak-h100 after @gpu1/record"},
			begin: []string{"gpu1", "gpu2"}, findings: []string{due, due},
		},
		{
			name: "remembered, and left cordoned since", soak: day, nodes: workers(changed(loaded), old()),
			change: []func(*providers.Input){knows("gpu1", "h100", "580.126.20", 2*day), leave(0)},
			want:   []string{"@gpu1/record", "@gpu2/download after /soak-h100", "/soak-h100 after @gpu1/record"},
			begin:  []string{"gpu1", "gpu2"}, findings: []string{left, due},
		},
		{name: "all have the driver", soak: day, nodes: workers(changed(loaded), changed(loaded))},
		{
			name: "the canary has left the block", soak: day, nodes: workers(changed(loaded), old(), old()),
			change: []func(*providers.Input){knows("gpu1", "h100", "580.126.20", 2*day),
				func(in *providers.Input) { in.Inventory.Nodes[0].Block = "other" }},
			want:  []string{"@gpu2/record", "@gpu3/download after /soak-h100", "/soak-h100 after @gpu2/record"},
			begin: []string{"gpu2", "gpu3"}, findings: []string{due, due, unclaimed},
		},
		{
			name: "a GPU of the canary fails in its soak", soak: day, nodes: workers(changed(loaded,
				func(n *facts.Node) { n.NVIDIA.NVML.GPUs[0].Unknown = "GPU is lost" }), old(), old()),
			change: []func(*providers.Input){knows("gpu1", "h100", "580.126.20", 2*day)},
			says: "gpu1 goes first with driver 580.126.20 of the nodes with h100, and is no proof of the driver: " +
				"NVML lists 0 working GPUs of 1. No other node with h100 starts (2 nodes due)",
			findings: []string{due, due, canary},
		},
		{
			name: "the canary is cordoned by hand", soak: day, nodes: workers(changed(loaded), old()),
			change: []func(*providers.Input){knows("gpu1", "h100", "580.126.20", 2*day),
				func(in *providers.Input) { in.World.Kubernetes.Nodes[0].Unschedulable = true }},
			says: "the node is cordoned", findings: []string{due, canary},
		},
		{
			name: "the GPU of the canary is gone", soak: day, nodes: workers(changed(loaded, func(n *facts.Node) {
				n.NVIDIA.Devices.GPUs = nil
			}), old()),
			change: []func(*providers.Input){knows("gpu1", "h100", "580.126.20", 2*day)},
			says:   "no GPU is on the PCI bus", findings: []string{due, canary},
		},
		{
			name: "the canary has other GPUs now", soak: day, nodes: workers(changed(loaded, gpus("a100")), old(), old()),
			change: []func(*providers.Input){knows("gpu1", "h100", "580.126.20", 2*day)},
			want:   []string{"@gpu2/record", "@gpu3/download after /soak-h100", "/soak-h100 after @gpu2/record"},
			begin:  []string{"gpu2", "gpu3"}, findings: []string{due, due},
		},
		{
			name: "the canary does not answer", soak: day, nodes: workers(facts.Node{Unknown: "no answer"}, old()),
			change: []func(*providers.Input){knows("gpu1", "h100", "580.126.20", 2*day)},
			says:   "no answer", findings: []string{"NODE_UNREACHABLE", due, canary},
		},
		{
			name: "the canary was left and cannot go on", soak: day, nodes: workers(changed(func(n *facts.Node) {
				n.History.Entries = []facts.HistoryEntry{
					{Method: "driver.install", Ended: noon, Outcome: facts.OutcomeDone},
					{Method: "node.reboot", Ended: noon.Add(time.Hour), Outcome: facts.OutcomeRebooted},
				}
			}), old(), old(gpus("a100"))),
			change: []func(*providers.Input){leave(0)}, begin: []string{"gpu3"},
			says: "an earlier run left the node cordoned, and the node cannot go on. No other node with h100 starts (1 node " +
				"due)",
			findings: []string{due, blocked, due, due, canary},
		},
		{
			name: "the memory is a newer upkeep's", soak: day, nodes: three(), says: "upgrade upkeep",
			change: []func(*providers.Input){func(in *providers.Input) {
				in.Memory = in.Memory.WithSections(facts.Sections{block().Address(): json.RawMessage(`{"version":9}`)})
			}},
			findings: []string{unknown, due, due, due},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := block(soaking(test.soak))
			in := world(s, test.nodes...)
			for _, change := range test.change {
				change(&in)
			}
			out := s.Diff(in)
			var begin, findings []string
			text := ""
			for _, step := range out.Steps {
				if step.Node != "" && !slices.Contains(begin, step.Node) {
					begin = append(begin, step.Node)
				}
			}
			for _, f := range out.Findings {
				findings = append(findings, f.ID)
				text += f.Summary + "\n"
			}
			if diff := cmp.Diff(test.want, across(out.Steps)); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.begin, begin); diff != "" {
				t.Errorf("nodes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.findings, findings); diff != "" {
				t.Errorf("findings (-want +got):\n%s%s", diff, text)
			}
			if !strings.Contains(text, test.says) {
				t.Errorf("%q does not say %q", text, test.says)
			}
		})
	}
}

// TestLanesByModel: one lane for the block, and one for each model, whose names are the same whatever is due.
func TestLanesByModel(t *testing.T) {
	s := block(soaking(0), func(s *Spec) { s.MaxSameModel = 2 })
	in := world(s, workers(old(), old(gpus("a100")), old(), changed(loaded))...)
	got := map[string][]providers.Lane{}
	for _, step := range s.Diff(in).Steps {
		got[step.Node] = step.Lanes
	}
	all := providers.Lane{Name: "nvidia_driver.workers", Width: 3, Failures: 1, Selection: []string{"gpu1", "gpu2", "gpu3",
		"gpu4"}}
	h100 := providers.Lane{Name: "nvidia_driver.workers/h100", Width: 2, Failures: 1, Selection: []string{"gpu1", "gpu3",
		"gpu4"}}
	a100 := providers.Lane{Name: "nvidia_driver.workers/a100", Width: 2, Failures: 1, Selection: []string{"gpu2"}}
	want := map[string][]providers.Lane{"gpu1": {all, h100}, "gpu2": {all, a100}, "gpu3": {all, h100}, "gpu4": nil}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lanes (-want +got):\n%s", diff)
	}
}

func TestModelOf(t *testing.T) {
	for want, gpus := range map[string][]facts.PCIDevice{
		"":               nil,
		"h100":           {{Model: "h100"}, {Model: "h100"}},
		"a100+h100":      {{Model: "h100"}, {Model: "a100"}},
		"10de-ffff":      {{Device: "10de:ffff"}},
		"10de-ffff+h100": {{Model: "h100"}, {Device: "10de:ffff"}},
		"unknown":        {{}},
	} {
		if got := modelOf(facts.Node{NVIDIA: facts.NVIDIA{Devices: facts.NVIDIADevices{GPUs: gpus}}}); got != want {
			t.Errorf("%+v are %q, want %q", gpus, got, want)
		}
	}
}

// TestSoakReady: the wait says for what, since when and until when; a canary that fails ends it.
func TestSoakReady(t *testing.T) {
	const day = 24 * time.Hour
	for _, test := range []struct {
		name   string
		change []func(*providers.Input)
		want   providers.Readiness
	}{
		{"it has just begun", []func(*providers.Input){knows("gpu1", "h100", "580.126.20", time.Hour)}, providers.Readiness{
			State: providers.Waits, Since: noon.Add(-time.Hour), Again: noon.Add(23 * time.Hour),
			For: "driver 580.126.20 to have run on gpu1 (h100) for 1d: until 2026-11-23 11:00 UTC",
		}},
		{"it is over", []func(*providers.Input){knows("gpu1", "h100", "580.126.20", day)}, providers.Done.Because(
			"driver 580.126.20 has run on gpu1 since 2026-11-21 12:00 UTC, and works")},
		{"nothing is remembered", nil, providers.Moved.Because(
			"the state does not remember driver 580.126.20 on h100 as proved on gpu1")},
		{"another node went first", []func(*providers.Input){knows("gpu2", "h100", "580.126.20", 2*day)},
			providers.Moved.Because("the state does not remember driver 580.126.20 on h100 as proved on gpu1")},
		{"it has failed", []func(*providers.Input){knows("gpu1", "h100", "580.126.20", 2*day), func(in *providers.Input) {
			in.World.Nodes["gpu1"].NVIDIA.CUDA = facts.CUDA{Call: "cuInit", Result: 802, Meaning: "system not yet initialized"}
		}}, providers.Moved.Because("gpu1 is no proof of driver 580.126.20 any more: " +
			"CUDA: cuInit returns 802 system not yet initialized")},
		{"it does not answer", []func(*providers.Input){knows("gpu1", "h100", "580.126.20", 2*day),
			func(in *providers.Input) { in.World.Nodes["gpu1"].Unknown = "no answer" }},
			providers.Unknown.Because("nothing is known of gpu1: no answer")},
		{"the cluster does not answer", []func(*providers.Input){knows("gpu1", "h100", "580.126.20", 2*day),
			func(in *providers.Input) { in.World.Kubernetes.Unknown = "no answer" }},
			providers.Unknown.Because("Kubernetes does not say how gpu1 is")},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := block(soaking(day))
			before := world(s, workers(changed(loaded), old())...)
			knows("gpu1", "h100", "580.126.20", time.Hour)(&before)
			steps := s.Diff(before).Steps
			soak := steps[len(steps)-1]
			if soak.Operation != OperationSoak {
				t.Fatalf("the last step is %s", soak.ID)
			}
			in := world(s, workers(changed(loaded), old())...)
			for _, change := range test.change {
				change(&in)
			}
			got := canaryEffect{OperationSoak}.Ready(in, soak)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("ready (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTheCanaryIsRemembered: the step asks for a node that works, writes what Remember says, and is done once.
func TestTheCanaryIsRemembered(t *testing.T) {
	s := block(soaking(time.Hour))
	in := world(s, workers(changed(loaded), old())...)
	steps := s.Diff(in).Steps
	i := slices.IndexFunc(steps, func(s providers.Step) bool { return s.Operation == OperationRecord })
	record, e := steps[i], canaryEffect{OperationRecord}
	if r := e.Ready(in, record); r.State != providers.Holds {
		t.Errorf("it is %s: %s", r.State, r.Why)
	}
	in.World = in.World.Clone()
	broken := in
	broken.World = in.World.Clone()
	n := *in.World.Nodes["gpu1"]
	n.NVIDIA.Module.Loaded = false
	broken.World.Nodes["gpu1"] = &n
	if r := e.Ready(broken, record); r.State != providers.Unknown || !strings.Contains(r.Why, "not loaded") {
		t.Errorf("it is %s: %s", r.State, r.Why)
	}
	if err := e.Proved(in, in, record); err == nil {
		t.Error("it is proved, and nothing is remembered")
	}
	after := in
	after.Apply(e.Predict(in, record))
	if err := e.Proved(in, after, record); err != nil {
		t.Error(err)
	}
	if r := e.Ready(after, record); r.State != providers.Done {
		t.Errorf("it is %s: %s", r.State, r.Why)
	}
	// A proof that is older than the plan is no reason to be done: the node has had another driver since.
	knows("gpu1", "h100", "580.126.20", 48*time.Hour)(&in)
	record, err := record.WithGround(e.Ground(in, record))
	if err != nil {
		t.Fatal(err)
	}
	if r := e.Ready(in, record); r.State != providers.Holds || e.Proved(in, in, record) == nil {
		t.Errorf("with an old proof it is %s: %s", r.State, r.Why)
	}
	if r := e.Ready(after, record); r.State != providers.Done || e.Proved(in, after, record) != nil {
		t.Errorf("with a new proof it is %s: %s", r.State, r.Why)
	}
	want := []proof{{Model: "h100", Driver: "580.126.20", Node: "gpu1", GPUs: 1, At: noon}}
	got, err := remembered(after.Memory, s.Address())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("remembered (-want +got):\n%s", diff)
	}
}

// TestTheMemoryStaysSmall: of each model the newest versions are kept, and each version once.
func TestTheMemoryStaysSmall(t *testing.T) {
	var in providers.Input
	for i := range 9 {
		knows("gpu1", "h100", fmt.Sprintf("580.%d", i), -time.Duration(i)*time.Hour)(&in)
	}
	knows("gpu2", "a100", "580.1", 0)(&in)
	knows("gpu3", "h100", "580.7", -10*time.Hour)(&in)
	proofs, err := remembered(in.Memory, block().Address())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range proofs {
		got = append(got, p.Model+" "+p.Driver+" "+p.Node)
	}
	want := []string{"h100 580.5 gpu1", "h100 580.6 gpu1", "h100 580.8 gpu1", "a100 580.1 gpu2", "h100 580.7 gpu3"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("remembered (-want +got):\n%s", diff)
	}
}

// TestPlansOfManyConverge: after the steps of a plan for two models, in their order, nothing is left to do once the soak
// is over, and each step may run in the world that the ones before it leave.
func TestPlansOfManyConverge(t *testing.T) {
	s := block(soaking(time.Hour))
	in := world(s, workers(old(), old(gpus("a100")), old(), old(gpus("a100")))...)
	in.World = in.World.Clone()
	all, done := AllEffects(), map[string]bool{}
	steps := s.Diff(in).Steps
	for len(done) < len(steps) {
		some := false
		for _, step := range steps {
			if done[step.ID] || slices.ContainsFunc(step.After, func(id string) bool { return !done[id] }) {
				continue
			}
			done[step.ID], some = true, true
			e := all[step.Operation]
			step, err := step.WithGround(e.Ground(in, step))
			if err != nil {
				t.Fatal(err)
			}
			r := e.Ready(in, step)
			if r.State == providers.Waits {
				in.Now = r.Again
				r = e.Ready(in, step)
			}
			if r.State != providers.Holds && r.State != providers.Done {
				t.Errorf("%s: %s: %s", step.ID, r.State, r.Why)
			}
			before := in
			before.World = in.World.Clone()
			in.Apply(e.Predict(in, step))
			if err := e.Proved(before, in, step); err != nil {
				t.Errorf("%s: %v", step.ID, err)
			}
			if len(e.ByHand(in, step)) == 0 {
				t.Errorf("%s: nobody could do it by hand", step.ID)
			}
		}
		if !some {
			t.Fatal("the steps wait for one another")
		}
	}
	if out := s.Diff(in); len(out.Steps)+len(out.Findings) > 0 {
		t.Errorf("left are %d steps and %+v", len(out.Steps), out.Findings)
	}
	if took := in.Now.Sub(noon); took != time.Hour {
		t.Errorf("the two soaks took %s", took)
	}
}

// TestTheEndOfTheSoakIsForetold: who plans ahead is told when another outcome is possible.
func TestTheEndOfTheSoakIsForetold(t *testing.T) {
	s := block(soaking(24 * time.Hour))
	in := world(s, workers(changed(loaded), old())...)
	knows("gpu1", "h100", "580.126.20", time.Hour)(&in)
	if got := providers.Review(s, in).Until; !got.Equal(noon.Add(23 * time.Hour)) {
		t.Errorf("until %s", got)
	}
}
