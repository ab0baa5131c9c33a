package certificates_test

import (
	"slices"
	"strings"
	"time"

	"upkeep/fixtures/worlds"
	"upkeep/providers"
	"upkeep/providers/certificates"
	"upkeep/providers/facts"
)

// without removes names and addresses from a certificate.
func without(n *facts.Node, name string, gone ...string) {
	leaf := &worlds.File(n, name).Blocks[0]
	is := func(s string) bool { return slices.Contains(gone, s) }
	leaf.DNSNames = slices.DeleteFunc(slices.Clone(leaf.DNSNames), is)
	leaf.IPAddresses = slices.DeleteFunc(slices.Clone(leaf.IPAddresses), is)
}

// contentCases are about what certificates say, beside their dates.
func contentCases() []findingCase {
	lacks := func(node, name, path, what string) []providers.Finding {
		return []providers.Finding{{
			ID: "CERT_SAN_MISSING", Severity: "error", Address: address(node), Object: name, Summary: "is not valid for " + what,
			Hint: "a renewal does not change the names: set repair_sans = true, or move /etc/kubernetes/pki/" + path + " and its key away and run `kubeadm init phase certs " + name + " --config FILE` with the cluster's own configuration",
		}}
	}
	identity := func(name, path, summary string) []providers.Finding {
		phase := "kubeconfig " + strings.TrimSuffix(name, ".conf")
		move := "move the file away"
		if !strings.HasSuffix(name, ".conf") {
			phase, move = "certs "+name, "move the file and its key away"
		}
		return []providers.Finding{{
			ID: "CERT_IDENTITY_WRONG", Severity: "error", Address: address("cp2"), Object: name, Summary: summary,
			Hint: "a renewal does not change the user: restore the file from a backup; or " + move + " and run `kubeadm init phase " + phase + " --config FILE` with the cluster's own configuration",
		}}
	}
	subject := func(name, is string) func(*facts.World, *certificates.Spec) {
		return func(w *facts.World, _ *certificates.Spec) { worlds.File(w.Nodes["cp2"], name).Blocks[0].Subject = is }
	}
	host := worlds.Host(1)
	return []findingCase{
		{
			name:   "the API server without its node's address",
			change: func(w *facts.World, _ *certificates.Spec) { without(w.Nodes["cp2"], "apiserver", host) },
			want:   lacks("cp2", "apiserver", "apiserver.crt", host),
		},
		{
			name: "the API server without the endpoint, the service and the cluster's domain",
			change: func(w *facts.World, _ *certificates.Spec) {
				without(w.Nodes["cp2"], "apiserver", "cp.example.net", "10.96.0.1", "kubernetes.default.svc.cluster.local", "cp2")
			},
			want: lacks("cp2", "apiserver", "apiserver.crt", "kubernetes.default.svc.cluster.local, cp2, cp.example.net, 10.96.0.1"),
		},
		{
			name: "a name that was declared later",
			change: func(w *facts.World, _ *certificates.Spec) {
				w.Kubernetes.ClusterConfiguration = strings.Replace(w.Kubernetes.ClusterConfiguration, "apiServer: {}", "apiServer:\n  certSANs:\n  - api.example.net\n  - 203.0.113.9", 1)
				for _, n := range w.Nodes {
					leaf := &worlds.File(n, "apiserver").Blocks[0]
					leaf.IPAddresses = append(slices.Clone(leaf.IPAddresses), "203.0.113.9")
					if n.Name != "cp3" {
						leaf.DNSNames = append(slices.Clone(leaf.DNSNames), "*.example.net")
					}
				}
			},
			want: lacks("cp3", "apiserver", "apiserver.crt", "api.example.net"),
		},
		{
			name:   "etcd without the address of its own node, by which its health is asked",
			change: func(w *facts.World, _ *certificates.Spec) { without(w.Nodes["cp2"], "etcd-server", "127.0.0.1") },
			want:   lacks("cp2", "etcd-server", "etcd/server.crt", "127.0.0.1"),
		},
		{
			name:   "an etcd peer without its address",
			change: func(w *facts.World, _ *certificates.Spec) { without(w.Nodes["cp2"], "etcd-peer", host) },
			want:   lacks("cp2", "etcd-peer", "etcd/peer.crt", host),
		},
		{
			name:   "an admin without its group",
			change: subject("admin.conf", "CN=kubernetes-admin"),
			want: append(identity("admin.conf", "", `its user "CN=kubernetes-admin" is not in the group kubeadm:cluster-admins`), providers.Finding{
				ID: "CERT_KUBECONFIG_STALE", Severity: "note", Address: address("cp2"), Object: worlds.Copy, Summary: "its user is not the one of admin.conf, and it will not follow",
				Hint: "it holds CN=kubernetes-admin,O=kubeadm:cluster-admins, and no readable kubeconfig of this node does: copy admin.conf over it by hand, or take it out of kubeconfigs",
			}),
		},
		{
			name:   "the API server's client for kubelets without a group",
			change: subject("apiserver-kubelet-client", "CN=kube-apiserver-kubelet-client"),
			want:   identity("apiserver-kubelet-client", "", `its user "CN=kube-apiserver-kubelet-client" is not in the group kubeadm:cluster-admins`),
		},
		{
			name: "the same of a release that binds the user",
			change: func(w *facts.World, s *certificates.Spec) {
				w.Kubernetes.ClusterConfiguration = strings.Replace(w.Kubernetes.ClusterConfiguration, "v1.35.4", "v1.36.3", 1)
				subject("apiserver-kubelet-client", "CN=kube-apiserver-kubelet-client")(w, s)
			},
		},
		{
			name:   "a scheduler that is somebody else",
			change: subject("scheduler.conf", "CN=system:kube-controller-manager"),
			want:   identity("scheduler.conf", "", `its user is "CN=system:kube-controller-manager", and must be system:kube-scheduler`),
		},
		{
			name:   "a group among several",
			change: subject("apiserver-kubelet-client", "CN=kube-apiserver-kubelet-client,O=system:masters+O=ops"),
		},
		{
			name: "an admin of an older release",
			change: func(w *facts.World, _ *certificates.Spec) {
				for _, name := range []string{"admin.conf", worlds.Copy} {
					worlds.File(w.Nodes["cp2"], name).Blocks[0].Subject = "CN=kubernetes-admin,O=system:masters"
				}
			},
			want: []providers.Finding{{
				ID: "CERT_IDENTITY_OVERPRIVILEGED", Severity: "note", Address: address("cp2"), Object: "admin.conf",
				Summary: "its user is in the group system:masters, which no role can take rights from",
				Hint:    "it was kept from a release before 1.29: move it away, and run `kubeadm init phase kubeconfig admin --config FILE`",
			}},
		},
		{
			name: "a kubeconfig that trusts another cluster",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.File(w.Nodes["cp2"], "controller-manager.conf").Authorities = []string{strings.Repeat("ab", 32)}
			},
			want: []providers.Finding{{
				ID: "CERT_KUBECONFIG_FOREIGN", Severity: "error", Address: address("cp2"), Object: "controller-manager.conf", Summary: "it trusts another authority than the cluster's",
				Hint: "its certificate-authority-data is not of /etc/kubernetes/pki/ca.crt: restore the file from a backup; or move the file away and run `kubeadm init phase kubeconfig controller-manager --config FILE` with the cluster's own configuration",
			}},
		},
		{
			name: "a second certificate that has expired",
			change: func(w *facts.World, _ *certificates.Spec) {
				f := worlds.File(w.Nodes["cp2"], "front-proxy-client")
				old := f.Blocks[0]
				old.NotAfter = now.Add(-3 * time.Hour)
				f.Blocks = append(slices.Clone(f.Blocks), old)
			},
			want: []providers.Finding{{
				ID: "CERT_APPENDED_EXPIRED", Severity: "warning", Address: address("cp2"), Object: "front-proxy-client", Summary: "certificate 2 in the file expired 3h ago",
				Hint: "remove it from /etc/kubernetes/pki/front-proxy-client.crt; a renewal writes the file with one certificate",
			}},
		},
		{
			name: "a certificate that is not for what it is used for, on its last days",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.File(w.Nodes["cp2"], "etcd-peer").Usage = []string{"clients"}
				worlds.Age(now, 12*day, w.Nodes["cp2"], "etcd-peer")
			},
			want: []providers.Finding{
				{
					ID: "CERT_EXPIRES_SOON", Severity: "warning", Address: address("cp2"), Object: "etcd-peer", Summary: "expires in 12d; renewal starts 30d before",
					Hint: "upkeep cannot renew it: a renewal keeps its usages, and it is not for clients",
				},
				{
					ID: "CERT_USAGE_WRONG", Severity: "error", Address: address("cp2"), Object: "etcd-peer", Summary: "is not for clients (extended key usage)",
					Hint: "a renewal keeps the usages, so upkeep does not renew it: restore the file from a backup; or move the file and its key away and run `kubeadm init phase certs etcd-peer --config FILE` with the cluster's own configuration",
				},
			},
		},
		{
			name: "a file of another user",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.File(w.Nodes["cp2"], "scheduler.conf").Owner = "1000:0"
			},
			want: []providers.Finding{{
				ID: "CERT_OWNER_FOREIGN", Severity: "warning", Address: address("cp2"), Object: "scheduler.conf",
				Summary: "/etc/kubernetes/scheduler.conf belongs to 1000:0 (uid:gid), who can replace it", Hint: "chown 0:0 /etc/kubernetes/scheduler.conf",
			}},
		},
		{
			name:   "the key of an authority is lost on one control plane",
			change: func(w *facts.World, _ *certificates.Spec) { worlds.File(w.Nodes["cp2"], "etcd-ca").Key = "missing" },
			want: []providers.Finding{{
				ID: "CERT_AUTHORITY_KEY_MISSING", Severity: "error", Address: address("cp2"), Object: "etcd-ca", Summary: "its key is missing here, and cp1 has it",
				Hint: "copy /etc/kubernetes/pki/etcd/ca.key from cp1, with mode 0600",
			}},
		},
	}
}
