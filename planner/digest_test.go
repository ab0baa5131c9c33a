package planner_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// twoWidgets are two blocks over four nodes: "w" on two of them, "x" on the other two, one guarded by the vault.
func twoWidgets() planner.Request {
	r := testRequest(4, func(w *widget) {
		w.Nodes = config.Selection{Names: []string{"cp1", "cp2"}}
		w.Guards = []string{"copy"}
	})
	declare(&r, widget{Name: "x", Nodes: config.Selection{Names: []string{"cp3", "cp4"}}, Version: "2", Serial: "control-plane"})
	r.Directory, r.Lineage, r.Serial = "/etc/upkeep", "11111111-2222-4333-8444-555555555555", 7
	r.World.Kubernetes.Authority = "sha256:ca"
	for name, node := range r.World.Nodes {
		node.System.MachineID = "machine-" + name
	}
	r.Memory.Durations = map[string]float64{"widget.set": 3}
	return r
}

// One world, planned in six ways: what is equal has equal digests, and what differs is named by resource.
func TestOneWorldHasOneDigest(t *testing.T) {
	base := build(t, twoWidgets())
	if diff := cmp.Diff([]string{"widget.w", "widget.x"}, slices.Sorted(maps.Keys(base.Digests))); diff != "" {
		t.Fatalf("digests (-want +got):\n%s", diff)
	}
	for name, test := range map[string]struct {
		change func(*planner.Request)
		differ []string
	}{
		"another directory":     {func(r *planner.Request) { r.Directory = "/home/ops/upkeep"; r.Desired.Resources[0].Position.Line = 99 }, nil},
		"five hours later":      {func(r *planner.Request) { r.Now = r.Now.Add(5 * time.Hour); r.World.ObservedAt = r.Now }, nil},
		"without memory":        {func(r *planner.Request) { r.Memory = facts.Memory{}; r.Serial = 0 }, nil},
		"from facts":            {func(r *planner.Request) { r.Recorded = true }, nil},
		"another primary":       {func(r *planner.Request) { r.Desired.Nodes[1].Primary = true }, nil},
		"the guard is the same": {func(r *planner.Request) { r.World.Kubernetes.Version = "b" }, nil},
		"one node is down": {func(r *planner.Request) {
			r.World.Nodes["cp4"] = &facts.Node{Name: "cp4", Unknown: "ssh: no answer"}
		}, []string{"widget.x"}},
		"one machine is another": {func(r *planner.Request) { r.World.Nodes["cp2"].System.MachineID = "other" }, []string{"widget.w"}},
		"another cluster":        {func(r *planner.Request) { r.World.Kubernetes.Authority = "sha256:other" }, []string{"widget.w", "widget.x"}},
		"another state":          {func(r *planner.Request) { r.Lineage = "other" }, []string{"widget.w", "widget.x"}},
		"another version":        {func(r *planner.Request) { r.Desired.Resources[0].Value = with(r, func(w *widget) { w.Version = "3" }) }, []string{"widget.w"}},
		// A version that looks like a time is a version: the domain says what is a time, and nobody guesses.
		"a value like a time": {func(r *planner.Request) {
			r.Desired.Resources[0].Value = with(r, func(w *widget) { w.Version = "2026-11-22T03:00:00Z" })
		}, []string{"widget.w"}},
		"the guard is waived": {func(r *planner.Request) {
			r.Desired.Resources[0].Meta.Without = []config.Waiver{{Guard: "copy", Reason: "a lab"}}
		}, []string{"widget.w"}},
		"another block provides the guard, too": {func(r *planner.Request) {
			r.Desired.Resources = append(r.Desired.Resources, config.Declared{Type: "vault", Name: "second", Value: secondStore{}})
		}, []string{"widget.w"}},
		"another lane": {func(r *planner.Request) { r.Desired.Resources[0].Value = with(r, func(w *widget) { w.Serial = "own" }) }, []string{"widget.w"}},
		"a consent": {func(r *planner.Request) {
			r.Desired.Resources[0].Value = with(r, func(w *widget) { w.Consents = []providers.Consent{{Rule: "max_change", Demands: "less"}} })
		}, []string{"widget.w"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := twoWidgets()
			test.change(&r)
			p := build(t, r)
			if diff := cmp.Diff(test.differ, planner.Differing(base.Digests, p.Digests)); diff != "" {
				t.Errorf("resources that differ (-want +got):\n%s", diff)
			}
			if (p.Digest == base.Digest) != (len(test.differ) == 0) {
				t.Errorf("the digest of the plan is %s, and was %s", p.Digest, base.Digest)
			}
		})
	}
}

// Where two values differ at all, two digests do, however alike a decoder of JSON might read them.
func TestDigestsTellValuesApart(t *testing.T) {
	types := testTypes()
	types[0].DigestArgs = nil // the arguments as they are
	digest := func(args string) string {
		r := testRequest(1, nil)
		r.Desired.Resources[0].Value = fixed{args: args}
		p, err := planner.Build(r, types)
		if err != nil {
			t.Fatal(err)
		}
		return p.Digest
	}
	if digest(`{"a":1,"b":[2]}`) != digest(`{ "b" : [2], "a": 1 }`) {
		t.Error("spaces or the order of keys change the digest")
	}
	seen := map[string]string{}
	for _, args := range []string{
		`{}`, `{"a":1}`, `{"a":"1"}`, `{"a":1.0}`, `{"a":9007199254740993}`, `{"a":9007199254740992}`, `{"a":null}`, `{"b":1}`, `{"a":[1]}`,
		`{"a":"2026-11-22T03:00:00Z"}`, `{"a":"2026-11-22T03:00:01Z"}`,
	} {
		d := digest(args)
		if other, twice := seen[d]; twice {
			t.Errorf("%s and %s have the same digest", args, other)
		}
		seen[d] = args
	}
}

// fixed is a widget that plans one step with the arguments it is given.
type fixed struct {
	widget
	args string
}

func (fixed) Address() providers.Address { return providers.Address{Type: "widget", Name: "w"} }
func (f fixed) Diff(providers.Input) providers.Outcome {
	return providers.Outcome{Steps: []providers.Step{{ID: "widget.w/restart", Operation: "widget.restart", Args: json.RawMessage(f.args)}}}
}
