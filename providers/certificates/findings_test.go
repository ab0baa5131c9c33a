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

const day = 24 * time.Hour

func address(node string) providers.Address {
	return providers.Address{Type: "certificates", Name: "control_plane", Node: node}
}

// TestFindings breaks one thing of a healthy world at a time and compares everything that is found and planned.
func TestFindings(t *testing.T) {
	const (
		cp1 = "certificates.control_plane@cp1"
		cp2 = "certificates.control_plane@cp2"
	)
	adminIdentity := "CN=kubernetes-admin,O=kubeadm:cluster-admins"
	tests := []struct {
		name   string
		change func(w *facts.World, s *certificates.Spec)
		want   []providers.Finding
		steps  []string
	}{
		{name: "healthy", change: func(*facts.World, *certificates.Spec) {}},
		{
			name: "expires soon",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.Age(now, 12*day+time.Hour, w.Nodes["cp2"], "front-proxy-client")
			},
			want: []providers.Finding{{
				ID: "CERT_EXPIRES_SOON", Severity: "warning", Address: address("cp2"), Object: "front-proxy-client",
				Summary: `12d left, renew_before = "30d"`,
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
				Summary: `30d left, renew_before = "30d"`,
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
					Hint: "upkeep renews what it can read: restore it from a backup, or move it and its key away and run `kubeadm init phase certs apiserver --config FILE` with the cluster's own configuration",
				},
				{
					ID: "CERT_EXPIRES_SOON", Severity: "warning", Address: address("cp1"), Object: "etcd-peer",
					Summary: `12d left, renew_before = "30d"`,
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
				Hint:    "upkeep renews what it can read: restore it from a backup, or move it and its key away and run `kubeadm init phase certs apiserver --config FILE` with the cluster's own configuration",
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
				Hint:    "upkeep renews what it can read: restore it from a backup, or move it and its key away and run `kubeadm init phase certs etcd-healthcheck-client --config FILE` with the cluster's own configuration",
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
			name: "the key of an authority is another's",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.File(w.Nodes["cp2"], "ca").Key = "mismatch"
				worlds.Age(now, day, w.Nodes["cp2"], "apiserver")
			},
			want: []providers.Finding{
				{
					ID: "CERT_EXPIRES_SOON", Severity: "warning", Address: address("cp2"), Object: "apiserver", Summary: `24h left, renew_before = "30d"`,
					Hint: "upkeep cannot renew it: the key of its authority ca does not belong to it",
				},
				{
					ID: "CERT_KEY_MISMATCH", Severity: "error", Address: address("cp2"), Object: "ca", Summary: "its key does not belong to it",
					Hint: "restore the pair from a backup or another control plane",
				},
			},
		},
		{
			name: "an external authority",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.File(w.Nodes["cp2"], "ca").Key = "missing"
				worlds.Age(now, day, w.Nodes["cp2"], "apiserver")
			},
			want: []providers.Finding{{
				ID: "CERT_EXPIRES_SOON", Severity: "warning", Address: address("cp2"), Object: "apiserver", Summary: `24h left, renew_before = "30d"`,
				Hint: "upkeep cannot renew it: the key of its authority ca is not on this node: whoever holds it must issue the certificate",
			}},
		},
		{
			name: "a broken chain is not renewed by itself",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.File(w.Nodes["cp2"], "apiserver").Chain = "x509: certificate signed by unknown authority"
			},
			want: []providers.Finding{{
				ID: "CERT_CHAIN_BROKEN", Severity: "error", Address: address("cp2"), Object: "apiserver",
				Summary: "x509: certificate signed by unknown authority",
				Hint:    "upkeep does not guess which authority is right; when the authorities are as they should be, `upkeep apply -replace=certificates.control_plane@cp2` issues it anew",
			}},
		},
		{
			name: "a component runs since before its kubeconfig was changed",
			change: func(w *facts.World, _ *certificates.Spec) {
				n := w.Nodes["cp2"]
				worlds.File(n, "controller-manager.conf").Modified = worlds.Pod(n, "kube-controller-manager").StartedAt.Add(40 * day)
			},
			want: []providers.Finding{{
				ID: "CERT_SERVED_DIFFERS", Severity: "error", Address: address("cp2"), Object: "kube-controller-manager",
				Summary: "runs since 40d before its kubeconfig was changed",
			}},
			steps: []string{cp2 + "/restart: restart kube-controller-manager"},
		},
		{
			name: "a port serves an old certificate for long",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.Served(w.Nodes["cp1"], "etcd-peer").SHA256 = "old"
				worlds.Served(w.Nodes["cp1"], "etcd-peer").Serial = "OLD"
				worlds.File(w.Nodes["cp1"], "etcd-peer").Blocks[0].Serial = "DISK"
			},
			want: []providers.Finding{{
				ID: "CERT_SERVED_DIFFERS", Severity: "error", Address: address("cp1"), Object: "etcd 10.0.0.11:2380",
				Summary: "serves OLD, not DISK as on disk",
			}},
			steps: []string{cp1 + "/restart: restart etcd"},
		},
		{
			name: "a port that may still reload is not restarted",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.Served(w.Nodes["cp1"], "apiserver").SHA256 = "old"
				worlds.Served(w.Nodes["cp1"], "apiserver").Serial = "OLD"
				f := worlds.File(w.Nodes["cp1"], "apiserver")
				f.Blocks[0].Serial, f.Modified = "DISK", now.Add(-30*time.Second)
			},
			want: []providers.Finding{{
				ID: "CERT_SERVED_DIFFERS", Severity: "warning", Address: address("cp1"), Object: "kube-apiserver 10.0.0.11:6443",
				Summary: "serves OLD, not DISK as on disk", Hint: "it reloads by itself within a minute or two; look again",
			}},
		},
		{
			name: "the kubelet is left alone",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.Served(w.Nodes["cp1"], "kubelet-server").SHA256 = "old"
				worlds.Served(w.Nodes["cp1"], "kubelet-server").Serial = "OLD"
				worlds.File(w.Nodes["cp1"], "kubelet-server").Blocks[0].Serial = "DISK"
			},
			want: []providers.Finding{{
				ID: "CERT_SERVED_DIFFERS", Severity: "warning", Address: address("cp1"), Object: "kubelet 10.0.0.11:10250",
				Summary: "serves OLD, not DISK as on disk", Hint: "upkeep leaves the kubelet alone: `systemctl restart kubelet` on cp1",
			}},
		},
		{
			name: "a port that does not answer",
			change: func(w *facts.World, _ *certificates.Spec) {
				s := worlds.Served(w.Nodes["cp3"], "etcd-server")
				s.Unknown, s.Serial, s.SHA256 = "connection refused", "", ""
			},
			want: []providers.Finding{{
				ID: "CERT_SERVED_UNKNOWN", Severity: "error", Address: address("cp3"), Object: "etcd 10.0.0.13:2379", Unknown: true,
				Summary: "cannot be told what it serves: connection refused",
			}},
		},
		{
			name: "a container without a start time",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.Pod(w.Nodes["cp3"], "kube-scheduler").StartedAt = time.Time{}
			},
			want: []providers.Finding{{
				ID: "CERT_SERVED_UNKNOWN", Severity: "error", Address: address("cp3"), Object: "kube-scheduler", Unknown: true,
				Summary: "cannot be told whether it runs with the certificate on disk: the container's start or the file's time is not known",
			}},
		},
		{
			name: "an authority ends soon",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.File(w.Nodes["cp1"], "etcd-ca").Blocks[0].NotAfter = now.Add(320 * day)
			},
			want: []providers.Finding{{
				ID: "CERT_AUTHORITY_EXPIRES_SOON", Severity: "warning", Address: address("cp1"), Object: "etcd-ca",
				Summary: "320d left; a certificate issued now would outlive it",
				Hint:    "upkeep does not renew authorities: plan a rotation by hand, see https://kubernetes.io/docs/tasks/tls/manual-rotation-of-ca-certificates/",
			}},
		},
		{
			name: "an authority has expired, and nothing is issued under it",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.File(w.Nodes["cp1"], "front-proxy-ca").Blocks[0].NotAfter = now.Add(-day)
				worlds.Age(now, -day, w.Nodes["cp1"], "front-proxy-client")
			},
			want: []providers.Finding{
				{
					ID: "CERT_AUTHORITY_EXPIRES_SOON", Severity: "error", Address: address("cp1"), Object: "front-proxy-ca",
					Summary: "expired 24h ago",
					Hint:    "upkeep does not renew authorities: plan a rotation by hand, see https://kubernetes.io/docs/tasks/tls/manual-rotation-of-ca-certificates/",
				},
				{
					ID: "CERT_EXPIRED", Severity: "error", Address: address("cp1"), Object: "front-proxy-client", Summary: "expired 24h ago",
					Hint: "upkeep cannot renew it: its authority front-proxy-ca has expired",
				},
			},
		},
		{
			name: "authorities differ between control planes",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.File(w.Nodes["cp2"], "etcd-ca").Blocks[0].SHA256 = "other"
				worlds.Age(now, day, w.Nodes["cp2"], "etcd-peer", "apiserver")
			},
			want: []providers.Finding{
				{
					ID: "CERT_AUTHORITY_DIFFERS", Severity: "error", Address: address("cp2"), Object: "etcd-ca",
					Summary: "not the certificates that cp1 has; nothing is renewed under it here",
					Hint:    "find out which is right before anything is renewed: compare /etc/kubernetes/pki/etcd/ca.crt on all control planes",
				},
				{ID: "CERT_EXPIRES_SOON", Severity: "warning", Address: address("cp2"), Object: "apiserver", Summary: `24h left, renew_before = "30d"`},
				{
					ID: "CERT_EXPIRES_SOON", Severity: "warning", Address: address("cp2"), Object: "etcd-peer", Summary: `24h left, renew_before = "30d"`,
					Hint: "upkeep cannot renew it: its authority etcd-ca is not that of cp1",
				},
			},
			steps: []string{cp2 + "/renew: renew apiserver"},
		},
		{
			name: "a node of another cluster",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.File(w.Nodes["cp1"], "ca").Blocks[0].SHA256 = "other"
				worlds.Age(now, day, w.Nodes["cp1"], "etcd-peer")
			},
			want: []providers.Finding{
				{
					ID: "CERT_AUTHORITY_DIFFERS", Severity: "error", Address: address("cp1"), Object: "ca",
					Summary: "this is not the authority that cluster.kubeconfig trusts; nothing is renewed here",
					Hint:    "does this node belong to another cluster? Compare `openssl x509 -noout -fingerprint -sha256 -in /etc/kubernetes/pki/ca.crt` with the kubeconfig",
				},
				{
					ID: "CERT_EXPIRES_SOON", Severity: "warning", Address: address("cp1"), Object: "etcd-peer", Summary: `24h left, renew_before = "30d"`,
					Hint: "upkeep cannot renew it: its authority is not the one that cluster.kubeconfig trusts",
				},
			},
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
				Summary: "valid only from 2026-11-22T13:00:00Z", Hint: "compare the clocks of the control planes",
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
				worlds.File(w.Nodes["cp2"], worlds.Copy).Blocks[0].SHA256 = "old"
			},
			want: []providers.Finding{{
				ID: "CERT_KUBECONFIG_STALE", Severity: "warning", Address: address("cp2"), Object: worlds.Copy,
				Summary: "its client certificate is not the one of admin.conf",
			}},
			steps: []string{cp2 + "/renew: update /root/.kube/config from admin.conf"},
		},
		{
			name: "a copy ends together with admin.conf",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.Age(now, 3*day, w.Nodes["cp2"], "admin.conf")
			},
			want: []providers.Finding{
				{ID: "CERT_EXPIRES_SOON", Severity: "warning", Address: address("cp2"), Object: "admin.conf", Summary: `3d left, renew_before = "30d"`},
				{
					ID: "CERT_KUBECONFIG_STALE", Severity: "warning", Address: address("cp2"), Object: worlds.Copy,
					Summary: `its client certificate has 3d left, renew_before = "30d"`,
				},
			},
			steps: []string{cp2 + "/renew: renew admin.conf"},
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
				Hint: "it holds another identity (CN=kubernetes-admin,O=system:masters) than admin.conf (" + adminIdentity +
					") and upkeep does not exchange identities: take it out of kubeconfigs, or copy admin.conf over it once by hand",
			}},
		},
		{
			name: "an interrupted renewal",
			change: func(w *facts.World, _ *certificates.Spec) {
				n := w.Nodes["cp2"]
				n.Certificates.Unfinished = []facts.Unfinished{{ID: "r1", Step: cp2 + "/renew", Installed: []string{"apiserver"}, Remaining: []string{"etcd-peer"}}}
				worlds.File(n, "etcd-peer").Key = "mismatch"
				worlds.Age(now, 12*day, w.Nodes["cp1"], "front-proxy-client")
			},
			want: []providers.Finding{
				{ID: "CERT_EXPIRES_SOON", Severity: "warning", Address: address("cp1"), Object: "front-proxy-client", Summary: `12d left, renew_before = "30d"`},
				{
					ID: "CERT_UNFINISHED", Severity: "error", Address: address("cp2"), Object: "r1",
					Summary: "a renewal was interrupted; not yet in place: etcd-peer",
				},
				{ID: "CERT_KEY_MISMATCH", Severity: "error", Address: address("cp2"), Object: "etcd-peer", Summary: "its key does not belong to it"},
			},
			steps: []string{
				cp2 + "/mend: mend the renewal that was interrupted",
				cp1 + "/renew: renew front-proxy-client",
			},
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
				Hint:    "the kubelet rotates its own client certificate: look at `journalctl -u kubelet` and `kubectl get csr`",
			}},
		},
		{
			name: "a node that does not answer",
			change: func(w *facts.World, _ *certificates.Spec) {
				w.Nodes["cp1"] = &facts.Node{Name: "cp1", Unknown: "ssh: no answer in 10s"}
				worlds.Age(now, 12*day, w.Nodes["cp2"], "front-proxy-client")
			},
			want: []providers.Finding{
				{
					ID: "NODE_UNREACHABLE", Severity: "error", Address: address("cp1"), Summary: "ssh: no answer in 10s", Unknown: true,
					Hint: "its part of this plan is unknown; try `ssh 10.0.0.11` as upkeep does",
				},
				{ID: "CERT_EXPIRES_SOON", Severity: "warning", Address: address("cp2"), Object: "front-proxy-client", Summary: `12d left, renew_before = "30d"`},
			},
			steps: []string{cp2 + "/renew: renew front-proxy-client"},
		},
		{
			name:   "a node that was not observed",
			change: func(w *facts.World, _ *certificates.Spec) { delete(w.Nodes, "cp3") },
			want: []providers.Finding{{
				ID: "NODE_UNREACHABLE", Severity: "error", Address: address("cp3"), Summary: "not observed", Unknown: true,
				Hint: "its part of this plan is unknown; try `ssh 10.0.0.13` as upkeep does",
			}},
		},
		{
			name: "an unknown layout",
			change: func(w *facts.World, _ *certificates.Spec) {
				w.Nodes["cp3"].Certificates = facts.Certificates{Unknown: "no known layout"}
			},
			want: []providers.Finding{{
				ID: "CERT_LAYOUT_UNKNOWN", Severity: "error", Address: address("cp3"), Summary: "no known layout", Unknown: true,
				Hint: "is this a kubeadm control plane? Set layout, or take the node out of nodes",
			}},
		},
		{
			name: "renew_before as long as certificates live",
			change: func(w *facts.World, s *certificates.Spec) {
				s.RenewBefore = config.Duration(365 * day)
				worlds.Age(now, 122*day, w.Nodes["cp1"], "apiserver")
				worlds.Age(now, 121*day, w.Nodes["cp2"], "apiserver")
			},
			want: []providers.Finding{
				{
					ID: "CERT_RENEW_BEFORE_TOO_LONG", Severity: "warning", Address: address(""), Object: "renew_before",
					Summary: `renew_before = "1y", but the cluster issues certificates for 365d: a new one would be due at once; until this is changed those with less than 121d left are renewed`,
					Hint:    "set renew_before to less than 365d, or raise certificateValidityPeriod in the ConfigMap kube-system/kubeadm-config",
				},
				{ID: "CERT_EXPIRES_SOON", Severity: "warning", Address: address("cp2"), Object: "apiserver", Summary: `121d left, renew_before = "1y"`},
			},
			steps: []string{cp2 + "/renew: renew apiserver"},
		},
		{
			name: "an etcd member is down",
			change: func(w *facts.World, _ *certificates.Spec) {
				m := &w.Etcd.Members[2]
				*m = facts.Member{ID: m.ID, Name: m.Name, Unknown: "connection refused"}
			},
			want: []providers.Finding{{
				ID: "ETCD_UNHEALTHY", Severity: "error", Address: address(""), Object: "cp3", Summary: "member cp3 does not answer: connection refused",
				Hint: "upkeep touches no control plane while etcd is not whole",
			}},
		},
		{
			name: "a control plane is broken",
			change: func(w *facts.World, _ *certificates.Spec) {
				n := w.Nodes["cp2"]
				worlds.Pod(n, "kube-scheduler").ContainerID = ""
				n.ControlPlane.APIServer = facts.APIServer{NotReady: "etcd"}
			},
			want: []providers.Finding{
				{
					ID: "NODE_CONTROL_PLANE_BROKEN", Severity: "error", Address: address("cp2"), Object: "kube-scheduler", Summary: "has no running container",
					Hint: "look at `crictl ps -a` and `journalctl -u kubelet` on cp2; no other control plane is touched meanwhile",
				},
				{
					ID: "NODE_CONTROL_PLANE_BROKEN", Severity: "error", Address: address("cp2"), Object: "kube-apiserver", Summary: "is not ready: etcd",
					Hint: "look at `crictl ps -a` and `journalctl -u kubelet` on cp2; no other control plane is touched meanwhile",
				},
			},
		},
		{
			name: "the operator's own kubeconfig ends",
			change: func(w *facts.World, _ *certificates.Spec) {
				w.Kubernetes.Kubeconfig.Blocks[0].NotAfter = now.Add(5 * day)
			},
			want: []providers.Finding{{
				ID: "CERT_OPERATOR_KUBECONFIG", Severity: "warning", Address: address(""), Object: "cluster.kubeconfig",
				Summary: "the client certificate in /home/ops/.kube/config expires in 5d",
				Hint:    "upkeep does not change the file that it reads the cluster with: copy the client certificate and key of a renewed /etc/kubernetes/admin.conf into it",
			}},
		},
		{
			name: "kubeadm's configuration is not known, and nothing is renewed by defaults",
			change: func(w *facts.World, _ *certificates.Spec) {
				w.Kubernetes.ClusterConfiguration, w.Kubernetes.ClusterConfigurationUnknown = "", "forbidden"
				worlds.Age(now, 12*day, w.Nodes["cp2"], "apiserver")
			},
			want: []providers.Finding{
				{
					ID: "CERT_CONFIGURATION_UNKNOWN", Severity: "error", Address: address(""), Summary: "forbidden", Unknown: true,
					Hint: "without the cluster's own kubeadm configuration kubeadm falls back to its defaults, so upkeep renews nothing; check cluster.kubeconfig, and `kubectl -n kube-system get configmap kubeadm-config`",
				},
				{
					ID: "CERT_EXPIRES_SOON", Severity: "warning", Address: address("cp2"), Object: "apiserver", Summary: `12d left, renew_before = "30d"`,
					Hint: "upkeep cannot renew it: the cluster's kubeadm configuration is not known",
				},
			},
		},
		{
			name:   "no node is selected",
			change: func(_ *facts.World, s *certificates.Spec) { s.Nodes = config.Selection{Roles: []string{"master"}} },
			want: []providers.Finding{{
				ID: "NODE_NONE_SELECTED", Severity: "error", Address: address(""), Summary: "nodes selects no node",
				Hint: "declare nodes with the role or name that the block selects",
			}},
		},
	}
	seen := map[string]bool{"NODE_SELECTION_UNKNOWN": true} // TestUnresolvedFleet
	for _, test := range tests {
		for _, f := range test.want {
			seen[f.ID] = true
		}
		t.Run(test.name, func(t *testing.T) {
			w, s := worlds.ControlPlanes(3, now), spec()
			test.change(&w, &s)
			out := s.Diff(input(w, 3))
			for i := range test.want {
				test.want[i].Position = "provider.upkeep.hcl:20"
			}
			if d := cmp.Diff(test.want, out.Findings); d != "" {
				t.Errorf("findings:\n%s", d)
			}
			var steps []string
			for _, s := range out.Steps {
				steps = append(steps, fmt.Sprintf("%s: %s", s.ID, s.Summary))
			}
			if d := cmp.Diff(test.steps, steps); d != "" {
				t.Errorf("steps:\n%s", d)
			}
		})
	}
	for _, doc := range certificates.Type().Findings {
		if !seen[doc.ID] {
			t.Errorf("%s is documented and no case reports it", doc.ID)
		}
		delete(seen, doc.ID)
	}
	for id := range seen {
		t.Errorf("%s is reported and not documented", id)
	}
}

