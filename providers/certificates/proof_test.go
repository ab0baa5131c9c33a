package certificates_test

import (
	"strings"
	"testing"
	"time"

	"upkeep/fixtures/worlds"
	"upkeep/providers"
	"upkeep/providers/certificates"
	"upkeep/providers/facts"
)

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
				in, _ := due(t)
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
			name: "a certificate that was not due was changed", step: renew, err: "etcd-peer on cp2 was changed during this step, but not by this step",
			change: func(w *facts.World) { worlds.File(cp2(w), "etcd-peer").Blocks[0].SHA256 = "other" },
		},
		{
			name: "the kubelet rotated its own, which is its business", step: renew,
			change: func(w *facts.World) { worlds.File(cp2(w), "kubelet-client").Blocks[0].SHA256 = "other" },
		},
		{
			name: "a container was restarted by renewing", step: renew, err: "kube-scheduler on cp2 was restarted during this step, but not by this step",
			change: func(w *facts.World) { worlds.Pod(cp2(w), "kube-scheduler").ContainerID = "other" },
		},
		{
			name: "a container of another control plane was restarted", step: restart, err: "etcd on cp3 was restarted during this step, but not by this step",
			change: func(w *facts.World) { worlds.Pod(w.Nodes["cp3"], "etcd").ContainerID = "other" },
		},
		{
			name: "the same container runs", step: restart, err: "kube-controller-manager still runs as container",
			change: func(w *facts.World) {
				in, _ := due(t)
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
			name: "nobody leads", step: restart, err: "the lease of kube-controller-manager was last renewed 10s before the restart, by \"cp1_",
			change: func(w *facts.World) { w.Kubernetes.Leases[0].RenewedAt = now.Add(-10 * time.Second) },
		},
		{
			name: "no lease", step: restart, err: "no process holds the lease of kube-controller-manager",
			change: func(w *facts.World) { w.Kubernetes.Leases[0].Holder = "" },
		},
		{
			name: "the API server is not ready", step: restart, err: "the control plane of cp2 is unhealthy: kube-apiserver is not ready",
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
			in, steps := due(t)
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
