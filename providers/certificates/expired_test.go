package certificates_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/fixtures/worlds"
	"upkeep/providers"
	"upkeep/providers/certificates"
	"upkeep/providers/facts"
)

// leavesOf are all that kubeadm renews.
var leavesOf = []string{
	"apiserver", "apiserver-kubelet-client", "front-proxy-client", "apiserver-etcd-client", "etcd-server", "etcd-peer",
	"etcd-healthcheck-client", "admin.conf", "controller-manager.conf", "scheduler.conf",
}

// kubespraysLeaves are all that are renewed where kubespray has systemd run etcd.
var kubespraysLeaves = []string{
	"apiserver", "apiserver-kubelet-client", "front-proxy-client", "etcd-member", "etcd-admin", "etcd-node",
	"admin.conf", "controller-manager.conf", "scheduler.conf",
}

// inKubespraysFile leaves kubeadm's configuration in the file alone that kubespray gave to kubeadm.
func inKubespraysFile(w *facts.World) {
	const server = "https://10.0.0.11:2379"
	for _, n := range w.Nodes {
		pod := worlds.Pod(n, "kube-apiserver")
		pod.Image = "registry.k8s.io/kube-apiserver:v1.35.4"
		pod.Flags = map[string]string{
			"etcd-servers": server, "etcd-cafile": "/etc/ssl/etcd/ssl/ca.pem",
			"etcd-certfile": worlds.File(n, "etcd-node").Path, "etcd-keyfile": worlds.File(n, "etcd-node").KeyPath,
		}
	}
	k := &w.Kubernetes
	k.ClusterConfiguration, k.ClusterConfigurationUnknown = "", "API: expired; etcd: connection refused"
	k.ClusterConfigurationFiles = []facts.ConfigurationFile{{
		Node: "cp1", Path: "/etc/kubernetes/kubeadm-config.yaml", Text: worlds.KubesprayConfiguration,
	}}
}

// expire ends certificates of control planes three days ago, and with them what a cluster loses then.
func expire(w *facts.World, etcdAnswers bool, names ...string) {
	w.Kubernetes = facts.Kubernetes{
		Unknown: "https://cp.example.net:6443: tls: failed to verify certificate: x509: certificate has expired", Kubeconfig: w.Kubernetes.Kubeconfig,
		Authority: w.Kubernetes.Authority, ClusterConfiguration: w.Kubernetes.ClusterConfiguration,
	}
	for _, n := range w.Nodes {
		worlds.Age(now, -3*day, n, names...)
		n.ControlPlane.APIServer = facts.APIServer{Unknown: "x509: certificate has expired or is not yet valid"}
		if len(n.Name)%2 == 1 { // it ends whenever it cannot renew its lease, and starts again
			worlds.Pod(n, "kube-controller-manager").ContainerID = ""
		}
	}
	if !etcdAnswers {
		for i := range w.Etcd.Members {
			m := &w.Etcd.Members[i]
			m.Leader, m.Errors = "", []string{"etcdserver: no leader"}
		}
	}
}

