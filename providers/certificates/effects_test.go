package certificates_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/fixtures/worlds"
	"upkeep/providers"
	"upkeep/providers/certificates"
	"upkeep/providers/facts"
)

// due returns three control planes of which cp2 has certificates due, and the steps for them with what they expect.
func due() (providers.Input, []providers.Step) {
	w := worlds.ControlPlanes(3, now)
	worlds.Age(now, 12*day, w.Nodes["cp2"], "apiserver", "admin.conf", "controller-manager.conf")
	in := input(w, 3)
	steps, _ := fold(in, spec().Diff(in).Steps)
	return in, steps
}

func ready(in providers.Input, s providers.Step) providers.Readiness {
	return certificates.Type().Effects[s.Operation].Ready(in, s)
}

// TestStepsAreWholeAndReadable compares the steps of one node, as a person and the executor read them.
func TestStepsAreWholeAndReadable(t *testing.T) {
	in, steps := due()
	serial := func(name string) string { return worlds.File(in.World.Nodes["cp2"], name).Blocks[0].Serial }
	container := worlds.Pod(in.World.Nodes["cp2"], "kube-controller-manager").ContainerID
	for i := range steps {
		if !strings.Contains(string(steps[i].Args), `{"nodes":{"roles":["control-plane"]}`) {
			t.Errorf("arguments %s", steps[i].Args)
		}
		steps[i].Args = nil
	}
	const id = "certificates.control_plane@cp2"
	want := []providers.Step{
		{
			ID: id + "/renew", Address: address("cp2"), Node: "cp2", Operation: "certificates.renew", Action: "update",
			Summary: "renew apiserver, admin.conf, controller-manager.conf",
			Why: []string{
				"admin.conf on cp2 expires in 12d, and 2 more",
				"certificates.control_plane.renew_before = 30d (provider.upkeep.hcl:23)",
			},
			Changes: []providers.Change{
				{What: "not_after", Before: "2026-12-04", After: "2027-11-22"},
				{What: "client certificate in /root/.kube/config", Before: "its own", After: "admin.conf's"},
			},
			Guards: []string{"backup"}, GuardNone: "a lab", Window: "always", SerialGroup: "control-plane",
			Expects: []providers.Expectation{
				{What: "serial of apiserver", Value: serial("apiserver")}, {What: "not_after of apiserver", Value: "2026-12-04T12:00:00Z"},
				{What: "serial of admin.conf", Value: serial("admin.conf")}, {What: "not_after of admin.conf", Value: "2026-12-04T12:00:00Z"},
				{What: "serial of controller-manager.conf", Value: serial("controller-manager.conf")}, {What: "not_after of controller-manager.conf", Value: "2026-12-04T12:00:00Z"},
			},
			Proof:    "new serials that end 2027-11-22; keys and chains match; kubeconfigs keep server and authorities; the ports serve the new serials; no container restarted",
			Undo:     "put back the archive of /etc/kubernetes that the helper takes on cp2 before it changes anything",
			Estimate: 3, Position: "provider.upkeep.hcl:20",
		},
		{
			ID: id + "/restart", Address: address("cp2"), Node: "cp2", Operation: "certificates.restart", Action: "update",
			Summary: "restart kube-controller-manager",
			Why: []string{
				"kube-controller-manager on cp2 reads its kubeconfig only when it starts, and it is renewed",
				"certificates.control_plane.renew_before = 30d (provider.upkeep.hcl:23)",
			},
			Changes:    []providers.Change{{What: "container of kube-controller-manager", Before: "running", After: "new"}},
			Disruption: "control plane of cp2",
			Guards:     []string{"backup"}, GuardNone: "a lab", Window: "always", SerialGroup: "control-plane", After: []string{id + "/renew"},
			Expects:  []providers.Expectation{{What: "container of kube-controller-manager", Value: container}},
			Proof:    "new containers that started later; leases renewed since; the API server ready; 6443 2379 2380 serve what is on disk; etcd whole",
			Undo:     "none is needed: the container is the same, started anew",
			Estimate: 5, Position: "provider.upkeep.hcl:20",
		},
	}
	if d := cmp.Diff(want, steps); d != "" {
		t.Error(d)
	}
}

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
			name: "a renewal was interrupted here", want: "moved", why: "an interrupted renewal on cp2 must be mended first; plan again",
			change: func(w *facts.World) { w.Nodes["cp2"].Certificates.Unfinished = []facts.Unfinished{{ID: "r1"}} },
		},
		{
			name: "a renewal was interrupted elsewhere", want: "unknown", why: "an interrupted renewal on control plane cp3 must be mended first",
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
			name: "the API server of another control plane is not ready", want: "unknown",
			why:    "control plane cp1 is not whole, and only one may be disturbed at a time: kube-apiserver is not ready: etcd",
			change: func(w *facts.World) { w.Nodes["cp1"].ControlPlane.APIServer = facts.APIServer{NotReady: "etcd"} },
		},
		{
			name: "a static pod of another control plane is gone", want: "unknown", why: "kube-scheduler has no static pod manifest",
			change: func(w *facts.World) {
				cp := &w.Nodes["cp3"].ControlPlane
				cp.StaticPods = slices.DeleteFunc(cp.StaticPods, func(p facts.StaticPod) bool { return p.Component == "kube-scheduler" })
			},
		},
		{
			name: "the node itself is broken, which renewing may mend", want: "holds",
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
			name: "another control plane answers nobody", want: "unknown", why: "control plane cp1 did not answer and Kubernetes does not call it ready",
			change: func(w *facts.World) {
				w.Nodes["cp1"] = &facts.Node{Name: "cp1", Unknown: "ssh: no answer"}
				w.Kubernetes.Nodes[0].Ready = false
			},
		},
		{
			name: "an etcd member is down", want: "unknown", why: "member cp3 does not answer: refused",
			change: func(w *facts.World) { w.Etcd.Members[2].Unknown = "refused" },
		},
		{
			name: "an etcd member is a learner", want: "unknown", why: "member cp3 is a learner and has no vote",
			change: func(w *facts.World) { w.Etcd.Members[2].Learner = true },
		},
		{
			name: "an alarm", want: "unknown", why: "alarm NOSPACE is raised on member cp1",
			change: func(w *facts.World) {
				w.Etcd.Alarms = []facts.Alarm{{Member: w.Etcd.Members[0].ID, Type: "NOSPACE"}}
			},
		},
		{
			name: "no leader", want: "unknown", why: "member cp1 follows no leader",
			change: func(w *facts.World) { w.Etcd.Members[0].Leader = "0" },
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
			name: "a member has not applied", want: "unknown", why: "member cp2 has 5001 raft entries still to apply",
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
			in, steps := due()
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
			in, steps := due()
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

// TestProved lets both steps on cp2 happen, with one thing gone wrong.
func TestProved(t *testing.T) {
	const renew, restart = 0, 1
	cp2 := func(w *facts.World) *facts.Node { return w.Nodes["cp2"] }
	tests := []struct {
		name   string
		step   int
		change func(w *facts.World)
		err    string
	}{
		{name: "renewed", step: renew, change: func(*facts.World) {}},
		{name: "restarted", step: restart, change: func(*facts.World) {}},
		{
			name: "the serial is the old one", step: renew, err: "apiserver still has serial",
			change: func(w *facts.World) {
				in, _ := due()
				worlds.File(cp2(w), "apiserver").Blocks = worlds.File(in.World.Nodes["cp2"], "apiserver").Blocks
			},
		},
		{
			name: "kubeadm fell back to another life", step: renew, err: "apiserver was issued for 17520h0m0s, the cluster's configuration says 8760h0m0s: kubeadm did not use it",
			change: func(w *facts.World) {
				b := &worlds.File(cp2(w), "apiserver").Blocks[0]
				b.NotAfter = b.NotAfter.Add(worlds.Validity)
			},
		},
		{
			name: "kubeadm fell back to another key", step: renew, err: "admin.conf has a key of type ECDSA-P256, the cluster's configuration says RSA-2048",
			change: func(w *facts.World) {
				worlds.File(cp2(w), "admin.conf").Blocks[0].Algorithm = "ECDSA-P256"
			},
		},
		{
			name: "a name was lost", step: renew, err: "the names in apiserver were",
			change: func(w *facts.World) {
				b := &worlds.File(cp2(w), "apiserver").Blocks[0]
				b.DNSNames = b.DNSNames[1:]
			},
		},
		{
			name: "a torn pair", step: renew, err: "the key of apiserver: mismatch",
			change: func(w *facts.World) { worlds.File(cp2(w), "apiserver").Key = "mismatch" },
		},
		{
			name: "a broken chain", step: renew, err: "apiserver does not chain to its authority: unknown authority",
			change: func(w *facts.World) { worlds.File(cp2(w), "apiserver").Chain = "unknown authority" },
		},
		{
			name: "a kubeconfig lost its server", step: renew, err: "the server of admin.conf was https://cp.example.net:6443 and is https://10.0.0.12:6443",
			change: func(w *facts.World) { worlds.File(cp2(w), "admin.conf").Server = "https://10.0.0.12:6443" },
		},
		{
			name: "a copy lost its second authority", step: renew, err: "the authorities of /root/.kube/config were 1 certificates and are 0 others",
			change: func(w *facts.World) { worlds.File(cp2(w), worlds.Copy).Authorities = nil },
		},
		{
			name: "a copy did not follow", step: renew, err: "/root/.kube/config does not hold the client certificate of admin.conf",
			change: func(w *facts.World) { worlds.File(cp2(w), worlds.Copy).Blocks[0].SHA256 = "old" },
		},
		{
			name: "the port serves the old serial", step: renew, err: "kube-apiserver at 10.0.0.12:6443 serves serial OLD, on disk is",
			change: func(w *facts.World) {
				s := worlds.Served(cp2(w), "apiserver")
				s.Serial, s.SHA256 = "OLD", "old"
			},
		},
		{
			name: "the port is silent", step: renew, err: "kube-apiserver at 10.0.0.12:6443 cannot be asked what it serves: refused",
			change: func(w *facts.World) { worlds.Served(cp2(w), "apiserver").Unknown = "refused" },
		},
		{
			name: "a certificate that was not due was changed", step: renew, err: "etcd-peer on cp2 was changed meanwhile, and not by this step",
			change: func(w *facts.World) { worlds.File(cp2(w), "etcd-peer").Blocks[0].SHA256 = "other" },
		},
		{
			name: "the kubelet rotated its own, which is its business", step: renew,
			change: func(w *facts.World) { worlds.File(cp2(w), "kubelet-client").Blocks[0].SHA256 = "other" },
		},
		{
			name: "a container was restarted by renewing", step: renew, err: "kube-scheduler on cp2 was restarted meanwhile, and not by this step",
			change: func(w *facts.World) { worlds.Pod(cp2(w), "kube-scheduler").ContainerID = "other" },
		},
		{
			name: "a container of another control plane was restarted", step: restart, err: "etcd on cp3 was restarted meanwhile, and not by this step",
			change: func(w *facts.World) { worlds.Pod(w.Nodes["cp3"], "etcd").ContainerID = "other" },
		},
		{
			name: "the same container runs", step: restart, err: "kube-controller-manager still runs as container",
			change: func(w *facts.World) {
				in, _ := due()
				worlds.Pod(cp2(w), "kube-controller-manager").ContainerID = worlds.Pod(in.World.Nodes["cp2"], "kube-controller-manager").ContainerID
			},
		},
		{
			name: "nothing runs", step: restart, err: "kube-controller-manager has no running container",
			change: func(w *facts.World) { worlds.Pod(cp2(w), "kube-controller-manager").ContainerID = "" },
		},
		{
			name: "the new container started before the renewal", step: restart, err: "kube-controller-manager does not use the certificate on disk",
			change: func(w *facts.World) { worlds.Pod(cp2(w), "kube-controller-manager").StartedAt = now.Add(-time.Second) },
		},
		{
			name: "nobody leads", step: restart, err: "the lease of kube-controller-manager was last renewed 10s before the restart, by cp1_",
			change: func(w *facts.World) { w.Kubernetes.Leases[0].RenewedAt = now.Add(-10 * time.Second) },
		},
		{
			name: "no lease", step: restart, err: "nobody holds the lease of kube-controller-manager",
			change: func(w *facts.World) { w.Kubernetes.Leases[0].Holder = "" },
		},
		{
			name: "the API server is not ready", step: restart, err: "the control plane of cp2 is not whole: kube-apiserver is not ready",
			change: func(w *facts.World) { cp2(w).ControlPlane.APIServer = facts.APIServer{} },
		},
		{
			name: "etcd lost a member", step: restart, err: "etcd is not healthy after the step on cp2: member cp2 does not answer: refused",
			change: func(w *facts.World) { w.Etcd.Members[1].Unknown = "refused" },
		},
		{
			name: "etcd has other members", step: restart, err: "the members of etcd changed during the step",
			change: func(w *facts.World) { w.Etcd.Members = w.Etcd.Members[:2] },
		},
		{
			name: "another etcd", step: restart, err: "and is other",
			change: func(w *facts.World) { w.Etcd.ClusterID = "other" },
		},
		{
			name: "the node is gone", step: restart, err: "nothing is known of cp2: no answer",
			change: func(w *facts.World) { w.Nodes["cp2"] = &facts.Node{Name: "cp2", Unknown: "no answer"} },
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			in, steps := due()
			effects := certificates.Type().Effects
			var before providers.Input
			after := in
			for _, s := range steps[:test.step+1] {
				before = after
				w := after.World.Clone()
				w.Apply(effects[s.Operation].Predict(after, s))
				after.World = worlds.Concrete(w)
			}
			test.change(&after.World)
			step := steps[test.step]
			err := effects[step.Operation].Proved(before, after, step)
			switch {
			case test.err == "" && err != nil:
				t.Errorf("not proved: %v", err)
			case test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)):
				t.Errorf("got %v, want %q", err, test.err)
			}
		})
	}
}

