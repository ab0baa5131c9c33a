package certificates_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"upkeep/config"
	"upkeep/fixtures/worlds"
	"upkeep/providers"
	"upkeep/providers/certificates"
	"upkeep/providers/facts"
)

// The kinds of step that a broken cluster may keep back.
const (
	renewsGently = "renew apiserver and controller-manager.conf"
	renewsEtcd   = "renew etcd-peer"
	restartsKCM  = "restart kube-controller-manager"
	restartsAPI  = "restart kube-apiserver"
	restartsEtcd = "restart etcd"
)

// stepOf returns a step of cp1 of some kind, planned while n control planes were whole, and the world it was planned for.
func stepOf(t *testing.T, kind string, n int) (providers.Input, providers.Step) {
	t.Helper()
	return stepOfBlock(t, spec(), kind, n)
}

// stepOfBlock is stepOf for another block.
func stepOfBlock(t *testing.T, block certificates.Spec, kind string, n int) (providers.Input, providers.Step) {
	t.Helper()
	w := worlds.ControlPlanes(n, now)
	cp1 := w.Nodes["cp1"]
	stuck := func(name string) {
		s := worlds.Served(cp1, name)
		s.SHA256, s.Serial = "older", "01DE"
	}
	want := certificates.OperationRestart
	switch kind {
	case renewsGently:
		worlds.Age(now, day, cp1, "apiserver", "controller-manager.conf")
		want = certificates.OperationRenew
	case renewsEtcd:
		worlds.Age(now, day, cp1, "etcd-peer")
		want = certificates.OperationRenew
	case restartsKCM:
		worlds.File(cp1, "controller-manager.conf").Modified = now.Add(-time.Hour)
	case restartsAPI:
		stuck("apiserver")
	case restartsEtcd:
		stuck("etcd-server")
	}
	in := input(w, n)
	steps, _ := fold(t, in, block.Diff(in).Steps)
	i := slices.IndexFunc(steps, func(s providers.Step) bool { return s.Operation == want && s.Node == "cp1" })
	if i < 0 {
		t.Fatalf("no step to %s among %v", kind, ids(steps))
	}
	in.World = worlds.Clone(in.World)
	return in, steps[i]
}

// dead takes a node away: it answers neither us nor Kubernetes, and its member is silent.
func dead(w *facts.World, names ...string) {
	for _, name := range names {
		unreachable(w, name)
		for i := range w.Kubernetes.Nodes {
			if w.Kubernetes.Nodes[i].Name == name {
				w.Kubernetes.Nodes[i].Ready = false
			}
		}
	}
}

// unreachable keeps a node from answering us; Kubernetes calls it ready.
func unreachable(w *facts.World, name string) {
	w.Nodes[name] = &facts.Node{Name: name, Unknown: "ssh: no answer"}
	silence(w, name, "cannot be asked")
}

func silence(w *facts.World, name, why string) {
	for i := range w.Etcd.Members {
		if m := &w.Etcd.Members[i]; m.Name == name {
			*m = facts.Member{ID: m.ID, Name: m.Name, Node: m.Node, Unknown: why}
		}
	}
}

// lost takes the member of etcd of a node away, and with it the API server beside it; the node answers.
func lost(w *facts.World, name string) {
	worlds.Pod(w.Nodes[name], "etcd").ContainerID = ""
	w.Nodes[name].ControlPlane.APIServer = facts.APIServer{NotReady: "etcd"}
	silence(w, name, "connection refused")
}