// TestAnExpiredClusterIsPlannedAndHolds: every control plane one after the other, and each step may run in the world that the
// steps before it leave behind.
func TestAnExpiredClusterIsPlannedAndHolds(t *testing.T) {
	tests := []struct {
		name    string
		planes  int
		answers bool
		names   []string
		silent  bool // etcd does not answer at all
		// kubespray: etcd is a service of the hosts, and kubeadm's configuration is that of a file on a node.
		kubespray bool
	}{
		{name: "all leaves, etcd answers", planes: 3, answers: true, names: leavesOf},
		{name: "all leaves, etcd has no leader", planes: 3, names: leavesOf},
		{name: "all leaves, etcd is silent", planes: 3, names: leavesOf, silent: true},
		{name: "one control plane", planes: 1, answers: true, names: leavesOf},
		{name: "one control plane, etcd is silent", planes: 1, names: leavesOf, silent: true},
		{name: "the API server alone", planes: 3, answers: true, names: []string{"apiserver"}},
		{name: "etcd alone", planes: 3, names: []string{"etcd-server", "etcd-peer"}},
		{name: "kubespray, etcd answers", planes: 3, answers: true, names: kubespraysLeaves, kubespray: true},
		{name: "kubespray, etcd is silent", planes: 3, names: kubespraysLeaves, silent: true, kubespray: true},
		{name: "kubespray, one control plane, etcd is silent", planes: 1, names: kubespraysLeaves, silent: true, kubespray: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := worlds.ControlPlanes(test.planes, now)
			if test.kubespray {
				w = worlds.Kubespray(test.planes, now)
			}
			expire(&w, test.answers, test.names...)
			if test.silent {
				w.Etcd = facts.Etcd{Unknown: "no member answered: connection refused"}
			}
			if test.silent && test.kubespray {
				inKubespraysFile(&w)
			}
			in := input(w, test.planes)
			out := spec().Diff(in)
			steps, befores := fold(t, in, out.Steps)
			var nodes []string
			for i, s := range steps {
				if len(nodes) == 0 || nodes[len(nodes)-1] != s.Node {
					nodes = append(nodes, s.Node)
				}
				effect := certificates.Type().Effects[s.Operation]
				if r := effect.Ready(befores[i], s); r.State != providers.Holds {
					t.Errorf("%s: %+v", s.ID, r)
				}
				before, after := befores[i], befores[i+1]
				before.World, after.World = worlds.Concrete(before.World), worlds.Concrete(after.World)
				if err := effect.Proved(before, after, s); err != nil {
					t.Errorf("%s is not proved: %v", s.ID, err)
				}
				if s.Disruption != "" || s.Settle < 300 {
					t.Errorf("%s disrupts %q, settles in %v s", s.ID, s.Disruption, s.Settle)
				}
			}
			var want []string
			for i := range test.planes {
				want = append(want, worlds.Name(i))
			}
			if d := cmp.Diff(want, nodes); d != "" {
				t.Errorf("in another order: %s", d)
			}
			last := befores[len(befores)-1]
			if left := spec().Diff(last); len(left.Steps) > 0 || len(left.Findings) > 0 {
				t.Errorf("left after the plan: %v %+v", ids(left.Steps), left.Findings)
			}
		})
	}
}