func TestUnresolvedFleet(t *testing.T) {
	w := worlds.ControlPlanes(1, now)
	desired := config.Desired{Nodes: worlds.Nodes(1), Fleets: []config.Fleet{{Name: "more", Roles: []string{"control-plane"}}}}
	w.Fleets = map[string]facts.Fleet{"more": {Unknown: "the API does not answer"}}
	in := providers.Input{World: w, Now: now, Inventory: providers.NewInventory(desired, w)}
	want := []providers.Finding{{
		ID: "NODE_SELECTION_UNKNOWN", Severity: "error", Address: address(""), Unknown: true, Position: "provider.upkeep.hcl:20",
		Summary: "not all nodes of the selection are known: the API does not answer",
	}}
	if d := cmp.Diff(want, spec().Diff(in).Findings); d != "" {
		t.Error(d)
	}
}

func TestPrimaryGoesFirst(t *testing.T) {
	w := worlds.ControlPlanes(3, now)
	for _, n := range w.Nodes {
		worlds.Age(now, 12*day, n, "apiserver")
	}
	in := input(w, 3)
	in.Inventory.Nodes[1].Primary = true
	var got []string
	for _, s := range spec().Diff(in).Steps {
		got = append(got, s.Node)
	}
	if d := cmp.Diff([]string{"cp2", "cp1", "cp3"}, got); d != "" {
		t.Error(d)
	}
}

func TestReplaceRenewsEverythingOfTheNodeNamed(t *testing.T) {
	in := input(worlds.ControlPlanes(3, now), 3)
	in.Replace = []providers.Address{address("cp2")}
	var got []string
	for _, s := range spec().Diff(in).Steps {
		got = append(got, fmt.Sprintf("%s: %s; %s", s.ID, s.Summary, s.Why[0]))
	}
	want := []string{
		"certificates.control_plane@cp2/renew: renew apiserver, apiserver-kubelet-client, front-proxy-client, apiserver-etcd-client, etcd-server, etcd-peer, " +
			"etcd-healthcheck-client, admin.conf, controller-manager.conf, scheduler.conf; -replace names certificates.control_plane@cp2",
		"certificates.control_plane@cp2/restart: restart kube-controller-manager, kube-scheduler; " +
			"kube-controller-manager and kube-scheduler on cp2 read their kubeconfig only when they start, and it is renewed",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
