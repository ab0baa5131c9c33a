package certificates_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	fixture "upkeep/fixtures/pki"
	"upkeep/fixtures/worlds"
	"upkeep/providers"
	"upkeep/providers/certificates"
	"upkeep/providers/facts"
	"upkeep/providers/node/agent/controlplane"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/pki"
)

// seededFault is one thing that is wrong with the files of a control plane, and everything that is found then.
type seededFault struct {
	id      string
	layouts []string
	seeded  string
	options fixture.Options
	damage  func(*testing.T, *fixture.Tree)
	world   func(*facts.World)
	// second: there are two control planes of one cluster, and the damage is on cp2 alone.
	second bool
	// want are the findings, as "ID object: summary"; PKI stands for the directory of the certificates.
	want []string
}

var (
	ofKubeadm = []string{"kubeadm", "kubespray"}
	ofRancher = []string{"k3s", "rke2"}
	stacked   = []string{"kubeadm"}
	onHosts   = []string{"kubespray"}
)

// age is how old the certificates of the trees are.
const age = 65 * day

// TestFaultsAreNamed seeds one fault in the files of a control plane of each layout in which it can stand, reads the files as a
// node's helper does, and says all that is found then.
func TestFaultsAreNamed(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range slices.Concat(healthyTrees(), datesAndKeys(), namesAndUsers(), authoritiesAndTokens(), oddFiles(), rancherFaults()) {
		for _, layout := range f.layouts {
			name := strings.Join([]string{f.id, layout, f.seeded}, ": ")
			if seen[name] {
				t.Errorf("%s stands twice", name)
			}
			seen[name] = true
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				if d := cmp.Diff(f.want, f.found(t, layout)); d != "" {
					t.Error(d)
				}
				for _, w := range f.want {
					if id, _, _ := strings.Cut(w, " "); f.id == "none" {
						t.Errorf("%s is found where nothing is wrong", id)
					}
				}
				if f.id != "none" && !slices.ContainsFunc(f.want, func(w string) bool { return strings.HasPrefix(w, f.id+" ") }) {
					t.Errorf("%s is not among what is wanted", f.id)
				}
			})
		}
	}
}

// found seeds the fault and returns what is found.
func (f seededFault) found(t *testing.T, layout string) []string {
	t.Helper()
	n := 1
	if f.second {
		n = 2
	}
	w, s, in := worldOf(layout, n)
	var first *fixture.Tree
	for i := range n {
		o := f.options
		if i < n-1 {
			o = fixture.Options{}
		}
		o.Now, o.ServiceAccount, o.CAs = now.Add(-age), true, first
		if o.Validity == 0 {
			o.Validity = worlds.Validity
		}
		o.Name, o.Address, o.Kubespray = worlds.Name(i), worlds.Host(i), layout == "kubespray"
		if slices.Contains(ofRancher, layout) {
			o.Rancher = layout
		}
		tree, err := fixture.NewKubeadmTree(t.TempDir(), o)
		if err != nil {
			t.Fatal(err)
		}
		if first != nil {
			shareTokens(t, first, tree)
		}
		if f.damage != nil && i == n-1 {
			f.damage(t, tree)
		}
		read(t, tree, w.Nodes[o.Name])
		if first == nil {
			first = tree
			for _, ca := range []string{"ca", "server-ca"} {
				if made, ok := tree.Authorities[ca]; ok {
					w.Kubernetes.Authority = pki.Fingerprint(made.Certificate)
				}
			}
		}
	}
	if f.world != nil {
		f.world(w)
	}
	s.Kubeconfigs = nil
	in.World = *w
	var got []string
	dir := w.Nodes["cp1"].Certificates.Dir
	if dir == "" {
		dir = "/etc/kubernetes/pki"
	}
	for _, found := range s.Diff(in).Findings {
		got = append(got, strings.ReplaceAll(fmt.Sprintf("%s %s: %s", found.ID, found.Object, found.Summary), dir, "PKI"))
	}
	slices.Sort(got)
	return got
}

// worldOf is a healthy world of a layout, whose files are the trees'.
func worldOf(layout string, n int) (*facts.World, certificates.Spec, providers.Input) {
	w, s := worlds.ControlPlanes(n, now), spec()
	switch layout {
	case "kubespray":
		w = worlds.Kubespray(n, now)
	case "k3s", "rke2":
		w = worlds.Rancher(layout, n, 0, now)
	}
	w.Kubernetes.ClusterConfiguration = strings.Replace(w.Kubernetes.ClusterConfiguration, "cp.example.net:6443", "localhost:6443", 1)
	return &w, s, input(w, n)
}