// TestBrokenOtherwiseStillRefuses: what no renewal repairs is a reason to refuse beside certificates that have expired.
func TestBrokenOtherwiseStillRefuses(t *testing.T) {
	tests := []struct {
		name   string
		change func(w *facts.World)
		want   string
	}{
		{"an alarm", func(w *facts.World) {
			w.Etcd.Alarms = []facts.Alarm{{Member: w.Etcd.Members[0].ID, Type: "CORRUPT"}}
		}, "alarm CORRUPT"},
		{"an interrupted renewal elsewhere", func(w *facts.World) {
			w.Nodes["cp1"].ControlPlane.APIServer = facts.APIServer{Ready: true}
			for _, p := range []string{"kube-controller-manager"} {
				worlds.Pod(w.Nodes["cp1"], p).ContainerID = "runs"
			}
			w.Nodes["cp2"].Certificates.Unfinished = []facts.Unfinished{{ID: "r1"}}
		}, "interrupted renewal"},
		{"an API that does not answer although nothing that it needs has expired", func(w *facts.World) {
			for _, n := range w.Nodes {
				worlds.Age(now, 300*day, n, leavesOf...)
				worlds.Age(now, -day, n, "admin.conf")
				n.ControlPlane.APIServer = facts.APIServer{Ready: true}
			}
		}, "API cannot be asked"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := worlds.ControlPlanes(3, now)
			expire(&w, true, leavesOf...)
			in := input(w, 3)
			steps, _ := fold(t, in, spec().Diff(in).Steps)
			in.World = worlds.Clone(w)
			test.change(&in.World)
			r := ready(in, steps[0])
			if r.State == providers.Holds || !strings.Contains(r.Why, test.want) {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestTheLastNodeOwesTheWholeCluster: before it nobody demands what it is still to bring back.
func TestTheLastNodeOwesTheWholeCluster(t *testing.T) {
	w := worlds.ControlPlanes(3, now)
	expire(&w, true, leavesOf...)
	in := input(w, 3)
	steps, befores := fold(t, in, spec().Diff(in).Steps)
	for i, s := range steps {
		before, after := befores[i], befores[i+1]
		before.World, after.World = worlds.Concrete(before.World), worlds.Clone(worlds.Concrete(after.World))
		after.World.Kubernetes.Unknown = "connection refused"
		err := certificates.Type().Effects[s.Operation].Proved(before, after, s)
		if last := s.Node == "cp3"; last != (err != nil) {
			t.Errorf("%s: %v", s.ID, err)
		}
	}
}

// TestStillDownAfterTheLastNode: after the last step of an outage's repair nothing is excused any more. Each part that is
// still down, or another one than before, fails the proof with its name.
func TestStillDownAfterTheLastNode(t *testing.T) {
	w := worlds.ControlPlanes(3, now)
	expire(&w, true, leavesOf...)
	in := input(w, 3)
	steps, befores := fold(t, in, spec().Diff(in).Steps)
	last := len(steps) - 1
	for name, test := range map[string]struct {
		change func(w *facts.World)
		want   string
	}{
		"all of it is back": {func(*facts.World) {}, ""},
		"the API is silent": {func(w *facts.World) { w.Kubernetes.Unknown = "connection refused" },
			"the Kubernetes API does not answer yet"},
		"a member is silent":      {func(w *facts.World) { w.Etcd.Members[1].Unknown = "connection refused" }, "etcd is not healthy"},
		"etcd is another one":     {func(w *facts.World) { w.Etcd.ClusterID = "another" }, "and is another"},
		"a member is another one": {func(w *facts.World) { w.Etcd.Members[2].ID = "ffff" }, "the members of etcd changed"},
		"an API server is not ready": {func(w *facts.World) { w.Nodes["cp1"].ControlPlane.APIServer = facts.APIServer{NotReady: "etcd"} },
			"the control plane of cp1 is not back yet"},
		"a node is not Ready": {func(w *facts.World) { w.Kubernetes.Nodes[0].Ready = false }, "node cp1 is not Ready yet"},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := befores[last], befores[last+1]
			before.World, after.World = worlds.Concrete(before.World), worlds.Clone(worlds.Concrete(after.World))
			if before.World.Etcd.ClusterID == "" {
				before.World.Etcd = worlds.ControlPlanes(3, now).Etcd
				after.World.Etcd = worlds.ControlPlanes(3, now).Etcd
			}
			after.World.Kubernetes.Nodes = []facts.KubernetesNode{{Name: "cp1", Ready: true}}
			test.change(&after.World)
			err := certificates.Type().Effects[steps[last].Operation].Proved(before, after, steps[last])
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

// TestTheFirstOfAnOutage: once the first control plane answers again, no other can take over from its controller-manager.
// Where certificates keep every other one from it, the restart goes on; where something else does, it is refused.
func TestTheFirstOfAnOutage(t *testing.T) {
	w := worlds.ControlPlanes(3, now)
	expire(&w, true, leavesOf...)
	in := input(w, 3)
	steps, befores := fold(t, in, spec().Diff(in).Steps)
	restart := slices.IndexFunc(steps, func(s providers.Step) bool { return s.Operation == certificates.OperationRestart })
	for _, test := range []struct {
		name   string
		change func(w *facts.World)
		want   providers.ReadyState
	}{
		{"certificates expired on the others", func(*facts.World) {}, providers.Holds},
		{"another one is broken otherwise", func(w *facts.World) {
			healthy := worlds.ControlPlanes(3, now)
			w.Nodes["cp2"] = healthy.Nodes["cp2"]
			w.Nodes["cp2"].ControlPlane.APIServer = facts.APIServer{NotReady: "poststarthook"}
		}, providers.Unknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := befores[restart]
			in.World = in.World.Clone()
			in.World.Kubernetes = worlds.ControlPlanes(3, now).Kubernetes
			first := in.World.Nodes["cp1"]
			first.ControlPlane.APIServer = facts.APIServer{Ready: true}
			worlds.Pod(first, "kube-controller-manager").ContainerID = "c"
			test.change(&in.World)
			got := certificates.Type().Effects[certificates.OperationRestart].Ready(in, steps[restart])
			if got.State != test.want {
				t.Errorf("%+v, want %s", got, test.want)
			}
		})
	}
}

// TestAnExpiredRancherIsPlannedAndHolds: servers whose certificates have expired restart one after the other although the API
// and etcd do not answer, and agents after them.
func TestAnExpiredRancherIsPlannedAndHolds(t *testing.T) {
	type etcd string
	const answers, noLeader, silent, sqlite etcd = "etcd answers", "etcd has no leader", "etcd is silent", "SQLite"
	for _, name := range []string{"k3s", "rke2"} {
		for _, kept := range []etcd{answers, noLeader, silent, sqlite} {
			for _, stopped := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %s, stopped %t", name, kept, stopped), func(t *testing.T) {
					s, in := rancherInput(name)
					w := in.World
					w.Kubernetes = facts.Kubernetes{
						Unknown: "x509: certificate has expired", Authority: w.Kubernetes.Authority, Kubeconfig: w.Kubernetes.Kubeconfig,
					}
					for _, n := range w.Nodes {
						for i := range n.Certificates.Files {
							if f := &n.Certificates.Files[i]; f.Kind != facts.Authority && f.Authority != "" {
								worlds.Age(now, -3*day, n, f.Name)
							}
						}
						for i := range n.Certificates.Served {
							f := worlds.File(n, n.Certificates.Served[i].Name).Blocks[0]
							n.Certificates.Served[i].SHA256, n.Certificates.Served[i].Serial = f.SHA256, f.Serial
						}
						if stopped {
							n.Services[0].Invocation = ""
						}
						if n.K3s.Datastore != "" && kept == sqlite {
							n.K3s.Datastore = facts.K3sSQLite
						}
					}
					switch kept {
					case noLeader:
						for i := range w.Etcd.Members {
							m := &w.Etcd.Members[i]
							m.Leader, m.Errors = "", []string{"etcdserver: no leader"}
						}
					case silent, sqlite:
						w.Etcd = facts.Etcd{Unknown: "no member answered: connection refused"}
					}
					in.World = w
					out := s.Diff(in)
					if !strings.HasPrefix(out.Outage, "The cluster is DOWN because its certificates expired 3d ago") {
						t.Errorf("headline %q", out.Outage)
					}
					found := map[string]bool{}
					for _, f := range out.Findings {
						found[f.ID] = true
					}
					if !found["CERT_CLUSTER_DOWN"] || !found["API_UNREACHABLE"] || found["CERT_CONFIGURATION_UNKNOWN"] {
						t.Errorf("findings %v", found)
					}
					steps, befores := fold(t, in, out.Steps)
					if len(steps) != 8 {
						t.Fatalf("%d steps: %v", len(steps), ids(steps))
					}
					for i, step := range steps {
						effect := certificates.Type().Effects[step.Operation]
						before, after := befores[i], befores[i+1]
						before.World, after.World = worlds.Concrete(before.World), worlds.Concrete(after.World)
						step = grounded(t, effect, before, step)
						if r := effect.Ready(before, step); r.State != providers.Holds {
							t.Errorf("%s: %+v", step.ID, r)
						}
						if err := effect.Proved(before, after, step); err != nil {
							t.Errorf("%s is not proved: %v", step.ID, err)
						}
						if err := effect.Proved(before, before, step); err == nil {
							t.Errorf("%s: nothing happened, and that is proved", step.ID)
						}
						if step.Disruption != "" || step.Settle < 300 {
							t.Errorf("%s disrupts %q, settles in %v s", step.ID, step.Disruption, step.Settle)
						}
					}
					if left := s.Diff(befores[len(befores)-1]); len(left.Steps) > 0 || len(left.Findings) > 0 {
						t.Errorf("left: %v %+v", ids(left.Steps), left.Findings)
					}
				})
			}
		}
	}
}

// TestRancherBrokenOtherwiseStillRefuses: an API that does not answer although no server's certificate has expired is a reason
// to refuse.
func TestRancherBrokenOtherwiseStillRefuses(t *testing.T) {
	s, in := rancherInput("k3s")
	worlds.Age(now, -day, in.World.Nodes["cp1"], "client-admin")
	steps, _ := fold(t, in, s.Diff(in).Steps)
	in.World = worlds.Clone(in.World)
	in.World.Kubernetes.Unknown = "connection refused"
	if r := ready(in, steps[0]); r.State == providers.Holds || !strings.Contains(r.Why, "API cannot be asked") {
		t.Errorf("%+v", r)
	}
}