// TestPartialTrouble says for each kind of step whether it goes on beside each kind of trouble. Where it does not, why says so.
func TestPartialTrouble(t *testing.T) {
	const (
		waits = "and the member of cp1 is not touched until it is: member"
		alone = "no other control plane could take over from"
	)
	tests := []struct {
		name   string
		planes int
		change func(w *facts.World)
		// why is by kind of step; a kind that is not there goes on.
		why map[string]string
	}{
		{name: "nothing is wrong", planes: 3, change: func(*facts.World) {}},
		{name: "there is one control plane", planes: 1, change: func(*facts.World) {}},
		{
			name: "one of three is dead", planes: 3, change: func(w *facts.World) { dead(w, "cp3") },
			why: map[string]string{renewsEtcd: waits, restartsEtcd: waits},
		},
		{
			name: "two of five are dead", planes: 5, change: func(w *facts.World) { dead(w, "cp2", "cp5") },
			why: map[string]string{renewsEtcd: waits, restartsEtcd: waits},
		},
		{
			name: "one of two is dead, and with it the majority", planes: 2, change: func(w *facts.World) { dead(w, "cp2") },
			why: all("1 of 2 members answer and follow a leader, which is no majority"),
		},
		{
			name: "two of three are dead", planes: 3, change: func(w *facts.World) { dead(w, "cp2", "cp3") },
			why: all("1 of 3 members answer and follow a leader, which is no majority"),
		},
		{
			name: "one of three does not answer us, but Kubernetes", planes: 3, change: func(w *facts.World) { unreachable(w, "cp3") },
			why: map[string]string{renewsEtcd: waits, restartsEtcd: waits},
		},
		{
			name: "a member is lost on a node that answers", planes: 3, change: func(w *facts.World) { lost(w, "cp3") },
			why: map[string]string{renewsEtcd: waits, restartsEtcd: waits},
		},
		{
			name: "a member is lost where certificates were changed an hour ago", planes: 3,
			change: func(w *facts.World) {
				lost(w, "cp3")
				worlds.File(w.Nodes["cp3"], "etcd-peer").Modified = now.Add(-time.Hour)
			},
			why: map[string]string{
				renewsGently: "its etcd-peer was changed 60m before", restartsKCM: "its etcd-peer was changed 60m before",
				restartsAPI: "its etcd-peer was changed 60m before", renewsEtcd: waits, restartsEtcd: waits,
			},
		},
		{
			name: "one is dead, and on the third nothing leads", planes: 3,
			change: func(w *facts.World) {
				dead(w, "cp3")
				w.Nodes["cp2"].ControlPlane.APIServer = facts.APIServer{NotReady: "poststarthook"}
			},
			why: map[string]string{renewsEtcd: waits, restartsEtcd: waits, restartsKCM: alone, restartsAPI: alone},
		},
		{
			name: "one is dead, and on the third the component does not run", planes: 3,
			change: func(w *facts.World) {
				dead(w, "cp3")
				worlds.Pod(w.Nodes["cp2"], "kube-controller-manager").ContainerID = ""
			},
			why: map[string]string{renewsEtcd: waits, restartsEtcd: waits, restartsKCM: "kube-controller-manager has no running container"},
		},
		{
			name: "a component does not run elsewhere", planes: 3,
			change: func(w *facts.World) { worlds.Pod(w.Nodes["cp2"], "kube-controller-manager").ContainerID = "" },
			why:    map[string]string{restartsKCM: "kube-controller-manager has no running container"},
		},
		{
			name: "containers elsewhere cannot be seen, and something there is broken", planes: 3,
			change: func(w *facts.World) { w.Nodes["cp2"].ControlPlane.ContainersUnknown = "no CRI socket answers" },
			why:    all("control plane cp2 is not whole"),
		},
		{
			name: "a member is cut off from its peers", planes: 3,
			change: func(w *facts.World) {
				w.Etcd.Members[2].Leader, w.Etcd.Members[2].Errors = "0", []string{"etcdserver: no leader"}
			},
			why: map[string]string{renewsEtcd: waits, restartsEtcd: waits},
		},
		{
			name: "the member of the node itself is cut off from its peers", planes: 3, change: func(w *facts.World) { w.Etcd.Members[0].Leader = "" },
		},
		{
			name: "the silent member is the node's own", planes: 3, change: func(w *facts.World) { silence(w, "cp1", "bad certificate") },
		},
		{
			name: "the member of the node itself is lost", planes: 3, change: func(w *facts.World) { lost(w, "cp1") },
			why: map[string]string{restartsEtcd: "etcd does not run on cp1"},
		},
		{
			name: "its own member is lost, and another one is dead", planes: 5,
			change: func(w *facts.World) { lost(w, "cp1"); dead(w, "cp5") },
			why:    map[string]string{renewsEtcd: waits, restartsEtcd: "etcd does not run on cp1"},
		},
		{
			name: "an alarm, and one is dead", planes: 3,
			change: func(w *facts.World) {
				w.Etcd.Alarms = []facts.Alarm{{Member: w.Etcd.Members[0].ID, Type: "NOSPACE"}}
				dead(w, "cp3")
			},
			why: all("alarm NOSPACE is raised on member cp1; member cp3 does not answer"),
		},
		{
			name: "those that are left follow no leader", planes: 3,
			change: func(w *facts.World) {
				dead(w, "cp3")
				w.Etcd.Members[0].Leader, w.Etcd.Members[1].Leader = "", ""
			},
			why: all("member cp1 follows no leader"),
		},
		{
			name: "the API is silent", planes: 3, change: func(w *facts.World) { w.Kubernetes.Unknown = "refused" },
			why: all("the Kubernetes API cannot be asked"),
		},
	}
	for _, test := range tests {
		for _, kind := range []string{renewsGently, renewsEtcd, restartsKCM, restartsAPI, restartsEtcd} {
			t.Run(test.name+"/"+kind, func(t *testing.T) {
				in, step := stepOf(t, kind, test.planes)
				test.change(&in.World)
				got := ready(in, step)
				why := test.why[kind]
				if got.State == providers.Holds != (why == "") || !strings.Contains(got.Why, why) {
					t.Errorf("%+v, want %q", got, why)
				}
			})
		}
	}
}

