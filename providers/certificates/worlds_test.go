package certificates_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/fixtures/worlds"
	"upkeep/providers"
	"upkeep/providers/certificates"
	"upkeep/providers/facts"
	"upkeep/providers/node/protocol"
)

// What random worlds (fixtures/simulation) found, each as the smallest case of it.

// TestWhatApplyWouldRefuseIsNotPlanned: one step that can never be done closes its lane, and with it the work on all
// nodes after it.
func TestWhatApplyWouldRefuseIsNotPlanned(t *testing.T) {
	tests := []struct {
		name   string
		change func(w *facts.World)
		want   []string
	}{
		{
			name: "a key that is missing is not made",
			change: func(w *facts.World) {
				worlds.File(w.Nodes["cp1"], "etcd-peer").Key = "missing"
				worlds.Age(now, day, w.Nodes["cp1"], "etcd-peer", "etcd-server")
			},
			want: []string{"certificates.control_plane@cp1/renew: renew etcd-server"},
		},
		{
			name: "a copy does not follow on a node of another cluster",
			change: func(w *facts.World) {
				w.Kubernetes.Authority = "another"
				b := &worlds.File(w.Nodes["cp1"], worlds.Copy).Blocks[0]
				b.SHA256, b.NotAfter = "old", b.NotAfter.Add(-day)
			},
		},
		{
			name: "nothing is renewed on a node whose CA cannot be read",
			change: func(w *facts.World) {
				f := worlds.File(w.Nodes["cp1"], "ca")
				f.Unknown, f.Blocks = "no PEM block", nil
				worlds.Age(now, day, w.Nodes["cp1"], "etcd-server", "apiserver")
			},
		},
		{
			name: "two authorities, and nobody knows which is right",
			change: func(w *facts.World) {
				worlds.File(w.Nodes["cp1"], "etcd-ca").Blocks[0].SHA256 = "another"
				worlds.Age(now, day, w.Nodes["cp1"], "etcd-server")
				worlds.Age(now, day, w.Nodes["cp2"], "etcd-server")
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := worlds.ControlPlanes(2, now)
			test.change(&w)
			if d := cmp.Diff(test.want, append([]string(nil), ids(spec().Diff(input(w, 2)).Steps)...)); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestMostControlPlanesAreRight: of three control planes the one with another authority is left alone, and the others are not.
func TestMostControlPlanesAreRight(t *testing.T) {
	w := worlds.ControlPlanes(3, now)
	worlds.File(w.Nodes["cp3"], "etcd-ca").Blocks[0].SHA256 = "another"
	for _, name := range []string{"cp1", "cp2", "cp3"} {
		worlds.Age(now, day, w.Nodes[name], "etcd-server")
	}
	want := []string{"certificates.control_plane@cp1/renew: renew etcd-server", "certificates.control_plane@cp2/renew: renew etcd-server"}
	if d := cmp.Diff(want, ids(spec().Diff(input(w, 3)).Steps)); d != "" {
		t.Error(d)
	}
}

// TestUnseenIsNotBroken: a control plane whose containers cannot be seen is not therefore free to be worked on while another
// one is down.
func TestUnseenIsNotBroken(t *testing.T) {
	in, steps := due(t)
	in.World = worlds.Clone(in.World)
	in.World.Nodes["cp2"].ControlPlane.ContainersUnknown = "no CRI socket answers"
	worlds.Pod(in.World.Nodes["cp1"], "kube-apiserver").ContainerID = ""
	worlds.File(in.World.Nodes["cp1"], "apiserver").Modified = now.Add(-time.Hour)
	if r := ready(in, steps[0]); r.State != providers.Unknown || !strings.Contains(r.Why, "control plane cp1 is unhealthy") {
		t.Errorf("%+v", r)
	}
}

// TestAReaderThatCameBackIsNotForgotten: what did not run when the plan was made is not restarted by it, so that its
// kubeconfig must not be renewed under it.
func TestAReaderThatCameBackIsNotForgotten(t *testing.T) {
	w := worlds.ControlPlanes(1, now)
	worlds.Age(now, day, w.Nodes["cp1"], "scheduler.conf")
	id := worlds.Pod(w.Nodes["cp1"], "kube-scheduler").ContainerID
	worlds.Pod(w.Nodes["cp1"], "kube-scheduler").ContainerID = ""
	in := input(w, 1)
	steps, _ := fold(t, in, spec().Diff(in).Steps)
	if d := cmp.Diff([]string{"certificates.control_plane@cp1/renew: renew scheduler.conf"}, ids(steps)); d != "" {
		t.Fatal(d)
	}
	in.World = worlds.Clone(w)
	worlds.Pod(in.World.Nodes["cp1"], "kube-scheduler").ContainerID = id
	if r := ready(in, steps[0]); r.State != providers.Moved || !strings.Contains(r.Why, "kube-scheduler on cp1 runs now, but did not run when the plan was made") {
		t.Errorf("%+v", r)
	}
}

// TestNothingIsRestartedForAnothersSake: a component that uses what is on disk keeps its container although another one of the
// same step must go; after repairing each component has a step of its own.
func TestNothingIsRestartedForAnothersSake(t *testing.T) {
	w := worlds.ControlPlanes(1, now)
	n := w.Nodes["cp1"]
	worlds.File(n, "controller-manager.conf").Modified = now
	worlds.File(n, "scheduler.conf").Modified = now
	in := input(w, 1)
	steps, _ := fold(t, in, spec().Diff(in).Steps)
	in.World = worlds.Clone(w)
	worlds.File(in.World.Nodes["cp1"], "scheduler.conf").Modified = now.Add(-worlds.Old)
	if r := ready(in, steps[0]); r.State != providers.Moved || !strings.Contains(r.Why, "kube-scheduler on cp1 uses what is on disk by now") {
		t.Errorf("%+v", r)
	}

	n.Certificates.Unfinished = []facts.Unfinished{{ID: "r1", Remaining: []string{"scheduler.conf"}}}
	want := []string{
		"certificates.control_plane@cp1/repair: repair the renewal that was interrupted",
		"certificates.control_plane@cp1/restart-kube-controller-manager: restart kube-controller-manager",
		"certificates.control_plane@cp1/restart-kube-scheduler: restart kube-scheduler",
	}
	if d := cmp.Diff(want, ids(spec().Diff(input(w, 1)).Steps)); d != "" {
		t.Error(d)
	}
}

// TestAStuckPortDoesNotSpoilTheRenewal: what did not reload before the renewal will not after it; the restart that follows in
// the same plan proves it. A port that did reload must.
func TestAStuckPortDoesNotSpoilTheRenewal(t *testing.T) {
	w := worlds.ControlPlanes(1, now)
	worlds.Age(now, day, w.Nodes["cp1"], "apiserver")
	for _, stuck := range []bool{true, false} {
		served := worlds.Served(w.Nodes["cp1"], "apiserver")
		if served.SHA256 = worlds.File(w.Nodes["cp1"], "apiserver").Blocks[0].SHA256; stuck {
			served.SHA256, served.Serial = "older", "01DE"
		}
		in := input(w, 1)
		steps, befores := fold(t, in, spec().Diff(in).Steps)
		after := in
		after.World = worlds.Concrete(befores[1].World)
		port := worlds.Served(after.World.Nodes["cp1"], "apiserver")
		port.SHA256, port.Serial = served.SHA256, served.Serial
		err := certificates.Type().Effects[steps[0].Operation].Proved(in, after, steps[0])
		if stuck != (err == nil) || len(steps) == 2 != stuck {
			t.Errorf("stuck %t: %v; steps %v", stuck, err, ids(steps))
		}
	}
}

// oneDamaged is a helper that cannot repair one intent.
type oneDamaged struct{ repaired []string }

func (h *oneDamaged) Call(_ context.Context, _, _ string, request, _ any, _ func(string)) error {
	intent := request.(protocol.RepairRequest).Intent
	if intent == "r1" {
		return errors.New("intent.json cannot be parsed")
	}
	h.repaired = append(h.repaired, intent)
	return nil
}

// TestADamagedRecordDoesNotKeepOthersInHalves: each interrupted renewal is repaired for itself, and one whose record cannot be
// read is unknown, not merely a problem.
func TestADamagedRecordDoesNotKeepOthersInHalves(t *testing.T) {
	w := worlds.ControlPlanes(1, now)
	w.Nodes["cp1"].Certificates.Unfinished = []facts.Unfinished{{ID: "r1", Unknown: "intent.json cannot be parsed"}, {ID: "r2", Installed: []string{"apiserver"}}}
	in := input(w, 1)
	out := spec().Diff(in)
	if f := out.Findings[0]; f.ID != "CERT_UNFINISHED" || f.Object != "r1" || !f.Unknown {
		t.Errorf("%+v", f)
	}
	steps, _ := fold(t, in, out.Steps)
	h := &oneDamaged{}
	err := certificates.Operations(h)[steps[0].Operation].Run(t.Context(), steps[0], nil)
	if err == nil || !strings.Contains(err.Error(), "repair renewal r1 on cp1: intent.json cannot be parsed") {
		t.Errorf("error %v", err)
	}
	if d := cmp.Diff([]string{"r2"}, h.repaired); d != "" {
		t.Error(d)
	}
}
