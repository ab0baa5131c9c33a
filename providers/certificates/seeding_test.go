package certificates_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	fixture "upkeep/fixtures/pki"
	"upkeep/providers/node/agent/pki"
)

// changes alter what certificates of a tree say.
type changes = map[string]func(*x509.Certificate)

// seed is what damages a tree.
type seed = func(*testing.T, *fixture.Tree)

func madeWith(name string, f fixture.Fault) fixture.Options {
	return fixture.Options{Faults: map[string]fixture.Fault{name: f}}
}

func withoutIP(ip string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.IPAddresses = slices.DeleteFunc(c.IPAddresses, func(a net.IP) bool { return a.String() == ip })
	}
}

func withoutName(name string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.DNSNames = slices.DeleteFunc(c.DNSNames, func(n string) bool { return n == name })
	}
}

func organisation(names ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.Subject.Organization = names }
}

func upper(names []string) (out []string) {
	for _, n := range names {
		out = append(out, strings.ToUpper(n))
	}
	return out
}

// at is a path of a tree: of "LAYOUT" the distribution of rancher that it is.
func at(tree *fixture.Tree, name string) string {
	if strings.Contains(name, "LAYOUT") {
		found, err := os.ReadDir(filepath.Join(tree.Dir, "var/lib/rancher"))
		if err == nil && len(found) == 1 {
			name = strings.Replace(name, "LAYOUT", found[0].Name(), 1)
		}
	}
	if rest, ok := strings.CutPrefix(name, "etc/kubernetes/pki/"); ok {
		if kubespray := filepath.Join(tree.Dir, "etc/kubernetes/ssl"); exists(kubespray) { // whose link is absolute
			return filepath.Join(kubespray, rest)
		}
	}
	return filepath.Join(tree.Dir, name)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func put(t *testing.T, tree *fixture.Tree, name string, text []byte, mode os.FileMode) {
	t.Helper()
	p := at(tree, name)
	if err := os.WriteFile(p, text, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(p, mode); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, tree *fixture.Tree, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(at(tree, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func writes(name, text string) seed {
	return func(t *testing.T, tree *fixture.Tree) { put(t, tree, name, []byte(text), 0o600) }
}

func removes(name string) seed {
	return func(t *testing.T, tree *fixture.Tree) {
		if err := os.Remove(at(tree, name)); err != nil {
			t.Fatal(err)
		}
	}
}

func chmod(name string, mode os.FileMode) seed {
	return func(t *testing.T, tree *fixture.Tree) {
		if err := os.Chmod(at(tree, name), mode); err != nil {
			t.Fatal(err)
		}
	}
}

func chown(name string) seed {
	return func(t *testing.T, tree *fixture.Tree) {
		if os.Geteuid() != 0 {
			t.Skip("only root may give files away")
		}
		if err := os.Chown(at(tree, name), 1000, 1000); err != nil {
			t.Fatal(err)
		}
	}
}

func symlink(t *testing.T, tree *fixture.Tree, target, name string) {
	t.Helper()
	if err := os.Symlink(target, at(tree, name)); err != nil {
		t.Fatal(err)
	}
}

// link moves a file of the certificates' directory and leaves a link to it.
func link(name, real string) seed {
	return func(t *testing.T, tree *fixture.Tree) {
		const dir = "etc/kubernetes/pki/"
		if err := os.Rename(at(tree, dir+name), at(tree, dir+real)); err != nil {
			t.Fatal(err)
		}
		symlink(t, tree, real, dir+name)
	}
}

// rewrite changes the text of a file of the certificates' directory.
func rewrite(name string, change func([]byte) []byte) seed {
	return func(t *testing.T, tree *fixture.Tree) {
		p := "etc/kubernetes/pki/" + name
		info, err := os.Stat(at(tree, p))
		if err != nil {
			t.Fatal(err)
		}
		put(t, tree, p, change(get(t, tree, p)), info.Mode().Perm())
	}
}

// second appends certificates to a file of the certificates' directory.
func second(name string, more func(*testing.T) []byte) seed {
	return func(t *testing.T, tree *fixture.Tree) {
		rewrite(name, func(text []byte) []byte { return append(text, more(t)...) })(t, tree)
	}
}

func der(text []byte) []byte {
	block, _ := pem.Decode(text)
	return block.Bytes
}

func pkcs8(text []byte) []byte {
	key, err := pki.ParseKey(text)
	if err != nil {
		panic(err)
	}
	out, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: out})
}

// paths are the files of a certificate and its key.
func paths(name string) (cert, key string) {
	if kind, ok := strings.CutPrefix(name, "etcd-member"); ok && kind == "" {
		return "etc/ssl/etcd/ssl/member-cp1.pem", "etc/ssl/etcd/ssl/member-cp1-key.pem"
	}
	return "etc/kubernetes/pki/" + name + ".crt", "etc/kubernetes/pki/" + name + ".key"
}

// reissue signs a certificate again for a key of another kind, in PKCS#8.
func reissue(name, ca string, make func() (crypto.Signer, error)) seed {
	return func(t *testing.T, tree *fixture.Tree) {
		key, err := make()
		if err != nil {
			t.Fatal(err)
		}
		text, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		certPath, keyPath := paths(name)
		put(t, tree, certPath, signAgain(t, tree, name, ca, key.Public(), func(*x509.Certificate) {}), 0o644)
		put(t, tree, keyPath, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text}), 0o600)
	}
}

// redate signs a certificate again for its key, from and until a time before or after now.
func redate(name string, from, until time.Duration) seed {
	return func(t *testing.T, tree *fixture.Tree) {
		certPath, keyPath := paths(name)
		key, err := pki.ParseKey(get(t, tree, keyPath))
		if err != nil {
			t.Fatal(err)
		}
		ca := "front-proxy-ca"
		if name == "etcd-member" {
			ca = "etcd-ca"
		}
		put(t, tree, certPath, signAgain(t, tree, name, ca, key.Public(), func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = now.Add(from), now.Add(until)
		}), 0o644)
	}
}

