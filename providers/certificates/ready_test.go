package certificates_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"upkeep/fixtures/worlds"
	"upkeep/providers"
	"upkeep/providers/certificates"
	"upkeep/providers/facts"
)

// TestReady moves the ground under the renewal of cp2.
func TestReady(t *testing.T) {
	tests := []struct {
		name   string
		change func(w *facts.World)
		want   providers.ReadyState
		why    string
	}{
		{name: "as planned", change: func(*facts.World) {}, want: "holds"},
		{
			name: "somebody renewed it", want: "moved", why: "apiserver on cp2 has serial FFFF, the plan was made for",
			change: func(w *facts.World) { worlds.File(w.Nodes["cp2"], "apiserver").Blocks[0].Serial = "FFFF" },
		},
		{
			name: "all of it was done", want: "done", why: "renew apiserver, admin.conf, controller-manager.conf is done on cp2",
			change: func(w *facts.World) {
				for _, name := range []string{"apiserver", "admin.conf", "controller-manager.conf"} {
					worlds.Age(now, 300*day, w.Nodes["cp2"], name)
					worlds.File(w.Nodes["cp2"], name).Blocks[0].Serial += "F"
				}
			},
		},
		{
			name: "all of it was done but for the copy", want: "moved",
			change: func(w *facts.World) {
				for _, name := range []string{"apiserver", "admin.conf", "controller-manager.conf"} {
					worlds.Age(now, 300*day, w.Nodes["cp2"], name)
					worlds.File(w.Nodes["cp2"], name).Blocks[0].Serial += "F"
				}
				worlds.File(w.Nodes["cp2"], worlds.Copy).Blocks[0].SHA256 = "old"
			},
		},
		{
			name: "the node is unknown", want: "unknown", why: "nothing is known of cp2: no answer",
			change: func(w *facts.World) { w.Nodes["cp2"] = &facts.Node{Name: "cp2", Unknown: "no answer"} },
		},
		{
			name: "a file became unreadable", want: "unknown", why: "apiserver on cp2 cannot be read: garbage",
			change: func(w *facts.World) {
				f := worlds.File(w.Nodes["cp2"], "apiserver")
				f.Unknown, f.Blocks = "garbage", nil
			},
		},
		{
			name: "a renewal was interrupted here", want: "moved", why: "an interrupted renewal on cp2 must be repaired first; plan again",
			change: func(w *facts.World) { w.Nodes["cp2"].Certificates.Unfinished = []facts.Unfinished{{ID: "r1"}} },
		},
		{
			name: "a renewal was interrupted elsewhere", want: "unknown", why: "an interrupted renewal on control plane cp3 must be repaired first",
			change: func(w *facts.World) { w.Nodes["cp3"].Certificates.Unfinished = []facts.Unfinished{{ID: "r1"}} },
		},
		{
			name: "the kubeadm configuration changed", want: "moved", why: "the cluster's kubeadm configuration has changed since the plan was made; plan again",
			change: func(w *facts.World) { w.Kubernetes.ClusterConfiguration += "# edited\n" },
		},
		{
			name: "another cluster", want: "moved", why: "the authority of cp2 is not the one that cluster.kubeconfig trusts: is it a node of another cluster?",
			change: func(w *facts.World) { w.Kubernetes.Authority = "other" },
		},
		{
			name: "the API is down", want: "unknown", why: "the Kubernetes API cannot be asked how the cluster is: refused",
			change: func(w *facts.World) { w.Kubernetes = facts.Kubernetes{Unknown: "refused"} },
		},
		{
			name: "the API server of another control plane is not ready, an hour after its certificates were changed", want: "unknown",
			why: "control plane cp1 is not whole, and only one may be disturbed at a time: kube-apiserver is not ready: etcd; its apiserver was changed 60m before",
			change: func(w *facts.World) {
				w.Nodes["cp1"].ControlPlane.APIServer = facts.APIServer{NotReady: "etcd"}
				worlds.File(w.Nodes["cp1"], "apiserver").Modified = now.Add(-time.Hour)
			},
		},
		{
			name: "a static pod of another control plane is gone since its certificates were changed", want: "unknown", why: "kube-scheduler has no static pod manifest",
			change: func(w *facts.World) {
				cp := &w.Nodes["cp3"].ControlPlane
				cp.StaticPods = slices.DeleteFunc(cp.StaticPods, func(p facts.StaticPod) bool { return p.Component == "kube-scheduler" })
				worlds.File(w.Nodes["cp3"], "scheduler.conf").Modified = now.Add(-23 * time.Hour)
			},
		},
		{
			name: "the node itself is broken, which renewing may repair", want: "holds",
			change: func(w *facts.World) {
				w.Nodes["cp2"].ControlPlane.APIServer = facts.APIServer{NotReady: "etcd"}
				worlds.Pod(w.Nodes["cp3"], "kube-scheduler").ContainerID = ""
			},
		},
		{
			name: "another control plane does not answer us, but Kubernetes", want: "holds",
			change: func(w *facts.World) { w.Nodes["cp1"] = &facts.Node{Name: "cp1", Unknown: "ssh: no answer"} },
		},
		{
			name: "two etcd members are down", want: "unknown", why: "1 of 3 members answer and follow a leader, which is no majority; member cp1 does not answer: refused; member cp3 does not answer: refused",
			change: func(w *facts.World) { w.Etcd.Members[0].Unknown, w.Etcd.Members[2].Unknown = "refused", "refused" },
		},
		{
			name: "an etcd member is a learner, and well", want: "holds",
			change: func(w *facts.World) { w.Etcd.Members[2].Learner = true },
		},
		{
			name: "an alarm", want: "unknown", why: "alarm NOSPACE is raised on member cp1",
			change: func(w *facts.World) {
				w.Etcd.Alarms = []facts.Alarm{{Member: w.Etcd.Members[0].ID, Type: "NOSPACE"}}
			},
		},
		{
			name: "no leader", want: "unknown", why: "0 of 3 members answer and follow a leader, which is no majority; member cp1 follows no leader",
			change: func(w *facts.World) {
				for i := range w.Etcd.Members {
					w.Etcd.Members[i].Leader = "0"
				}
			},
		},
		{
			name: "two leaders", want: "unknown", why: "member cp3 follows leader cp2, others cp1",
			change: func(w *facts.World) { w.Etcd.Members[2].Leader = w.Etcd.Members[1].ID },
		},
		{
			name: "a member lags", want: "unknown", why: "member cp2 is 5001 raft entries behind",
			change: func(w *facts.World) {
				for i := range w.Etcd.Members {
					w.Etcd.Members[i].RaftIndex, w.Etcd.Members[i].RaftApplied = 9000, 9000
				}
				w.Etcd.Members[1].RaftIndex, w.Etcd.Members[1].RaftApplied = 3999, 3999
			},
		},
		{
			name: "a member lags as far as is healthy", want: "holds",
			change: func(w *facts.World) { w.Etcd.Members[1].RaftIndex += 5000; w.Etcd.Members[1].RaftApplied += 5000 },
		},
		{
			name: "a member has not applied", want: "unknown", why: "member cp2 is 5001 raft entries behind",
			change: func(w *facts.World) {
				for i := range w.Etcd.Members {
					w.Etcd.Members[i].RaftIndex, w.Etcd.Members[i].RaftApplied = 9000, 9000
				}
				w.Etcd.Members[1].RaftApplied = 3999
			},
		},
		{
			name: "members hold different data", want: "unknown", why: "members cp1 and cp2 hold different data at revision 1800",
			change: func(w *facts.World) { w.Etcd.Members[1].Hash++ },
		},
		{
			name: "hashes of different revisions say nothing", want: "holds",
			change: func(w *facts.World) { w.Etcd.Members[1].Hash++; w.Etcd.Members[1].HashRevision++ },
		},
		{
			name: "etcd is unknown", want: "unknown", why: "etcd could not be asked: no route",
			change: func(w *facts.World) { w.Etcd = facts.Etcd{Unknown: "no route"} },
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			in, steps := due(t)
			in.World = worlds.Clone(in.World)
			test.change(&in.World)
			got := ready(in, steps[0])
			if got.State != test.want || !strings.Contains(got.Why, test.why) {
				t.Errorf("renew: %+v, want %s: %s", got, test.want, test.why)
			}
		})
	}
}

