package wiring_test

import (
	"strings"
	"testing"

	"upkeep/cmd/upkeep/wiring"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// What a look discovers can be named from then on, also where a later look cannot discover it for a moment.
func TestNamesResolveToWhatWasDiscovered(t *testing.T) {
	desired, endpoints := house()
	nodes := wiring.NewNodes(&client{}, desired, endpoints)
	found := facts.World{
		Fleets: map[string]facts.Fleet{"workers": {Members: []string{"w1"}}},
		Kubernetes: facts.Kubernetes{Nodes: []facts.KubernetesNode{{
			Name: "w1", Addresses: map[string]string{"InternalIP": "10.0.1.1"},
		}}},
	}
	moved := facts.World{Fleets: found.Fleets, Kubernetes: facts.Kubernetes{Nodes: []facts.KubernetesNode{{
		Name: "w1", Addresses: map[string]string{"InternalIP": "10.0.1.9"},
	}}}}
	silent := facts.World{Fleets: map[string]facts.Fleet{"workers": {Unknown: "the API is down"}}}
	for _, step := range []struct {
		name  string
		world *facts.World // nil: nothing was looked at yet
		want  string       // where a tunnel to w1 goes; empty: w1 is no node
	}{
		{"before any look", nil, ""},
		{"discovered", &found, "10.0.1.1 files"},
		{"not discoverable for a moment", &silent, "10.0.1.1 files"},
		{"at another address", &moved, "10.0.1.9 files"},
	} {
		if step.world != nil {
			nodes.Know(providers.NewInventory(desired, *step.world))
		}
		got, err := nodes.Tunnel(t.Context(), "w1", "files")
		switch {
		case step.want == "":
			if err == nil || err.Error() != "w1 is not a node of this configuration" {
				t.Errorf("%s: %v", step.name, err)
			}
		case err != nil || got.(conn).name != step.want:
			t.Errorf("%s: %v, %v; want %s", step.name, got, err, step.want)
		}
	}
}

func TestAnEndpointIsReachedThroughTheFirstNodeThatConnects(t *testing.T) {
	desired, endpoints := house()
	for _, test := range []struct {
		name, member string
		refused      []string
		want, err    string
	}{
		{name: "the first", member: elsewhere, want: "10.0.0.1 " + elsewhere},
		{name: "the second", member: elsewhere, refused: []string{"10.0.0.1"}, want: "10.0.0.2 " + elsewhere},
		{name: "none", member: elsewhere, refused: []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"},
			err: "no node through which " + elsewhere + " is reached gave a connection\ncp1: no answer\ncp2: no answer\ncp3: no answer"},
		{name: "a member on a node", member: "cp2", want: "10.0.0.2 etcd"},
		{name: "nobody", member: "cp9", err: "cp9 is not a node of this configuration"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := wiring.NewNodes(&client{refused: test.refused}, desired, endpoints).Member(t.Context(), test.member)
			if test.err != "" {
				if err == nil || err.Error() != test.err {
					t.Fatalf("%v, want %s", err, test.err)
				}
				return
			}
			if err != nil || got.(conn).name != test.want {
				t.Errorf("%v, %v; want %s", got, err, test.want)
			}
		})
	}
}

func TestALookWantsADeclaredResource(t *testing.T) {
	desired, endpoints := house()
	look := looker(wiring.NewNodes(&client{}, desired, endpoints), desired)
	_, err := look.Step(t.Context(), providers.Step{ID: "block.b/do", Address: providers.Address{Type: "block", Name: "b"}})
	if err == nil || !strings.Contains(err.Error(), "step block.b/do belongs to block.b, which the plan does not declare") {
		t.Error(err)
	}
}