// signAgain signs what a certificate says for another key, with serial 0, which some tools write.
func signAgain(t *testing.T, tree *fixture.Tree, name, ca string, public crypto.PublicKey, change func(*x509.Certificate)) []byte {
	t.Helper()
	certPath, _ := paths(name)
	certs, err := pki.ParseCertificates(get(t, tree, certPath))
	if err != nil {
		t.Fatal(err)
	}
	template := *certs[0]
	template.SerialNumber = big.NewInt(0)
	change(&template)
	signer := tree.Authorities[ca]
	raw, err := x509.CreateCertificate(rand.Reader, &template, signer.Certificate, public, signer.Key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
}

// foreign is the tree of another cluster.
func foreign(t *testing.T) *fixture.Tree {
	t.Helper()
	tree, err := fixture.NewKubeadmTree(t.TempDir(), fixture.Options{Now: now.Add(-age), ServiceAccount: true})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// foreignBundle gives a kubeconfig the CA of another cluster.
func foreignBundle(name string) seed {
	return func(t *testing.T, tree *fixture.Tree) {
		config, err := pki.ParseKubeconfig(get(t, tree, name))
		if err != nil {
			t.Fatal(err)
		}
		key, err := pki.ParseKey(config.Key)
		if err != nil {
			t.Fatal(err)
		}
		text, err := fixture.Kubeconfig(config.Server, fixture.CertificatePEM(foreign(t).Authorities["ca"].Certificate), "user", config.Certificate, key)
		if err != nil {
			t.Fatal(err)
		}
		put(t, tree, name, text, 0o600)
	}
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

// olderTree is a tree of the same cluster whose leaves were signed 400 days ago for a year.
func olderTree(t *testing.T, tree *fixture.Tree) *fixture.Tree {
	t.Helper()
	old, err := fixture.NewKubeadmTree(t.TempDir(), fixture.Options{Now: now.Add(-400 * day), Validity: 365 * day, CAs: tree})
	if err != nil {
		t.Fatal(err)
	}
	return old
}

// expiredKubelet returns a client certificate of the kubelet, with its key, that the tree's CA signed 400 days ago for a year.
func expiredKubelet(t *testing.T, tree *fixture.Tree) []byte {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(olderTree(t, tree).Dir, "var/lib/kubelet/pki/kubelet-client-2*.pem"))
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