// read has the helper read a tree in place of a node's files.
func read(t *testing.T, tree *fixture.Tree, n *facts.Node) {
	t.Helper()
	d, err := disk.Open(tree.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, pod := range controlplane.StaticPods(d) {
		worlds.Pod(n, pod.Component).Flags = pod.Flags
	}
	n.Certificates = pki.Collect(d, facts.CertificatesQuestion{Layout: "auto"})
	for i := range n.Certificates.Files {
		n.Certificates.Files[i].Modified = now.Add(-age) // the disk's clock is not the test's
	}
}

// shareTokens gives a tree the key for tokens of another one, as the control planes of one cluster have it.
func shareTokens(t *testing.T, from, to *fixture.Tree) {
	t.Helper()
	for _, name := range []string{
		"etc/kubernetes/pki/sa.key", "etc/kubernetes/pki/sa.pub", "var/lib/rancher/k3s/server/tls/service.key",
		"var/lib/rancher/rke2/server/tls/service.key",
	} {
		if text, err := os.ReadFile(at(from, name)); err == nil {
			put(t, to, name, text, 0o600)
		}
	}
}

func healthyTrees() []seededFault {
	all := slices.Concat(ofKubeadm, ofRancher)
	ca := func(c *x509.Certificate) { c.DNSNames = upper(c.DNSNames) }
	return []seededFault{
		{id: "none", layouts: all, seeded: "nothing"},
		{id: "none", layouts: all, seeded: "nothing, on two control planes", second: true},
		{id: "none", layouts: ofKubeadm, seeded: "DNS names in upper case", options: fixture.Options{Change: changes{"apiserver": ca, "etcd-server": ca, "etcd-member": ca}}},
		{id: "none", layouts: ofKubeadm, seeded: "names of IPv6 beside others", options: fixture.Options{Change: changes{"apiserver": func(c *x509.Certificate) {
			c.IPAddresses = append(c.IPAddresses, net.ParseIP("2001:db8::1"))
		}}}},
		{id: "none", layouts: stacked, seeded: "RSA keys", options: fixture.Options{RSA: true}},
		{id: "none", layouts: ofKubeadm, seeded: "Windows line ends", damage: rewrite("apiserver.crt", func(text []byte) []byte {
			return []byte(strings.ReplaceAll(string(text), "\n", "\r\n"))
		})},
		{id: "none", layouts: ofKubeadm, seeded: "text before the PEM block", damage: rewrite("apiserver.crt", func(text []byte) []byte {
			return append([]byte("Certificate:\n    Data:\n        Version: 3\n"), text...)
		})},
		{id: "none", layouts: ofKubeadm, seeded: "a key in PKCS#8", damage: rewrite("apiserver.key", pkcs8)},
		{id: "none", layouts: ofKubeadm, seeded: "an Ed25519 key", damage: reissue("front-proxy-client", "front-proxy-ca", func() (crypto.Signer, error) {
			_, key, err := ed25519.GenerateKey(rand.Reader)
			return key, err
		})},
		{id: "none", layouts: ofKubeadm, seeded: "a P-384 key", damage: reissue("front-proxy-client", "front-proxy-ca", func() (crypto.Signer, error) {
			return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
		})},
		{id: "none", layouts: stacked, seeded: "an RSA key in PKCS#8", damage: reissue("front-proxy-client", "front-proxy-ca", func() (crypto.Signer, error) {
			return rsa.GenerateKey(rand.Reader, 2048)
		})},
		{id: "none", layouts: ofKubeadm, seeded: "a link inside the directory", damage: link("apiserver.crt", "real.crt")},
		{id: "none", layouts: ofKubeadm, seeded: "a second CA that is valid", damage: second("ca.crt", func(t *testing.T) []byte {
			return fixture.CertificatePEM(foreign(t).Authorities["ca"].Certificate)
		})},
	}
}

func datesAndKeys() []seededFault {
	return []seededFault{
		{
			id: "CERT_EXPIRED", layouts: ofKubeadm, seeded: "a leaf that ended", options: madeWith("front-proxy-client", fixture.Expired),
			want: []string{"CERT_EXPIRED front-proxy-client: expired 65d ago"},
		},
		{
			id: "CERT_EXPIRED", layouts: onHosts, seeded: "a member of etcd that ended",
			damage: redate("etcd-member", -age, -day), want: []string{"CERT_EXPIRED etcd-member: expired 24h ago"},
		},
		{
			id: "CERT_EXPIRES_SOON", layouts: ofKubeadm, seeded: "a leaf near its end", damage: redate("front-proxy-client", -age, 12*day),
			want: []string{"CERT_EXPIRES_SOON front-proxy-client: expires in 12d; renewal starts 30d before"},
		},
		{
			id: "CERT_NOT_YET_VALID", layouts: ofKubeadm, seeded: "a leaf of a clock that was ahead", damage: redate("front-proxy-client", time.Hour, 300*day),
			want: []string{"CERT_NOT_YET_VALID front-proxy-client: valid only from 2026-11-22T13:00:00Z"},
		},
		{
			id: "CERT_OUTLIVES_AUTHORITY", layouts: ofKubeadm, seeded: "a leaf that ends after its CA", damage: redate("front-proxy-client", -age, 20*365*day),
			want: []string{"CERT_OUTLIVES_AUTHORITY front-proxy-client: ends after its authority front-proxy-ca does, and with that at the latest"},
		},
		{
			id: "CERT_KEY_MISMATCH", layouts: ofKubeadm, seeded: "a key of another certificate", options: madeWith("apiserver", fixture.WrongKey),
			want: []string{"CERT_KEY_MISMATCH apiserver: its key does not belong to it"},
		},
		{
			id: "CERT_KEY_MISMATCH", layouts: ofKubeadm, seeded: "no key", options: madeWith("apiserver", fixture.NoKey),
			want: []string{"CERT_KEY_MISMATCH apiserver: its key is missing"},
		},
		{
			id: "CERT_CHAIN_BROKEN", layouts: ofKubeadm, seeded: "a leaf of a foreign CA", options: madeWith("front-proxy-client", fixture.WrongCA),
			want: []string{"CERT_CHAIN_BROKEN front-proxy-client: x509: certificate signed by unknown authority (possibly because of " +
				"\"x509: ECDSA verification failure\" while trying to verify candidate authority certificate \"front-proxy-ca\")"},
		},
		{
			id: "CERT_MISSING", layouts: ofKubeadm, seeded: "no leaf", options: madeWith("front-proxy-client", fixture.Missing),
			want: []string{"CERT_MISSING front-proxy-client: PKI/front-proxy-client.crt is not there"},
		},
		{
			id: "CERT_APPENDED_EXPIRED", layouts: ofKubeadm, seeded: "a second leaf that expired",
			damage: func(t *testing.T, tree *fixture.Tree) {
				old := olderTree(t, tree)
				const name = "etc/kubernetes/pki/apiserver.crt"
				put(t, tree, name, append(get(t, tree, name), get(t, old, name)...), 0o644)
			},
			want: []string{"CERT_APPENDED_EXPIRED apiserver: certificate 2 in the file expired 35d ago"},
		},
		{
			id: "CERT_KUBELET_EXPIRES_SOON", layouts: ofKubeadm, seeded: "kubelet.conf names another file, which expired",
			damage: func(t *testing.T, tree *fixture.Tree) {
				put(t, tree, "etc/kubernetes/kubelet.conf", []byte(kubeletConf("client-certificate: /var/lib/kubelet/pki/mine.pem\n    client-key: /var/lib/kubelet/pki/mine.pem")), 0o600)
				put(t, tree, "var/lib/kubelet/pki/mine.pem", expiredKubelet(t, tree), 0o600)
			},
			want: []string{"CERT_KUBELET_EXPIRES_SOON kubelet-client: expired 35d ago"},
		},
		{
			id: "CERT_KUBELET_EMBEDDED", layouts: ofKubeadm, seeded: "kubelet.conf embeds an expired certificate",
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
			id: "CERT_KEY_EXPOSED", layouts: ofKubeadm, seeded: "a key open to its group", damage: chmod("etc/kubernetes/pki/apiserver.key", 0o640),
			want: []string{"CERT_KEY_EXPOSED apiserver: PKI/apiserver.key has mode 0640, wider than 0600"},
		},
		{
			id: "CERT_KEY_EXPOSED", layouts: ofKubeadm, seeded: "a kubeconfig open to all", damage: chmod("etc/kubernetes/admin.conf", 0o644),
			want: []string{"CERT_KEY_EXPOSED admin.conf: /etc/kubernetes/admin.conf has mode 0644, wider than 0600"},
		},
		{
			id: "CERT_KEY_EXPOSED", layouts: onHosts, seeded: "a key of etcd open to all", damage: chmod("etc/ssl/etcd/ssl/member-cp1-key.pem", 0o644),
			want: []string{"CERT_KEY_EXPOSED etcd-member: /etc/ssl/etcd/ssl/member-cp1-key.pem has mode 0644, wider than 0600"},
		},
		{
			id: "CERT_OWNER_FOREIGN", layouts: ofKubeadm, seeded: "a key of another user", damage: chown("etc/kubernetes/pki/front-proxy-client.key"),
			want: []string{"CERT_OWNER_FOREIGN front-proxy-client: PKI/front-proxy-client.key belongs to 1000:1000 (uid:gid), who can read and replace it"},
		},
	}
}

func namesAndUsers() []seededFault {
	lacks := func(id, what string, layouts []string, name string, change func(*x509.Certificate)) seededFault {
		return seededFault{
			id: "CERT_SAN_MISSING", layouts: layouts, seeded: id, options: fixture.Options{Change: changes{name: change}},
			want: []string{"CERT_SAN_MISSING " + name + ": is not valid for " + what},
		}
	}
	user := func(seeded, name, summary string, change func(*x509.Certificate)) seededFault {
		return seededFault{
			id: "CERT_IDENTITY_WRONG", layouts: ofKubeadm, seeded: seeded, options: fixture.Options{Change: changes{name: change}},
			want: []string{"CERT_IDENTITY_WRONG " + name + ": " + summary},
		}
	}
	serversOnly := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }
	usage := func(layouts []string, name, what string, change func(*x509.Certificate)) seededFault {
		return seededFault{
			id: "CERT_USAGE_WRONG", layouts: layouts, seeded: name + " for other ends", options: fixture.Options{Change: changes{name: change}},
			want: []string{"CERT_USAGE_WRONG " + name + ": is not for " + what + " (extended key usage)"},
		}
	}
	return []seededFault{
		lacks("apiserver without the node's address", "10.0.0.11", ofKubeadm, "apiserver", withoutIP("10.0.0.11")),
		lacks("apiserver without the service address", "10.96.0.1", ofKubeadm, "apiserver", withoutIP("10.96.0.1")),
		lacks("apiserver without the service name", "kubernetes.default.svc.cluster.local", ofKubeadm, "apiserver", withoutName("kubernetes.default.svc.cluster.local")),
		lacks("apiserver without the node's name", "cp1", ofKubeadm, "apiserver", withoutName("cp1")),
		lacks("apiserver without the endpoint that clients use", "localhost", ofKubeadm, "apiserver", withoutName("localhost")),
		lacks("apiserver whose common name alone names the node", "kubernetes, kubernetes.default, kubernetes.default.svc, kubernetes.default.svc.cluster.local, cp1, localhost, 10.96.0.1, 10.0.0.11", ofKubeadm, "apiserver", func(c *x509.Certificate) {
			c.Subject.CommonName, c.DNSNames, c.IPAddresses = "cp1", nil, nil
		}),
		lacks("etcd server without loopback", "127.0.0.1", stacked, "etcd-server", withoutIP("127.0.0.1")),
		lacks("etcd server without localhost", "localhost", stacked, "etcd-server", withoutName("localhost")),
		lacks("etcd peer without the node's address", "10.0.0.11", stacked, "etcd-peer", withoutIP("10.0.0.11")),
		lacks("etcd member without loopback", "127.0.0.1", onHosts, "etcd-member", withoutIP("127.0.0.1")),
		lacks("etcd member without the node's address", "10.0.0.11", onHosts, "etcd-member", withoutIP("10.0.0.11")),
		{
			id: "CERT_SAN_MISSING", layouts: ofKubeadm, seeded: "a name that was declared later",
			world: func(w *facts.World) {
				w.Kubernetes.ClusterConfiguration = strings.Replace(w.Kubernetes.ClusterConfiguration, "apiServer: {}", "apiServer:\n  certSANs:\n  - api.example.net\n  - 2001:db8::1", 1)
			},
			want: []string{"CERT_SAN_MISSING apiserver: is not valid for api.example.net, 2001:db8::1"},
		},
		{
			id: "none", layouts: ofKubeadm, seeded: "a declared name that a wildcard covers, and an address in another spelling",
			options: fixture.Options{Change: changes{"apiserver": func(c *x509.Certificate) {
				c.DNSNames, c.IPAddresses = append(c.DNSNames, "*.example.net"), append(c.IPAddresses, net.ParseIP("2001:db8::1"))
			}}},
			world: func(w *facts.World) {
				w.Kubernetes.ClusterConfiguration = strings.Replace(w.Kubernetes.ClusterConfiguration, "apiServer: {}", "apiServer:\n  certSANs:\n  - API.example.net\n  - 2001:0db8:0:0::1", 1)
			},
		},
		user("admin.conf in the wrong group", "admin.conf", "its user \"CN=kubernetes-admin,O=ops\" is not in the group kubeadm:cluster-admins", organisation("ops")),
		user("admin.conf without a group", "admin.conf", "its user \"CN=kubernetes-admin\" is not in the group kubeadm:cluster-admins", organisation()),
		user("apiserver-kubelet-client without a group", "apiserver-kubelet-client", "its user \"CN=kube-apiserver-kubelet-client\" is not in the group kubeadm:cluster-admins", organisation()),
		user("a scheduler that is another user", "scheduler.conf", "its user is \"CN=nobody\", and must be system:kube-scheduler", func(c *x509.Certificate) { c.Subject.CommonName = "nobody" }),
		user("a kubelet without its group", "kubelet-client", "its user \"CN=system:node:cp1\" is not in the group system:nodes", organisation()),
		{
			id: "CERT_IDENTITY_OVERPRIVILEGED", layouts: ofKubeadm, seeded: "admin.conf of a release before 1.29",
			options: fixture.Options{Change: changes{"admin.conf": organisation("system:masters")}},
			want:    []string{"CERT_IDENTITY_OVERPRIVILEGED admin.conf: its user is in the group system:masters, which no role can take rights from"},
		},
		usage(ofKubeadm, "front-proxy-client", "clients", serversOnly),
		usage(ofKubeadm, "apiserver", "servers", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }),
		usage(ofKubeadm, "kubelet-client", "clients", serversOnly),
		usage(stacked, "etcd-peer", "clients", serversOnly),
		usage(stacked, "etcd-server", "servers and clients", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning} }),
		usage(onHosts, "etcd-member", "clients", serversOnly),
		{
			id: "CERT_KUBECONFIG_FOREIGN", layouts: ofKubeadm, seeded: "admin.conf with the CA of another cluster", damage: foreignBundle("etc/kubernetes/admin.conf"),
			want: []string{"CERT_KUBECONFIG_FOREIGN admin.conf: it trusts another authority than the cluster's"},
		},
		{
			id: "CERT_UNREADABLE", layouts: ofKubeadm, seeded: "admin.conf that names files",
			damage: writes("etc/kubernetes/admin.conf", kubeletConf("client-certificate: /root/admin.crt\n    client-key: /root/admin.key")),
			want:   []string{"CERT_UNREADABLE admin.conf: its client certificate is in a file of its own, not embedded"},
		},
	}
}