// TestByHandIsNeverTheMirrorPod: the runbook says how a person does it, and never by deleting a mirror pod, which restarts nothing.
func TestByHandIsNeverTheMirrorPod(t *testing.T) {
	w := worlds.ControlPlanes(3, now)
	n := w.Nodes["cp2"]
	worlds.Age(now, 12*day, n, "apiserver", "admin.conf", "scheduler.conf")
	n.Certificates.Unfinished = []facts.Unfinished{{ID: "r1", Remaining: []string{"etcd-peer"}}}
	worlds.File(n, worlds.Copy).Server = "https://lb.example.net:6443"
	in := input(w, 3)
	steps, befores := fold(in, spec().Diff(in).Steps)
	var runs []string
	for i, s := range steps {
		for _, c := range certificates.Type().Effects[s.Operation].ByHand(befores[i], s) {
			if strings.Contains(c.Run, "delete pod") || c.See == "" {
				t.Errorf("%+v", c)
			}
			runs = append(runs, fmt.Sprintf("%s: %s", c.Node, c.Run))
		}
	}
	want := []string{
		"cp2: openssl x509 -noout -pubkey -in /etc/kubernetes/pki/etcd/peer.crt | sha256sum; openssl pkey -pubout -in /etc/kubernetes/pki/etcd/peer.key | sha256sum",
		"cp2: kubeadm certs check-expiration",
		"cp2: umask 077; cp -a /etc/kubernetes /root/kubernetes.before",
		"cp2: kubectl --kubeconfig /etc/kubernetes/admin.conf -n kube-system get configmap kubeadm-config -o jsonpath='{.data.ClusterConfiguration}' > /root/kubeadm.yaml && grep -c ^kind: /root/kubeadm.yaml",
		"cp2: kubeadm certs renew apiserver --config /root/kubeadm.yaml",
		"cp2: kubeadm certs renew admin.conf --config /root/kubeadm.yaml",
		"cp2: kubeadm certs renew scheduler.conf --config /root/kubeadm.yaml",
		"cp2: cp -a /root/.kube/config /root/.kube/config.before && cp /etc/kubernetes/admin.conf /root/.kube/config && kubectl --kubeconfig /root/.kube/config config set-cluster \"$(kubectl --kubeconfig /root/.kube/config config view -o jsonpath='{.clusters[0].name}')\" --server=https://lb.example.net:6443",
		"cp2: openssl s_client -connect 10.0.0.12:6443 </dev/null 2>/dev/null | openssl x509 -noout -serial; openssl x509 -noout -serial -in /etc/kubernetes/pki/apiserver.crt",
		"cp2: kubeadm certs check-expiration --config /root/kubeadm.yaml",
		"cp2: crictl ps --name '^kube-scheduler$'",
		"cp2: mv /etc/kubernetes/manifests/kube-scheduler.yaml /root/kube-scheduler.yaml && until [ -z \"$(crictl ps -q --name '^kube-scheduler$')\" ]; do sleep 1; done",
		"cp2: mv /root/kube-scheduler.yaml /etc/kubernetes/manifests/kube-scheduler.yaml && until [ -n \"$(crictl ps -q --name '^kube-scheduler$')\" ]; do sleep 1; done; crictl ps --name '^kube-scheduler$'",
		": kubectl -n kube-system get lease kube-scheduler -o jsonpath='{.spec.holderIdentity} {.spec.renewTime}'",
		": kubectl get --raw /readyz",
	}
	if d := cmp.Diff(want, runs); d != "" {
		t.Error(d)
	}
}