// A block that selects one control plane heeds the others all the same: they are asked, and one must take over.
func TestABlockOfOneControlPlane(t *testing.T) {
	alone := spec()
	alone.Nodes = config.Selection{Names: []string{"cp1"}}
	inventory := input(worlds.ControlPlanes(3, now), 3).Inventory
	asked := map[string]facts.Question{}
	for _, need := range alone.Needs().Nodes {
		selected, _ := inventory.Select(need.Nodes)
		for _, n := range selected {
			asked[n.Name] = asked[n.Name].Merge(need.Question)
		}
	}
	for _, name := range []string{"cp1", "cp2", "cp3"} {
		if !asked[name].ControlPlane {
			t.Errorf("%s is not asked about its control plane", name)
		}
	}
	for name, test := range map[string]struct {
		change func(w *facts.World)
		why    string
	}{
		"the others are whole": {func(*facts.World) {}, ""},
		"nothing leads there": {func(w *facts.World) {
			dead(w, "cp3")
			w.Nodes["cp2"].ControlPlane.APIServer = facts.APIServer{NotReady: "poststarthook"}
		}, "no other control plane could take over from"},
		"the component does not run there": {func(w *facts.World) {
			worlds.Pod(w.Nodes["cp2"], "kube-controller-manager").ContainerID = ""
		}, "kube-controller-manager has no running container"},
	} {
		t.Run(name, func(t *testing.T) {
			in, step := stepOfBlock(t, alone, restartsKCM, 3)
			test.change(&in.World)
			if got := ready(in, step); got.State == providers.Holds != (test.why == "") || !strings.Contains(got.Why, test.why) {
				t.Errorf("%+v, want %q", got, test.why)
			}
		})
	}
}

// A control plane counts by what Kubernetes calls it, also where its block gives it a role of the user's own.
func TestAControlPlaneOfAnotherRole(t *testing.T) {
	alone := spec()
	alone.Nodes = config.Selection{Names: []string{"cp1"}}
	in, step := stepOfBlock(t, alone, restartsKCM, 3)
	dead(&in.World, "cp3")
	in.World.Nodes["cp2"].ControlPlane.APIServer = facts.APIServer{NotReady: "poststarthook"}
	for i, n := range in.Inventory.Nodes {
		if n.Name != "cp1" {
			in.Inventory.Nodes[i].Roles = []string{"masters"}
		}
	}
	for i := range in.World.Kubernetes.Nodes {
		in.World.Kubernetes.Nodes[i].Labels = nil
	}
	if got := ready(in, step); got.State != providers.Holds {
		t.Errorf("the only control plane: %+v", got)
	}
	for i := range in.World.Kubernetes.Nodes {
		in.World.Kubernetes.Nodes[i].Labels = map[string]string{"node-role.kubernetes.io/control-plane": ""}
	}
	if got := ready(in, step); got.State == providers.Holds || !strings.Contains(got.Why, "no other control plane could take over") {
		t.Errorf("beside two that cannot take over: %+v", got)
	}
}

func all(why string) map[string]string {
	out := map[string]string{}
	for _, kind := range []string{renewsGently, renewsEtcd, restartsKCM, restartsAPI, restartsEtcd} {
		out[kind] = why
	}
	return out
}