func authoritiesAndTokens() []seededFault {
	return []seededFault{
		{
			id: "CERT_AUTHORITY_KEY_MISSING", layouts: stacked, seeded: "no keys of CAs",
			options: fixture.Options{Faults: map[string]fixture.Fault{"ca": fixture.NoKey, "etcd-ca": fixture.NoKey}},
			want: []string{
				"CERT_AUTHORITY_KEY_MISSING ca: its key is on no control plane, so upkeep renews nothing under it",
				"CERT_AUTHORITY_KEY_MISSING etcd-ca: its key is on no control plane, so upkeep renews nothing under it",
			},
		},
		{
			id: "CERT_AUTHORITY_KEY_MISSING", layouts: ofKubeadm, seeded: "the key of a CA on one control plane alone", second: true, options: madeWith("ca", fixture.NoKey),
			want: []string{"CERT_AUTHORITY_KEY_MISSING ca: its key is missing here, and cp1 has it"},
		},
		{
			id: "CERT_KEY_MISMATCH", layouts: ofKubeadm, seeded: "a CA with another key", options: madeWith("front-proxy-ca", fixture.WrongKey),
			want: []string{"CERT_KEY_MISMATCH front-proxy-ca: its key does not belong to it"},
		},
		{
			id: "CERT_AUTHORITY_EXPIRES_SOON", layouts: stacked, seeded: "CAs near their end", options: fixture.Options{CAValidity: age + 200*day, Validity: age + 150*day},
			want: []string{
				"CERT_AUTHORITY_EXPIRES_SOON ca: 200d left; a certificate issued now would outlive it",
				"CERT_AUTHORITY_EXPIRES_SOON etcd-ca: 200d left; a certificate issued now would outlive it",
				"CERT_AUTHORITY_EXPIRES_SOON front-proxy-ca: 200d left; a certificate issued now would outlive it",
			},
		},
		{
			id: "CERT_APPENDED_EXPIRED", layouts: ofKubeadm, seeded: "an expired CA behind the new one", damage: second("ca.crt", func(t *testing.T) []byte {
				old, err := fixture.NewKubeadmTree(t.TempDir(), fixture.Options{Now: now.Add(-400 * day), CAValidity: 365 * day})
				if err != nil {
					t.Fatal(err)
				}
				return fixture.CertificatePEM(old.Authorities["ca"].Certificate)
			}),
			want: []string{"CERT_APPENDED_EXPIRED ca: certificate 2 in the file expired 35d ago"},
		},
		{
			id: "CERT_AUTHORITY_DIFFERS", layouts: ofKubeadm, seeded: "another CA on the second control plane", second: true,
			damage: func(t *testing.T, tree *fixture.Tree) {
				other := foreign(t)
				for _, name := range []string{"front-proxy-ca.crt", "front-proxy-ca.key"} {
					put(t, tree, "etc/kubernetes/pki/"+name, get(t, other, "etc/kubernetes/pki/"+name), 0o600)
				}
			},
			want: []string{
				"CERT_AUTHORITY_DIFFERS front-proxy-ca: not the certificates that cp1 has; nothing is renewed under it here",
				"CERT_CHAIN_BROKEN front-proxy-client: x509: certificate signed by unknown authority (possibly because of " +
					"\"x509: ECDSA verification failure\" while trying to verify candidate authority certificate \"front-proxy-ca\")",
			},
		},
		{
			id: "CERT_KEY_EXPOSED", layouts: ofKubeadm, seeded: "sa.key open to others", damage: chmod("etc/kubernetes/pki/sa.key", 0o644),
			want: []string{"CERT_KEY_EXPOSED sa: PKI/sa.key has mode 0644, wider than 0600"},
		},
		{
			id: "CERT_OWNER_FOREIGN", layouts: ofKubeadm, seeded: "sa.key of another user", damage: chown("etc/kubernetes/pki/sa.key"),
			want: []string{"CERT_OWNER_FOREIGN sa: PKI/sa.key belongs to 1000:1000 (uid:gid), who can read and replace it"},
		},
		{
			id: "CERT_SERVICE_ACCOUNT_KEY", layouts: ofKubeadm, seeded: "no sa.key", damage: removes("etc/kubernetes/pki/sa.key"),
			want: []string{"CERT_SERVICE_ACCOUNT_KEY sa: PKI/sa.key is missing"},
		},
		{
			id: "CERT_SERVICE_ACCOUNT_KEY", layouts: ofKubeadm, seeded: "sa.key of another pair",
			damage: func(t *testing.T, tree *fixture.Tree) { put(t, tree, "etc/kubernetes/pki/sa.key", newKey(t), 0o600) },
			want:   []string{"CERT_SERVICE_ACCOUNT_KEY sa: PKI/sa.pub does not belong to PKI/sa.key"},
		},
		{
			id: "CERT_SERVICE_ACCOUNT_KEY", layouts: ofKubeadm, seeded: "another pair on the second control plane", second: true,
			damage: func(t *testing.T, tree *fixture.Tree) {
				other := foreign(t)
				for _, name := range []string{"sa.key", "sa.pub"} {
					put(t, tree, "etc/kubernetes/pki/"+name, get(t, other, "etc/kubernetes/pki/"+name), 0o600)
				}
			},
			want: []string{"CERT_SERVICE_ACCOUNT_KEY sa: PKI/sa.key is not the key that cp1 has"},
		},
		{
			id: "CERT_SERVICE_ACCOUNT_KEY", layouts: ofKubeadm, seeded: "sa.pub is no key", damage: writes("etc/kubernetes/pki/sa.pub", "nothing"),
			want: []string{"CERT_SERVICE_ACCOUNT_KEY sa: PKI/sa.pub: the file holds no PEM public key"},
		},
		{
			id: "CERT_UNREADABLE", layouts: ofKubeadm, seeded: "sa.key is empty", damage: writes("etc/kubernetes/pki/sa.key", ""),
			want: []string{"CERT_UNREADABLE sa: PKI/sa.key: the file is empty"},
		},
	}
}

