package certificates_test

import (
	"strings"
	"time"

	"upkeep/fixtures/worlds"
	"upkeep/providers"
	"upkeep/providers/certificates"
	"upkeep/providers/facts"
)

// fileCases are about single files.
func fileCases() []findingCase {
	return []findingCase{
		{
			name: "expires soon",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.Age(now, 12*day+time.Hour, w.Nodes["cp2"], "front-proxy-client")
			},
			want: []providers.Finding{{
				ID: "CERT_EXPIRES_SOON", Severity: "warning", Address: address("cp2"), Object: "front-proxy-client",
				Summary: `expires in 12d; renewal starts 30d before`,
			}},
			steps: []string{cp2 + "/renew: renew front-proxy-client"},
		},
		{
			name: "the last moment of renew_before is due",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.Age(now, 30*day, w.Nodes["cp2"], "apiserver")
				worlds.Age(now, 30*day+time.Second, w.Nodes["cp1"], "apiserver")
			},
			want: []providers.Finding{{
				ID: "CERT_EXPIRES_SOON", Severity: "warning", Address: address("cp2"), Object: "apiserver",
				Summary: `expires in 30d; renewal starts 30d before`,
			}},
			steps: []string{cp2 + "/renew: renew apiserver"},
		},
		{
			name: "expired",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.Age(now, -3*time.Hour, w.Nodes["cp1"], "scheduler.conf")
			},
			want: []providers.Finding{{
				ID: "CERT_EXPIRED", Severity: "error", Address: address("cp1"), Object: "scheduler.conf", Summary: "expired 3h ago",
			}},
			steps: []string{cp1 + "/renew: renew scheduler.conf", cp1 + "/restart: restart kube-scheduler"},
		},
		{
			name: "one unreadable file hides nothing else",
			change: func(w *facts.World, _ *certificates.Spec) {
				f := worlds.File(w.Nodes["cp1"], "apiserver")
				f.Unknown, f.Blocks, f.Key = "no PEM block", nil, ""
				worlds.Age(now, 12*day, w.Nodes["cp1"], "etcd-peer")
			},
			want: []providers.Finding{
				{
					ID: "CERT_UNREADABLE", Severity: "error", Address: address("cp1"), Object: "apiserver", Summary: "no PEM block", Unknown: true,
					Hint: "restore the file from a backup; or move the file and its key away and run `kubeadm init phase certs apiserver --config FILE` with the cluster's own configuration",
				},
				{
					ID: "CERT_EXPIRES_SOON", Severity: "warning", Address: address("cp1"), Object: "etcd-peer",
					Summary: `expires in 12d; renewal starts 30d before`,
				},
			},
			steps: []string{cp1 + "/renew: renew etcd-peer"},
		},
		{
			name: "an unreadable key",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.File(w.Nodes["cp1"], "apiserver").Key = "unreadable: permission denied"
			},
			want: []providers.Finding{{
				ID: "CERT_UNREADABLE", Severity: "error", Address: address("cp1"), Object: "apiserver", Unknown: true,
				Summary: "its key is unreadable: permission denied",
				Hint:    "restore the file from a backup; or move the file and its key away and run `kubeadm init phase certs apiserver --config FILE` with the cluster's own configuration",
			}},
		},
		{
			name: "missing",
			change: func(w *facts.World, _ *certificates.Spec) {
				f := worlds.File(w.Nodes["cp3"], "etcd-healthcheck-client")
				*f = facts.CertificateFile{Name: f.Name, Kind: f.Kind, Path: f.Path, KeyPath: f.KeyPath, Authority: f.Authority, Missing: true}
			},
			want: []providers.Finding{{
				ID: "CERT_MISSING", Severity: "error", Address: address("cp3"), Object: "etcd-healthcheck-client",
				Summary: "/etc/kubernetes/pki/etcd/healthcheck-client.crt is not there",
				Hint:    "restore the file from a backup; or move the file and its key away and run `kubeadm init phase certs etcd-healthcheck-client --config FILE` with the cluster's own configuration",
			}},
		},
		{
			name: "super-admin.conf and a copy are missing where they need not be",
			change: func(w *facts.World, _ *certificates.Spec) {
				for _, name := range []string{"super-admin.conf", worlds.Copy} {
					f := worlds.File(w.Nodes["cp1"], name)
					*f = facts.CertificateFile{Name: f.Name, Kind: f.Kind, Path: f.Path, Authority: "ca", Missing: true}
				}
			},
		},
		{
			name: "a copy that no node has",
			change: func(_ *facts.World, s *certificates.Spec) {
				s.Kubeconfigs = []string{"/root/.kube/confg"}
			},
			want: []providers.Finding{{
				ID: "CERT_MISSING", Severity: "warning", Address: address(""), Object: "/root/.kube/confg", Summary: "no node has this kubeconfig",
				Hint: "correct the path in kubeconfigs, or remove it",
			}},
		},
		{
			name: "a key of another certificate",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.File(w.Nodes["cp2"], "etcd-server").Key = "mismatch"
			},
			want: []providers.Finding{{
				ID: "CERT_KEY_MISMATCH", Severity: "error", Address: address("cp2"), Object: "etcd-server", Summary: "its key does not belong to it",
			}},
			steps: []string{cp2 + "/renew: renew etcd-server"},
		},
		{
			name: "an external authority",
			change: func(w *facts.World, _ *certificates.Spec) {
				for _, n := range w.Nodes {
					worlds.File(n, "ca").Key = "missing"
				}
				worlds.Age(now, day, w.Nodes["cp2"], "apiserver")
			},
			want: []providers.Finding{keyElsewhere("cp1"), {
				ID: "CERT_EXPIRES_SOON", Severity: "warning", Address: address("cp2"), Object: "apiserver", Summary: `expires in 24h; renewal starts 30d before`,
				Hint: "upkeep cannot renew it: the key of its authority ca is not on this node: the holder of the CA key must issue the certificate",
			}, keyElsewhere("cp2"), keyElsewhere("cp3")},
		},
		{
			name: "a broken chain is not renewed by itself",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.File(w.Nodes["cp2"], "apiserver").Chain = "x509: certificate signed by unknown authority"
			},
			want: []providers.Finding{{
				ID: "CERT_CHAIN_BROKEN", Severity: "error", Address: address("cp2"), Object: "apiserver",
				Summary: "x509: certificate signed by unknown authority",
				Hint:    "upkeep does not guess which authority is right; when the authorities are as they should be, `upkeep apply -replace=certificates.control_plane@cp2` issues it again",
			}},
		},
		{
			name: "a certificate outlives its authority",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.File(w.Nodes["cp1"], "front-proxy-client").Blocks[0].NotAfter = now.Add(9*worlds.Validity + 300*day + time.Second)
			},
			want: []providers.Finding{{
				ID: "CERT_OUTLIVES_AUTHORITY", Severity: "warning", Address: address("cp1"), Object: "front-proxy-client",
				Summary: "ends after its authority front-proxy-ca does, and with that at the latest",
				Hint:    "rotate front-proxy-ca; renewing this certificate does not help",
			}},
		},
		{
			name: "not yet valid",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.File(w.Nodes["cp1"], "front-proxy-client").Blocks[0].NotBefore = now.Add(time.Hour)
			},
			want: []providers.Finding{{
				ID: "CERT_NOT_YET_VALID", Severity: "error", Address: address("cp1"), Object: "front-proxy-client",
				Summary: "valid only from 2026-11-22T13:00:00Z", Hint: "compare the clocks of the nodes",
			}},
		},
		{
			name: "keys that others can read",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.File(w.Nodes["cp1"], "apiserver").KeyMode = "0640"
				worlds.File(w.Nodes["cp1"], worlds.Copy).Mode = "0644"
			},
			want: []providers.Finding{
				{
					ID: "CERT_KEY_EXPOSED", Severity: "warning", Address: address("cp1"), Object: "apiserver",
					Summary: "/etc/kubernetes/pki/apiserver.key has mode 0640, wider than 0600",
					Hint:    "chmod 0600 /etc/kubernetes/pki/apiserver.key, and think about who could have read it",
				},
				{
					ID: "CERT_KEY_EXPOSED", Severity: "warning", Address: address("cp1"), Object: worlds.Copy,
					Summary: "/root/.kube/config has mode 0644, wider than 0600",
					Hint:    "chmod 0600 /root/.kube/config, and think about who could have read it",
				},
			},
		},
		{
			name: "a copy that did not follow",
			change: func(w *facts.World, _ *certificates.Spec) {
				b := &worlds.File(w.Nodes["cp2"], worlds.Copy).Blocks[0]
				b.SHA256, b.NotAfter = "old", b.NotAfter.Add(-60*day)
			},
			want: []providers.Finding{{
				ID: "CERT_KUBECONFIG_STALE", Severity: "warning", Address: address("cp2"), Object: worlds.Copy,
				Summary: "its client certificate ends 60d before the one of admin.conf",
			}},
			steps: []string{cp2 + "/renew: update /root/.kube/config"},
		},
		{
			name: "a copy ends together with admin.conf",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.Age(now, 3*day, w.Nodes["cp2"], "admin.conf")
			},
			want: []providers.Finding{
				{ID: "CERT_EXPIRES_SOON", Severity: "warning", Address: address("cp2"), Object: "admin.conf", Summary: `expires in 3d; renewal starts 30d before`},
				{
					ID: "CERT_KUBECONFIG_STALE", Severity: "warning", Address: address("cp2"), Object: worlds.Copy,
					Summary: `its client certificate expires in 3d; renewal starts 30d before`,
				},
			},
			steps: []string{cp2 + "/renew: renew admin.conf"},
		},
		{
			name: "a copy of another control plane's admin.conf is as good",
			change: func(w *facts.World, _ *certificates.Spec) {
				b := &worlds.File(w.Nodes["cp2"], worlds.Copy).Blocks[0]
				b.SHA256, b.NotAfter = "other", b.NotAfter.Add(time.Minute)
			},
		},
		{
			name: "a copy of super-admin.conf follows that",
			change: func(w *facts.World, _ *certificates.Spec) {
				n := w.Nodes["cp1"]
				worlds.File(n, worlds.Copy).Blocks[0] = worlds.File(n, "super-admin.conf").Blocks[0]
				worlds.File(n, worlds.Copy).Blocks[0].NotAfter = now.Add(40 * day)
			},
			want: []providers.Finding{{
				ID: "CERT_KUBECONFIG_STALE", Severity: "warning", Address: address("cp1"), Object: worlds.Copy,
				Summary: "its client certificate ends 260d before the one of super-admin.conf",
			}},
			steps: []string{cp1 + "/renew: update /root/.kube/config"},
		},
		{
			name: "a copy with a torn pair and nothing newer to take",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.File(w.Nodes["cp1"], worlds.Copy).Key = "mismatch"
			},
			want: []providers.Finding{{
				ID: "CERT_KUBECONFIG_STALE", Severity: "error", Address: address("cp1"), Object: worlds.Copy,
				Summary: "its key does not belong to its client certificate",
				Hint:    "copy /etc/kubernetes/admin.conf over it by hand, and keep its server",
			}},
		},
		{
			name: "certificates of an external etcd are not kubeadm's",
			change: func(w *facts.World, _ *certificates.Spec) {
				w.Kubernetes.ClusterConfiguration = strings.Replace(worlds.ClusterConfiguration, "  local:\n    dataDir: /var/lib/etcd\n", "  external:\n    caFile: /etc/etcd/ca.crt\n", 1)
				worlds.Age(now, day, w.Nodes["cp1"], "apiserver-etcd-client")
				for _, name := range []string{"etcd-ca", "etcd-server", "etcd-peer", "etcd-healthcheck-client"} {
					f := worlds.File(w.Nodes["cp2"], name)
					*f = facts.CertificateFile{Name: f.Name, Kind: f.Kind, Path: f.Path, Authority: f.Authority, Missing: true}
				}
			},
			want: []providers.Finding{{
				ID: "CERT_EXPIRES_SOON", Severity: "warning", Address: address("cp1"), Object: "apiserver-etcd-client", Summary: `expires in 24h; renewal starts 30d before`,
				Hint: "upkeep cannot renew it: etcd is external, and its certificates are not kubeadm's",
			}},
		},
		{
			name: "a copy with another identity is left alone",
			change: func(w *facts.World, _ *certificates.Spec) {
				f := worlds.File(w.Nodes["cp2"], worlds.Copy)
				f.Blocks[0].SHA256, f.Blocks[0].Subject, f.Blocks[0].NotAfter = "old", "CN=kubernetes-admin,O=system:masters", now.Add(-day)
			},
			want: []providers.Finding{{
				ID: "CERT_KUBECONFIG_STALE", Severity: "error", Address: address("cp2"), Object: worlds.Copy,
				Summary: "its client certificate expired 24h ago",
				Hint:    "it holds CN=kubernetes-admin,O=system:masters, and no readable kubeconfig of this node does: copy admin.conf over it by hand, or take it out of kubeconfigs",
			}},
		},
		{
			name: "the kubelet did not rotate",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.Age(now, 36*day, w.Nodes["cp1"], "kubelet-client")
				worlds.Age(now, 37*day, w.Nodes["cp2"], "kubelet-client")
			},
			want: []providers.Finding{{
				ID: "CERT_KUBELET_EXPIRES_SOON", Severity: "warning", Address: address("cp1"), Object: "kubelet-client",
				Summary: "expires in 36d and was not rotated",
				Hint:    "the kubelet rotates its own client certificate: look at `journalctl -u kubelet` and `kubectl get csr`", ByItself: true,
			}},
		},
	}
}

// keyElsewhere is what is said of an authority whose key no control plane has.
func keyElsewhere(node string) providers.Finding {
	return providers.Finding{
		ID: "CERT_AUTHORITY_KEY_MISSING", Severity: "note", Address: address(node), Object: "ca", Summary: "its key is on no control plane, so upkeep renews nothing under it",
		Hint: "that is right where the authority is kept elsewhere; else restore /etc/kubernetes/pki/ca.key from a backup",
	}
}
