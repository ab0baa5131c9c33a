package certificates_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/fixtures/worlds"
	"upkeep/providers"
	"upkeep/providers/certificates"
	"upkeep/providers/facts"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func spec() certificates.Spec {
	return certificates.Spec{
		Name: "control_plane", Layout: "auto", Nodes: config.Selection{Roles: []string{"control-plane"}},
		RenewBefore: config.Duration(30 * 24 * time.Hour), Kubeconfigs: []string{worlds.Copy},
		Position:      config.Position{File: "provider.upkeep.hcl", Line: 20},
		RenewBeforeAt: config.Position{File: "provider.upkeep.hcl", Line: 23},
	}
}

func input(w facts.World, n int) providers.Input {
	desired := config.Desired{Nodes: worlds.Nodes(n)}
	return providers.Input{World: w, Now: now, Inventory: providers.NewInventory(desired, w)}
}

// fold predicts the steps one after the other, as the planner does, and returns the steps with what they rely on and the
// world before each of them; the last one is the world after all.
func fold(t testFailer, in providers.Input, steps []providers.Step) ([]providers.Step, []providers.Input) {
	effects := certificates.Type().Effects
	befores := []providers.Input{in}
	var out []providers.Step
	for _, s := range steps {
		s = grounded(t, effects[s.Operation], in, s)
		out = append(out, s)
		w := in.World.Clone()
		w.Apply(effects[s.Operation].Predict(in, s))
		in.World = w
		befores = append(befores, in)
	}
	return out, befores
}

func TestDueCertificatesOfThreeControlPlanes(t *testing.T) {
	w := worlds.ControlPlanes(3, now)
	for _, n := range w.Nodes {
		worlds.Age(now, 12*24*time.Hour, n, "apiserver", "admin.conf", "controller-manager.conf")
	}
	in := input(w, 3)
	out := spec().Diff(in)
	var got []string
	for _, s := range out.Steps {
		got = append(got, fmt.Sprint(s.ID, ": ", s.Summary, " after ", s.After))
	}
	want := []string{
		"certificates.control_plane@cp1/renew: renew apiserver, admin.conf, controller-manager.conf after []",
		"certificates.control_plane@cp1/restart: restart kube-controller-manager after [certificates.control_plane@cp1/renew]",
		"certificates.control_plane@cp2/renew: renew apiserver, admin.conf, controller-manager.conf after []",
		"certificates.control_plane@cp2/restart: restart kube-controller-manager after [certificates.control_plane@cp2/renew]",
		"certificates.control_plane@cp3/renew: renew apiserver, admin.conf, controller-manager.conf after []",
		"certificates.control_plane@cp3/restart: restart kube-controller-manager after [certificates.control_plane@cp3/renew]",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	_, befores := fold(t, in, out.Steps)
	after := spec().Diff(befores[len(befores)-1])
	if len(after.Steps) != 0 || len(after.Findings) != 0 {
		t.Errorf("the predicted world still has findings %v, steps %v", after.Findings, after.Steps)
	}
}

// grounded returns a step with what it relies on in a world, as the planner records it.
func grounded(t testFailer, effect providers.Effect, in providers.Input, step providers.Step) providers.Step {
	t.Helper()
	step, err := step.WithGround(effect.Ground(in, step))
	if err != nil {
		t.Fatal(err)
	}
	return step
}

// testFailer is a test, or a property of one.
type testFailer interface {
	Helper()
	Fatal(args ...any)
}