// TestEtcdIsNoWorse: a step beside a silent member is proved although that is still silent, and not when another one fell silent.
func TestEtcdIsNoWorse(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(before, after *facts.World)
		want   string
	}{
		{"still silent", func(before, after *facts.World) { dead(before, "cp3"); dead(after, "cp3") }, ""},
		{"it came back", func(before, _ *facts.World) { dead(before, "cp3") }, ""},
		{"one fell silent", func(_, after *facts.World) { silence(after, "cp3", "refused") }, "member cp3 does not answer: refused"},
		{"another fell silent", func(before, after *facts.World) { dead(before, "cp3"); silence(after, "cp2", "refused") }, "member cp2 does not answer: refused"},
		{"an alarm", func(before, after *facts.World) {
			dead(before, "cp3")
			dead(after, "cp3")
			after.Etcd.Alarms = []facts.Alarm{{Member: after.Etcd.Members[0].ID, Type: "NOSPACE"}}
		}, "alarm NOSPACE"},
	} {
		t.Run(test.name, func(t *testing.T) {
			in, step := stepOf(t, renewsGently, 3)
			w := in.World.Clone()
			w.Apply(certificates.Type().Effects[step.Operation].Predict(in, step))
			after := in
			after.World = worlds.Concrete(w)
			in.World = worlds.Clone(in.World)
			test.change(&in.World, &after.World)
			err := certificates.Type().Effects[step.Operation].Proved(in, after, step)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

// TestThePrimaryIsDead: the work of the others is planned, what touches etcd is left out and said to wait, and the first that
// answers comes first.
func TestThePrimaryIsDead(t *testing.T) {
	w := worlds.ControlPlanes(3, now)
	for _, name := range []string{"cp2", "cp3"} {
		worlds.Age(now, day, w.Nodes[name], "apiserver", "etcd-server", "scheduler.conf")
	}
	dead(&w, "cp1")
	in := input(w, 3)
	in.Inventory.Nodes[0].Primary = true
	out := spec().Diff(in)
	want := []string{
		"certificates.control_plane@cp2/renew: renew apiserver, scheduler.conf", "certificates.control_plane@cp2/restart: restart kube-scheduler",
		"certificates.control_plane@cp3/renew: renew apiserver, scheduler.conf", "certificates.control_plane@cp3/restart: restart kube-scheduler",
	}
	if !slices.Equal(want, ids(out.Steps)) {
		t.Errorf("steps %v", ids(out.Steps))
	}
	waits := 0
	for _, f := range out.Findings {
		if f.Waits {
			waits++
		}
	}
	if waits != 2 || len(out.Warnings) > 0 {
		t.Errorf("%d nodes wait, warnings %v", waits, out.Warnings)
	}
}

// TestWhatIsBrokenStopsNobodyElse: a control plane whose certificates are the reason is repaired first, whatever its place; one
// that is broken for another reason comes last, so that it does not end the work of the others.
func TestWhatIsBrokenStopsNobodyElse(t *testing.T) {
	w := worlds.ControlPlanes(4, now)
	for _, name := range []string{"cp1", "cp2", "cp3", "cp4"} {
		worlds.Age(now, day, w.Nodes[name], "apiserver", "scheduler.conf")
	}
	worlds.Age(now, -day, w.Nodes["cp3"], "scheduler.conf")
	worlds.Pod(w.Nodes["cp3"], "kube-scheduler").ContainerID = ""
	worlds.Pod(w.Nodes["cp1"], "kube-controller-manager").ContainerID = ""
	var got []string
	for _, s := range spec().Diff(input(w, 4)).Steps {
		if s.Operation == certificates.OperationRenew {
			got = append(got, fmt.Sprint(s.Node, " ", s.Turn))
		}
	}
	want := []string{"cp3 -1", "cp2 0", "cp4 0", "cp1 1"}
	if !slices.Equal(want, got) {
		t.Errorf("order %q, want %q", got, want)
	}
}

// TestBrokenBeforeIsNoFailure: work on a control plane that is not whole is proved when it is no worse, unless its certificates
// were the reason: then it must be whole afterwards.
func TestBrokenBeforeIsNoFailure(t *testing.T) {
	for _, test := range []struct {
		name   string
		before func(w *facts.World)
		after  func(w *facts.World)
		want   string
	}{
		{name: "its member is lost as before", before: func(w *facts.World) { lost(w, "cp1") }, after: func(w *facts.World) { lost(w, "cp1") }},
		{
			name: "its scheduler falls", before: func(w *facts.World) { lost(w, "cp1") },
			after: func(w *facts.World) { lost(w, "cp1"); worlds.Pod(w.Nodes["cp1"], "kube-scheduler").ContainerID = "" },
			want:  "kube-scheduler on cp1 was restarted meanwhile, and not by this step",
		},
		{
			name: "its certificate was the reason, and it does not come back",
			before: func(w *facts.World) {
				worlds.Age(now, -day, w.Nodes["cp1"], "controller-manager.conf")
				worlds.Pod(w.Nodes["cp1"], "kube-controller-manager").ContainerID = ""
			},
			after: func(w *facts.World) { worlds.Pod(w.Nodes["cp1"], "kube-controller-manager").ContainerID = "" },
			want:  "kube-controller-manager has no running container",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			in, step := stepOf(t, renewsGently, 3)
			w := in.World.Clone()
			w.Apply(certificates.Type().Effects[step.Operation].Predict(in, step))
			after := in
			after.World = worlds.Concrete(w)
			in.World = worlds.Clone(in.World)
			test.before(&in.World)
			test.after(&after.World)
			err := certificates.Type().Effects[step.Operation].Proved(in, after, step)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}
