package certificates_test

import (
	"upkeep/fixtures/worlds"
	"upkeep/providers"
	"upkeep/providers/certificates"
	"upkeep/providers/facts"
)

const signing = "no step of upkeep repairs this. Copy sa.key and sa.pub from another control plane, or restore both from a backup; a new pair makes all tokens invalid"

// pair is a healthy pair for tokens.
func pair(id string) *facts.ServiceAccount {
	return &facts.ServiceAccount{Path: "/etc/kubernetes/pki/sa.key", PublicPath: "/etc/kubernetes/pki/sa.pub", Mode: "0600", KeyID: id, PublicKeyID: id}
}

// keyCases are about keys: that of an authority, the kubelet's, and the pair for tokens.
func keyCases() []findingCase {
	return []findingCase{
		{
			name: "a private key of another user, and a kubeconfig of a CA with the same key",
			change: func(w *facts.World, _ *certificates.Spec) {
				n := w.Nodes["cp2"]
				worlds.File(n, "apiserver").KeyOwner = "1000:1000"
				worlds.File(n, worlds.Copy).KeyOwner = "1000:1000" // of whoever works with the copy
				worlds.File(n, "ca").Blocks[0].KeyID = "key"
				f := worlds.File(n, "scheduler.conf")
				f.Authorities, f.AuthorityKeys = []string{"older"}, []string{"key"}
			},
			want: []providers.Finding{{
				ID: "CERT_OWNER_FOREIGN", Severity: "warning", Address: address("cp2"), Object: "apiserver",
				Summary: "/etc/kubernetes/pki/apiserver.key belongs to 1000:1000 (uid:gid), who can read and replace it",
				Hint:    "chown 0:0 /etc/kubernetes/pki/apiserver.key",
			}},
		},
		{
			name: "a CA that was issued again with its old key is the same CA",
			change: func(w *facts.World, _ *certificates.Spec) {
				for _, n := range w.Nodes {
					worlds.File(n, "etcd-ca").Blocks[0].KeyID = "key"
				}
				worlds.File(w.Nodes["cp2"], "etcd-ca").Blocks[0].SHA256 = "newer"
				worlds.Age(now, day, w.Nodes["cp2"], "etcd-server")
			},
			want: []providers.Finding{
				{
					ID: "CERT_AUTHORITY_DIFFERS", Severity: "warning", Address: address("cp2"), Object: "etcd-ca",
					Summary: "the same CA key as on cp1, in another certificate",
					Hint:    "the CA was issued again with its old key. Copy the newer /etc/kubernetes/pki/etcd/ca.crt to all control planes",
				},
				{ID: "CERT_EXPIRES_SOON", Severity: "warning", Address: address("cp2"), Object: "etcd-server", Summary: "expires in 24h; renewal starts 30d before"},
			},
			steps: []string{cp2 + "/renew: renew etcd-server"},
		},
		{
			name: "a CA of the cluster that was issued again with its old key is the one that the kubeconfig trusts",
			change: func(w *facts.World, _ *certificates.Spec) {
				w.Kubernetes.Authority, w.Kubernetes.AuthorityKey = "older", "key"
				for _, n := range w.Nodes {
					worlds.File(n, "ca").Blocks[0].KeyID = "key"
				}
				worlds.Age(now, day, w.Nodes["cp2"], "apiserver")
			},
			want: []providers.Finding{
				{ID: "CERT_EXPIRES_SOON", Severity: "warning", Address: address("cp2"), Object: "apiserver", Summary: "expires in 24h; renewal starts 30d before"},
			},
			steps: []string{cp2 + "/renew: renew apiserver"},
		},
		{
			name: "kubelet.conf embeds a certificate",
			change: func(w *facts.World, _ *certificates.Spec) {
				worlds.File(w.Nodes["cp2"], "kubelet-client").Path = "/etc/kubernetes/kubelet.conf"
			},
			want: []providers.Finding{{
				ID: "CERT_KUBELET_EMBEDDED", Severity: "warning", Address: address("cp2"), Object: "kubelet-client",
				Summary: "kubelet.conf embeds its client certificate, and rotation does not replace it",
				Hint: "let kubelet.conf name /var/lib/kubelet/pki/kubelet-client-current.pem as client-certificate and client-key, " +
					"then `systemctl restart kubelet`",
			}},
		},
		{
			name: "pairs for tokens that agree",
			change: func(w *facts.World, _ *certificates.Spec) {
				for _, n := range w.Nodes {
					n.Certificates.ServiceAccount = pair("a")
				}
			},
		},
		{
			name: "pairs for tokens: one missing, one another's and open to others",
			change: func(w *facts.World, _ *certificates.Spec) {
				w.Nodes["cp1"].Certificates.ServiceAccount = &facts.ServiceAccount{Path: "/etc/kubernetes/pki/sa.key", Missing: true}
				w.Nodes["cp2"].Certificates.ServiceAccount = pair("a")
				w.Nodes["cp3"].Certificates.ServiceAccount = pair("b")
				w.Nodes["cp3"].Certificates.ServiceAccount.Mode = "0644"
			},
			want: []providers.Finding{
				{
					ID: "CERT_SERVICE_ACCOUNT_KEY", Severity: "error", Address: address("cp1"), Object: "sa",
					Summary: "/etc/kubernetes/pki/sa.key is missing", Hint: signing,
				},
				{
					ID: "CERT_KEY_EXPOSED", Severity: "warning", Address: address("cp3"), Object: "sa",
					Summary: "/etc/kubernetes/pki/sa.key has mode 0644, wider than 0600",
					Hint:    "chmod 0600 /etc/kubernetes/pki/sa.key. Any user who has read the key can make tokens of every service account",
				},
				{
					ID: "CERT_SERVICE_ACCOUNT_KEY", Severity: "error", Address: address("cp3"), Object: "sa",
					Summary: "/etc/kubernetes/pki/sa.key is not the key that cp2 has",
					Hint:    "tokens that one control plane signs are refused by the other. " + signing,
				},
			},
		},
	}
}
