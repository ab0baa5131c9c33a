package certificates_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	fixture "upkeep/fixtures/pki"
	"upkeep/fixtures/worlds"
	"upkeep/providers/facts"
	"upkeep/providers/node/agent/controlplane"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/pki"
)

// TestFaultsOfARealPKI seeds one fault in the files of a control plane, reads the files as a node's helper does, and says all that
// is found then.
func TestFaultsOfARealPKI(t *testing.T) {
	type change = map[string]func(*x509.Certificate)
	write := func(name, text string, mode os.FileMode) func(*testing.T, *fixture.Tree) {
		return func(t *testing.T, tree *fixture.Tree) {
			put(t, tree, name, []byte(text), mode)
		}
	}
	without := func(ip string) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			c.IPAddresses = slices.DeleteFunc(c.IPAddresses, func(a net.IP) bool { return a.String() == ip })
		}
	}
	tests := []struct {
		name    string
		options fixture.Options
		damage  func(*testing.T, *fixture.Tree)
		want    []string
	}{
		{name: "healthy"},
		{
			name: "apiserver without the node's address", options: fixture.Options{Change: change{"apiserver": without("10.0.0.11")}},
			want: []string{"CERT_SAN_MISSING apiserver: is not valid for 10.0.0.11"},
		},
		{
			name: "apiserver without the service address", options: fixture.Options{Change: change{"apiserver": without("10.96.0.1")}},
			want: []string{"CERT_SAN_MISSING apiserver: is not valid for 10.96.0.1"},
		},
		{
			name: "apiserver without the service name", options: fixture.Options{Change: change{"apiserver": func(c *x509.Certificate) {
				c.DNSNames = slices.DeleteFunc(c.DNSNames, func(n string) bool { return n == "kubernetes.default.svc.cluster.local" })
			}}},
			want: []string{"CERT_SAN_MISSING apiserver: is not valid for kubernetes.default.svc.cluster.local"},
		},
		{
			name: "etcd server without loopback", options: fixture.Options{Change: change{"etcd-server": without("127.0.0.1")}},
			want: []string{"CERT_SAN_MISSING etcd-server: is not valid for 127.0.0.1"},
		},
		{
			name: "etcd peer without the node's address", options: fixture.Options{Change: change{"etcd-peer": without("10.0.0.11")}},
			want: []string{"CERT_SAN_MISSING etcd-peer: is not valid for 10.0.0.11"},
		},
		{
			name: "keys of CAs missing", options: fixture.Options{Faults: map[string]fixture.Fault{"ca": fixture.NoKey, "etcd-ca": fixture.NoKey}},
			want: []string{
				"CERT_AUTHORITY_KEY_MISSING ca: its key is on no control plane, so upkeep renews nothing under it",
				"CERT_AUTHORITY_KEY_MISSING etcd-ca: its key is on no control plane, so upkeep renews nothing under it",
			},
		},
		{
			name: "admin.conf in the wrong group", options: fixture.Options{Change: change{"admin.conf": func(c *x509.Certificate) { c.Subject.Organization = []string{"ops"} }}},
			want: []string{"CERT_IDENTITY_WRONG admin.conf: its user \"CN=kubernetes-admin,O=ops\" is not in the group kubeadm:cluster-admins"},
		},
		{
			name:    "apiserver-kubelet-client without a group",
			options: fixture.Options{Change: change{"apiserver-kubelet-client": func(c *x509.Certificate) { c.Subject.Organization = nil }}},
			want:    []string{"CERT_IDENTITY_WRONG apiserver-kubelet-client: its user \"CN=kube-apiserver-kubelet-client\" is not in the group kubeadm:cluster-admins"},
		},
		{
			name: "a client certificate with the wrong usage",
			options: fixture.Options{Change: change{"front-proxy-client": func(c *x509.Certificate) {
				c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
			}}},
			want: []string{"CERT_CHAIN_BROKEN front-proxy-client: x509: certificate specifies an incompatible key usage"},
		},
		{
			name: "admin.conf with the CA of another cluster",
			damage: func(t *testing.T, tree *fixture.Tree) {
				other, err := fixture.NewKubeadmTree(t.TempDir(), fixture.Options{Now: now.Add(-65 * day)})
				if err != nil {
					t.Fatal(err)
				}
				text, err := os.ReadFile(filepath.Join(tree.Dir, "etc/kubernetes/admin.conf"))
				if err != nil {
					t.Fatal(err)
				}
				config, err := pki.ParseKubeconfig(text)
				if err != nil {
					t.Fatal(err)
				}
				key, err := pki.ParseKey(config.Key)
				if err != nil {
					t.Fatal(err)
				}
				text, err = fixture.Kubeconfig(config.Server, fixture.CertificatePEM(other.Authorities["ca"].Certificate), "kubernetes-admin", config.Certificate, key)
				if err != nil {
					t.Fatal(err)
				}
				put(t, tree, "etc/kubernetes/admin.conf", text, 0o600)
			},
			want: []string{"CERT_KUBECONFIG_FOREIGN admin.conf: it trusts another authority than the cluster's"},
		},
		{
			name: "sa.key open to others",
			damage: func(t *testing.T, tree *fixture.Tree) {
				if err := os.Chmod(filepath.Join(tree.Dir, "etc/kubernetes/pki/sa.key"), 0o644); err != nil {
					t.Fatal(err)
				}
			},
			want: []string{"CERT_KEY_EXPOSED sa: /etc/kubernetes/pki/sa.key has mode 0644, wider than 0600"},
		},
		{
			name: "sa.key missing",
			damage: func(t *testing.T, tree *fixture.Tree) {
				if err := os.Remove(filepath.Join(tree.Dir, "etc/kubernetes/pki/sa.key")); err != nil {
					t.Fatal(err)
				}
			},
			want: []string{"CERT_SERVICE_ACCOUNT_KEY sa: /etc/kubernetes/pki/sa.key is missing"},
		},
		{
			name:   "sa.key of another cluster",
			damage: func(t *testing.T, tree *fixture.Tree) { put(t, tree, "etc/kubernetes/pki/sa.key", newKey(t), 0o600) },
			want:   []string{"CERT_SERVICE_ACCOUNT_KEY sa: /etc/kubernetes/pki/sa.pub does not belong to /etc/kubernetes/pki/sa.key"},
		},
		{
			name:   "sa.pub is no key",
			damage: write("etc/kubernetes/pki/sa.pub", "nothing", 0o644),
			want:   []string{"CERT_SERVICE_ACCOUNT_KEY sa: /etc/kubernetes/pki/sa.pub: the file holds no PEM public key"},
		},
		{
			name:   "an encrypted key",
			damage: write("etc/kubernetes/pki/apiserver.key", string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte{1}})), 0o600),
			want: []string{
				"CERT_UNREADABLE apiserver: its key is unreadable: the private key is encrypted, and Kubernetes reads no encrypted keys",
			},
		},
		{
			name: "a key of another user",
			damage: func(t *testing.T, tree *fixture.Tree) {
				if os.Geteuid() != 0 {
					t.Skip("only root may give files away")
				}
				if err := os.Chown(filepath.Join(tree.Dir, "etc/kubernetes/pki/front-proxy-client.key"), 1000, 1000); err != nil {
					t.Fatal(err)
				}
			},
			want: []string{"CERT_OWNER_FOREIGN front-proxy-client: /etc/kubernetes/pki/front-proxy-client.key belongs to 1000:1000 (uid:gid), who can read and replace it"},
		},
		{
			name: "a second certificate that has expired",
			damage: func(t *testing.T, tree *fixture.Tree) {
				old, err := fixture.NewKubeadmTree(t.TempDir(), fixture.Options{
					Now: now.Add(-400 * day), CAs: tree, Faults: map[string]fixture.Fault{},
				})
				if err != nil {
					t.Fatal(err)
				}
				put(t, tree, "etc/kubernetes/pki/apiserver.crt", append(get(t, tree, "etc/kubernetes/pki/apiserver.crt"), get(t, old, "etc/kubernetes/pki/apiserver.crt")...), 0o644)
			},
			want: []string{"CERT_APPENDED_EXPIRED apiserver: certificate 2 in the file expired 35d ago"},
		},
		{
			name: "kubelet.conf names another file, and the certificate in it has expired",
			damage: func(t *testing.T, tree *fixture.Tree) {
				put(t, tree, "etc/kubernetes/kubelet.conf", []byte(kubeletConf("client-certificate: /var/lib/kubelet/pki/mine.pem\n    client-key: /var/lib/kubelet/pki/mine.pem")), 0o600)
				put(t, tree, "var/lib/kubelet/pki/mine.pem", expiredKubelet(t, tree), 0o600)
			},
			want: []string{"CERT_KUBELET_EXPIRES_SOON kubelet-client: expired 35d ago"},
		},
		{
			name: "kubelet.conf embeds a certificate that has expired",
			damage: func(t *testing.T, tree *fixture.Tree) {
				text := expiredKubelet(t, tree)
				block, _ := pem.Decode(text)
				key, err := pki.ParseKey(text)
				if err != nil {
					t.Fatal(err)
				}
				conf, err := fixture.Kubeconfig("https://10.0.0.11:6443", fixture.CertificatePEM(tree.Authorities["ca"].Certificate), "system:node:cp1", pem.EncodeToMemory(block), key)
				if err != nil {
					t.Fatal(err)
				}
				put(t, tree, "etc/kubernetes/kubelet.conf", conf, 0o600)
			},
			want: []string{
				"CERT_KUBELET_EMBEDDED kubelet-client: kubelet.conf embeds its client certificate, and rotation does not replace it",
				"CERT_KUBELET_EXPIRES_SOON kubelet-client: expired 35d ago",
			},
		},
		{
			name: "Windows line ends are no fault",
			damage: func(t *testing.T, tree *fixture.Tree) {
				const name = "etc/kubernetes/pki/apiserver.crt"
				put(t, tree, name, []byte(strings.ReplaceAll(string(get(t, tree, name)), "\n", "\r\n")), 0o644)
			},
		},
		{
			name:   "a huge file",
			damage: write("etc/kubernetes/pki/etcd/peer.crt", strings.Repeat("x", pki.MaxFile+1), 0o644),
			want:   []string{"CERT_UNREADABLE etcd-peer: /etc/kubernetes/pki/etcd/peer.crt: is larger than the limit of 1048576 bytes"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.options.Now, test.options.ServiceAccount = now.Add(-65*day), true
			test.options.Validity = worlds.Validity
			tree, err := fixture.NewKubeadmTree(t.TempDir(), test.options)
			if err != nil {
				t.Fatal(err)
			}
			if test.damage != nil {
				test.damage(t, tree)
			}
			d, err := disk.Open(tree.Dir)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			w := worlds.ControlPlanes(1, now)
			n := w.Nodes["cp1"]
			for _, pod := range controlplane.StaticPods(d) {
				worlds.Pod(n, pod.Component).Flags = pod.Flags
			}
			n.Certificates = pki.Collect(d, facts.CertificatesQuestion{Layout: "auto"})
			for i := range n.Certificates.Files {
				n.Certificates.Files[i].Modified = now.Add(-65 * day) // the disk's clock is not the test's
			}
			w.Kubernetes.Authority = worlds.File(n, "ca").Blocks[0].SHA256
			w.Kubernetes.ClusterConfiguration = strings.Replace(worlds.ClusterConfiguration, "cp.example.net:6443", "10.0.0.11:6443", 1)
			s := spec()
			s.Kubeconfigs = nil
			var got []string
			for _, f := range s.Diff(input(w, 1)).Findings {
				got = append(got, fmt.Sprintf("%s %s: %s", f.ID, f.Object, f.Summary))
			}
			slices.Sort(got)
			if d := cmp.Diff(test.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func put(t *testing.T, tree *fixture.Tree, name string, text []byte, mode os.FileMode) {
	t.Helper()
	p := filepath.Join(tree.Dir, name)
	if err := os.WriteFile(p, text, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(p, mode); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, tree *fixture.Tree, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(tree.Dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func newKey(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := fixture.KeyPEM(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// expiredKubelet returns a client certificate of the kubelet, with its key, that the tree's CA signed 400 days ago for a year.
func expiredKubelet(t *testing.T, tree *fixture.Tree) []byte {
	t.Helper()
	old, err := fixture.NewKubeadmTree(t.TempDir(), fixture.Options{Now: now.Add(-400 * day), Validity: 365 * 24 * time.Hour, CAs: tree})
	if err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(old.Dir, "var/lib/kubelet/pki/kubelet-client-2*.pem"))
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	text, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func kubeletConf(user string) string {
	return "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts:\n- name: c\n  context: {cluster: k, user: u}\n" +
		"clusters:\n- name: k\n  cluster: {server: \"https://10.0.0.11:6443\"}\nusers:\n- name: u\n  user:\n    " + user + "\n"
}