// TestRestartReady moves the ground under the restart of kube-controller-manager on cp2.
func TestRestartReady(t *testing.T) {
	tests := []struct {
		name   string
		change func(n *facts.Node)
		want   providers.ReadyState
		why    string
	}{
		{name: "as planned", change: func(*facts.Node) {}, want: "holds"},
		{
			name: "it was restarted since", want: "done", why: "what runs on cp2 started after its certificates were renewed",
			change: func(n *facts.Node) {
				p := worlds.Pod(n, "kube-controller-manager")
				p.ContainerID, p.StartedAt = "new", now.Add(time.Second)
			},
		},
		{
			name: "another container, and still an old one", want: "moved", why: "runs as container other, the plan was made for",
			change: func(n *facts.Node) { worlds.Pod(n, "kube-controller-manager").ContainerID = "other" },
		},
		{
			name: "it does not run", want: "moved", why: "kube-controller-manager does not run on cp2",
			change: func(n *facts.Node) { worlds.Pod(n, "kube-controller-manager").ContainerID = "" },
		},
		{
			name: "containers cannot be seen", want: "unknown", why: "the containers of cp2 cannot be seen: no CRI socket",
			change: func(n *facts.Node) { n.ControlPlane.ContainersUnknown = "no CRI socket" },
		},
		{
			name: "it would not come back", want: "moved", why: "would not come back from a restart: the key of controller-manager.conf: mismatch",
			change: func(n *facts.Node) { worlds.File(n, "controller-manager.conf").Key = "mismatch" },
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			in, steps := due(t)
			w := in.World.Clone()
			w.Apply(certificates.Type().Effects[steps[0].Operation].Predict(in, steps[0]))
			in.World = worlds.Concrete(w)
			test.change(in.World.Nodes["cp2"])
			got := ready(in, steps[1])
			if got.State != test.want || !strings.Contains(got.Why, test.why) {
				t.Errorf("restart: %+v, want %s: %s", got, test.want, test.why)
			}
		})
	}
}