func oddFiles() []seededFault {
	unreadable := func(seeded, object, why string, damage func(*testing.T, *fixture.Tree)) seededFault {
		return seededFault{id: "CERT_UNREADABLE", layouts: ofKubeadm, seeded: seeded, damage: damage, want: []string{"CERT_UNREADABLE " + object + ": " + why}}
	}
	cert, key := "etc/kubernetes/pki/front-proxy-client.crt", "etc/kubernetes/pki/front-proxy-client.key"
	return []seededFault{
		unreadable("an empty certificate", "front-proxy-client", "the file is empty", writes(cert, "")),
		unreadable("an empty key", "front-proxy-client", "its key is unreadable: the file is empty", writes(key, "")),
		unreadable("an empty kubeconfig", "scheduler.conf", "the file is empty", writes("etc/kubernetes/scheduler.conf", "\n")),
		unreadable("a certificate in DER", "front-proxy-client", "it holds a certificate in DER, and Kubernetes reads PEM alone", rewrite("front-proxy-client.crt", der)),
		unreadable("a key in DER", "front-proxy-client", "its key is unreadable: it holds a private key in DER, and Kubernetes reads PEM alone", rewrite("front-proxy-client.key", der)),
		unreadable("a byte order mark", "front-proxy-client", "it begins with a byte order mark, which hides the first PEM block", rewrite("front-proxy-client.crt", func(text []byte) []byte {
			return append([]byte("\xef\xbb\xbf"), text...)
		})),
		unreadable("a byte order mark before a key", "front-proxy-client", "its key is unreadable: it begins with a byte order mark, which hides the first PEM block", rewrite("front-proxy-client.key", func(text []byte) []byte {
			return append([]byte("\xef\xbb\xbf"), text...)
		})),
		unreadable("certificate and key swapped", "front-proxy-client", "it holds a private key and no certificate", func(t *testing.T, tree *fixture.Tree) {
			c, k := get(t, tree, cert), get(t, tree, key)
			put(t, tree, cert, k, 0o644)
			put(t, tree, key, c, 0o600)
		}),
		unreadable("a certificate in place of a key", "front-proxy-client", "its key is unreadable: it holds a certificate and no private key", func(t *testing.T, tree *fixture.Tree) {
			put(t, tree, key, get(t, tree, cert), 0o600)
		}),
		unreadable("a truncated certificate", "front-proxy-client", "1 PEM certificates begin and only 0 are complete", rewrite("front-proxy-client.crt", func(text []byte) []byte { return text[:len(text)/2] })),
		unreadable("a damaged certificate", "front-proxy-client", "certificate 1 cannot be parsed: x509: malformed certificate", func(t *testing.T, tree *fixture.Tree) {
			put(t, tree, cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1}}), 0o644)
		}),
		unreadable("an encrypted key", "front-proxy-client", "its key is unreadable: the private key is encrypted, and Kubernetes reads no encrypted keys",
			writes(key, string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte{1}})))),
		unreadable("an encrypted key of an older kind", "front-proxy-client", "its key is unreadable: the private key is encrypted, and Kubernetes reads no encrypted keys",
			writes(key, string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED"}, Bytes: []byte{1}})))),
		unreadable("a file of 5 MiB", "front-proxy-client", "PKI/front-proxy-client.crt: is larger than the limit of 1048576 bytes", writes(cert, strings.Repeat("x", 5<<20))),
		unreadable("a directory in place of a file", "front-proxy-client", "PKI/front-proxy-client.crt is not a regular file", func(t *testing.T, tree *fixture.Tree) {
			removes(cert)(t, tree)
			if err := os.Mkdir(at(tree, cert), 0o755); err != nil {
				t.Fatal(err)
			}
		}),
		unreadable("a link out of the roots", "front-proxy-client", "PKI/front-proxy-client.crt is a symbolic link, which is not followed", func(t *testing.T, tree *fixture.Tree) {
			removes(cert)(t, tree)
			symlink(t, tree, "/etc/ssl/certs/some.pem", cert)
		}),
		{
			id: "CERT_MISSING", layouts: ofKubeadm, seeded: "a link that leads nowhere",
			damage: func(t *testing.T, tree *fixture.Tree) {
				removes(cert)(t, tree)
				symlink(t, tree, "gone.crt", cert)
			},
			want: []string{"CERT_MISSING front-proxy-client: PKI/gone.crt is not there"},
		},
		unreadable("a loop of links", "front-proxy-client", "PKI/front-proxy-client.crt is a symbolic link, which is not followed", func(t *testing.T, tree *fixture.Tree) {
			removes(cert)(t, tree)
			symlink(t, tree, "front-proxy-client.crt", cert)
		}),
	}
}

func rancherFaults() []seededFault {
	const tls = "var/lib/rancher/LAYOUT/server/tls/"
	change := func(id, seeded, name string, change func(*x509.Certificate), want ...string) seededFault {
		return seededFault{id: id, layouts: ofRancher, seeded: seeded, options: fixture.Options{Change: changes{name: change}}, want: want}
	}
	damaged := func(id, seeded string, damage func(*testing.T, *fixture.Tree), want ...string) seededFault {
		return seededFault{id: id, layouts: ofRancher, seeded: seeded, damage: damage, want: want}
	}
	return []seededFault{
		{
			id: "CERT_EXPIRED", layouts: ofRancher, seeded: "a client that ended", options: madeWith("client-admin", fixture.Expired),
			want: []string{"CERT_EXPIRED client-admin: expired 65d ago"},
		},
		{
			id: "CERT_EXPIRED", layouts: ofRancher, seeded: "dynamic-cert.json that ended", options: madeWith("dynamic-cert.json", fixture.Expired),
			want: []string{"CERT_EXPIRED dynamic-cert.json: expired 65d ago"},
		},
		{
			id: "CERT_EXPIRED", layouts: ofRancher, seeded: "a certificate that no rotation renews", options: madeWith("kube-scheduler/kube-scheduler", fixture.Expired),
			want: []string{"CERT_EXPIRED kube-scheduler/kube-scheduler: expired 65d ago"},
		},
		{
			id: "CERT_EXPIRES_SOON", layouts: ofRancher, seeded: "leaves near their end", options: fixture.Options{Validity: age + 12*day},
			world: func(w *facts.World) {
				c := &w.Nodes["cp1"].Certificates
				c.Files = slices.DeleteFunc(c.Files, func(f facts.CertificateFile) bool { return f.Kind != facts.Authority && f.Name != "client-admin" })
			},
			want: []string{"CERT_EXPIRES_SOON client-admin: expires in 12d; renewal starts 30d before"},
		},
		{
			id: "CERT_KEY_MISMATCH", layouts: ofRancher, seeded: "a key of another certificate", options: madeWith("client-admin", fixture.WrongKey),
			want: []string{"CERT_KEY_MISMATCH client-admin: its key is not the certificate's (mismatch)"},
		},
		{
			id: "CERT_KEY_MISMATCH", layouts: ofRancher, seeded: "no key", options: madeWith("client-admin", fixture.NoKey),
			want: []string{"CERT_KEY_MISMATCH client-admin: its key is not the certificate's (missing)"},
		},
		{
			id: "CERT_MISSING", layouts: ofRancher, seeded: "no leaf", options: madeWith("client-admin", fixture.Missing),
			want: []string{"CERT_MISSING client-admin: PKI/client-admin.crt is not there"},
		},
		{
			id: "CERT_AUTHORITY_KEY_MISSING", layouts: ofRancher, seeded: "no key of a CA", options: madeWith("request-header-ca", fixture.NoKey),
			want: []string{"CERT_AUTHORITY_KEY_MISSING request-header-ca: its key is on no control plane, so upkeep renews nothing under it"},
		},
		change("CERT_IDENTITY_WRONG", "an admin without a group", "client-admin", organisation(),
			"CERT_IDENTITY_WRONG client-admin: its user \"CN=system:admin\" is not in the group system:masters"),
		change("CERT_IDENTITY_WRONG", "a scheduler that is another user", "client-scheduler", func(c *x509.Certificate) { c.Subject.CommonName = "nobody" },
			"CERT_IDENTITY_WRONG client-scheduler: its user is \"CN=nobody\", and must be system:kube-scheduler"),
		change("CERT_IDENTITY_WRONG", "a kubelet without its group", "agent/client-kubelet", organisation(),
			"CERT_IDENTITY_WRONG agent/client-kubelet: its user \"CN=system:node:cp1\" is not in the group system:nodes"),
		change("CERT_USAGE_WRONG", "a client for other ends", "client-admin", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} },
			"CERT_USAGE_WRONG client-admin: is not for clients (extended key usage)"),
		change("CERT_SAN_MISSING", "an API server without the service name", "serving-kube-apiserver", withoutName("kubernetes.default.svc"),
			"CERT_SAN_MISSING serving-kube-apiserver: is not valid for kubernetes.default.svc"),
		change("CERT_SAN_MISSING", "etcd without loopback", "etcd/server-client", withoutIP("127.0.0.1"),
			"CERT_SAN_MISSING etcd/server-client: is not valid for 127.0.0.1"),
		damaged("CERT_UNREADABLE", "dynamic-cert.json is no JSON", writes(tls+"dynamic-cert.json", "{"),
			"CERT_UNREADABLE dynamic-cert.json: it is not a Secret in JSON: the text cannot be parsed, or its data is not base64"),
		damaged("CERT_UNREADABLE", "dynamic-cert.json is empty", writes(tls+"dynamic-cert.json", ""), "CERT_UNREADABLE dynamic-cert.json: the file is empty"),
		damaged("CERT_UNREADABLE", "dynamic-cert.json without a certificate", writes(tls+"dynamic-cert.json", `{"data":{}}`),
			"CERT_UNREADABLE dynamic-cert.json: it is a Secret without tls.crt"),
		damaged("CERT_KEY_EXPOSED", "dynamic-cert.json open to all", chmod(tls+"dynamic-cert.json", 0o644),
			"CERT_KEY_EXPOSED dynamic-cert.json: PKI/dynamic-cert.json has mode 0644, wider than 0600"),
		damaged("CERT_KEY_EXPOSED", "a key open to all", chmod(tls+"client-admin.key", 0o644), "CERT_KEY_EXPOSED client-admin: PKI/client-admin.key has mode 0644, wider than 0600"),
		damaged("CERT_OWNER_FOREIGN", "a key of another user", chown(tls+"client-admin.key"),
			"CERT_OWNER_FOREIGN client-admin: PKI/client-admin.key belongs to 1000:1000 (uid:gid), who can read and replace it"),
		damaged("CERT_SERVICE_ACCOUNT_KEY", "no key for tokens", removes(tls+"service.key"), "CERT_SERVICE_ACCOUNT_KEY sa: PKI/service.key is missing"),
		damaged("CERT_KEY_EXPOSED", "a key for tokens open to all", chmod(tls+"service.key", 0o644), "CERT_KEY_EXPOSED sa: PKI/service.key has mode 0644, wider than 0600"),
		{
			id: "CERT_SERVICE_ACCOUNT_KEY", layouts: ofRancher, seeded: "another key for tokens on the second server", second: true,
			damage: func(t *testing.T, tree *fixture.Tree) { put(t, tree, tls+"service.key", newKey(t), 0o600) },
			want:   []string{"CERT_SERVICE_ACCOUNT_KEY sa: PKI/service.key is not the key that cp1 has"},
		},
		{
			id: "CERT_KUBECONFIG_FOREIGN", layouts: []string{"k3s"}, seeded: "k3s.yaml with the CA of another cluster", damage: foreignBundle("etc/rancher/k3s/k3s.yaml"),
			want: []string{"CERT_KUBECONFIG_FOREIGN k3s.yaml: it trusts another authority than the cluster's"},
		},
	}
}
