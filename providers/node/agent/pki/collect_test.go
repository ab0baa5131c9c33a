package pki_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	fixture "upkeep/fixtures/pki"
	"upkeep/providers/facts"
	"upkeep/providers/layout"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/pki"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func tree(t *testing.T, o fixture.Options) *fixture.Tree {
	t.Helper()
	if o.Now.IsZero() {
		o.Now = now
	}
	made, err := fixture.NewKubeadmTree(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func collect(t *testing.T, dir string, q facts.CertificatesQuestion) facts.Certificates {
	t.Helper()
	d, err := disk.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	return pki.Collect(d, q)
}

// verdict is what a table compares: everything that is said of a file except dates and random bytes.
type verdict struct {
	Missing            bool
	Unknown, Key, Bad  string
	Blocks             int
	CommonName, Server string
	Authorities        int
}

func verdicts(c facts.Certificates) map[string]verdict {
	out := map[string]verdict{}
	for _, f := range c.Files {
		v := verdict{
			Missing: f.Missing, Unknown: f.Unknown, Key: f.Key, Bad: f.Chain, Blocks: len(f.Blocks), Server: f.Server,
			Authorities: len(f.Authorities),
		}
		if leaf, ok := f.Leaf(); ok {
			v.CommonName = leaf.Subject
		}
		out[f.Name] = v
	}
	return out
}

func TestHealthyControlPlane(t *testing.T) {
	made := tree(t, fixture.Options{SuperAdmin: true})
	got := collect(t, made.Dir, facts.CertificatesQuestion{Layout: "auto"})
	if got.Unknown != "" || got.Layout != "kubeadm" {
		t.Fatalf("layout %q, unknown %q", got.Layout, got.Unknown)
	}
	server := "https://10.0.0.11:6443"
	ok := func(cn string) verdict { return verdict{Key: "match", Blocks: 1, CommonName: cn} }
	conf := func(cn string) verdict {
		return verdict{Key: "match", Blocks: 1, CommonName: cn, Server: server, Authorities: 1}
	}
	want := map[string]verdict{
		"ca":                       ok("CN=kubernetes"),
		"etcd-ca":                  ok("CN=etcd-ca"),
		"front-proxy-ca":           ok("CN=front-proxy-ca"),
		"apiserver":                ok("CN=kube-apiserver"),
		"apiserver-etcd-client":    ok("CN=kube-apiserver-etcd-client"),
		"apiserver-kubelet-client": ok("CN=kube-apiserver-kubelet-client,O=kubeadm:cluster-admins"),
		"etcd-healthcheck-client":  ok("CN=kube-etcd-healthcheck-client"),
		"etcd-peer":                ok("CN=cp1"),
		"etcd-server":              ok("CN=cp1"),
		"front-proxy-client":       ok("CN=front-proxy-client"),
		"kubelet-client":           ok("CN=system:node:cp1,O=system:nodes"),
		"kubelet-server":           {Key: "match", Blocks: 2, CommonName: "CN=cp1@1"},
		"admin.conf":               conf("CN=kubernetes-admin,O=kubeadm:cluster-admins"),
		"super-admin.conf":         conf("CN=kubernetes-super-admin,O=system:masters"),
		"controller-manager.conf":  conf("CN=system:kube-controller-manager"),
		"scheduler.conf":           conf("CN=system:kube-scheduler"),
	}
	if diff := cmp.Diff(want, verdicts(got)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	apiserver, _ := got.File("apiserver")
	leaf, _ := apiserver.Leaf()
	wantLeaf := facts.Certificate{
		Serial: leaf.Serial, SHA256: leaf.SHA256, Subject: "CN=kube-apiserver", Issuer: "CN=kubernetes",
		NotBefore: now.Add(-5 * time.Minute), NotAfter: now.AddDate(1, 0, 0),
		DNSNames:    []string{"localhost", "cp1", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
		IPAddresses: []string{"10.0.0.11", "127.0.0.1", "::1", "10.96.0.1"}, Algorithm: "ECDSA-P256",
	}
	if diff := cmp.Diff(wantLeaf, leaf); diff != "" {
		t.Errorf("apiserver (-want +got)\n%s", diff)
	}
	if apiserver.Mode != "0644" || apiserver.Modified.IsZero() || apiserver.Owner == "" {
		t.Errorf("apiserver: mode %q, owner %q, modified %v", apiserver.Mode, apiserver.Owner, apiserver.Modified)
	}
	for i := 1; i < len(got.Files); i++ {
		if got.Files[i-1].Path >= got.Files[i].Path {
			t.Errorf("files are not sorted by path: %s before %s", got.Files[i-1].Path, got.Files[i].Path)
		}
	}
}

func TestOneBadFileHidesNothing(t *testing.T) {
	made := tree(t, fixture.Options{Faults: map[string]fixture.Fault{
		"apiserver":               fixture.Corrupt,
		"apiserver-etcd-client":   fixture.WrongKey,
		"etcd-peer":               fixture.WrongCA,
		"etcd-server":             fixture.Empty,
		"front-proxy-client":      fixture.Missing,
		"front-proxy-ca":          fixture.NoKey,
		"etcd-healthcheck-client": fixture.Expired,
		"scheduler.conf":          fixture.Empty,
		"controller-manager.conf": fixture.WrongKey,
		"admin.conf":              fixture.Bundle,
	}})
	got := verdicts(collect(t, made.Dir, facts.CertificatesQuestion{Layout: "kubeadm"}))
	if len(got) != 16 {
		t.Errorf("%d entries, want all 16 of the layout", len(got))
	}
	for name, want := range map[string]func(verdict) bool{
		"apiserver":                func(v verdict) bool { return strings.Contains(v.Unknown, "cannot be parsed") },
		"apiserver-etcd-client":    func(v verdict) bool { return v.Key == "mismatch" && v.Unknown == "" },
		"etcd-peer":                func(v verdict) bool { return v.Bad != "" && v.Key == "match" },
		"etcd-server":              func(v verdict) bool { return v.Unknown == "the file is empty" },
		"front-proxy-client":       func(v verdict) bool { return v.Missing && v.Unknown == "" },
		"front-proxy-ca":           func(v verdict) bool { return v.Key == "missing" && v.Blocks == 1 },
		"etcd-healthcheck-client":  func(v verdict) bool { return v.Bad == "" && v.Key == "match" },
		"scheduler.conf":           func(v verdict) bool { return v.Unknown == "the file is empty" },
		"controller-manager.conf":  func(v verdict) bool { return v.Key == "mismatch" },
		"admin.conf":               func(v verdict) bool { return v.Authorities == 2 && v.Key == "match" },
		"super-admin.conf":         func(v verdict) bool { return v.Missing },
		"apiserver-kubelet-client": func(v verdict) bool { return v.Key == "match" && v.Bad == "" && v.Unknown == "" },
	} {
		if !want(got[name]) {
			t.Errorf("%s: got %+v", name, got[name])
		}
	}
}

func TestLinksAreNotFollowed(t *testing.T) {
	made := tree(t, fixture.Options{})
	secret := filepath.Join(t.TempDir(), "secret.pem")
	if err := os.WriteFile(secret, []byte("-----BEGIN X-----"), 0o600); err != nil {
		t.Fatal(err)
	}
	replace := func(name, target string) {
		p := filepath.Join(made.Dir, name)
		if err := os.RemoveAll(p); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, p); err != nil {
			t.Fatal(err)
		}
	}
	replace("etc/kubernetes/pki/apiserver.crt", secret)
	replace("etc/kubernetes/pki/front-proxy-client.key", "../../../"+secret)
	replace("var/lib/kubelet/pki/kubelet-client-current.pem", "/etc/kubernetes/pki/ca.key")
	replace("etc/kubernetes/pki/etcd", "/var/lib/kubelet")
	got := verdicts(collect(t, made.Dir, facts.CertificatesQuestion{Layout: "auto"}))
	for name, want := range map[string]string{
		"apiserver":      "symbolic link",
		"kubelet-client": "links out of its directory",
		"etcd-server":    "symbolic link",
	} {
		if !strings.Contains(got[name].Unknown, want) {
			t.Errorf("%s: unknown %q, want it to say %q", name, got[name].Unknown, want)
		}
	}
	if !strings.Contains(got["front-proxy-client"].Key, "symbolic link") {
		t.Errorf("front-proxy-client: key %q", got["front-proxy-client"].Key)
	}
}

func TestWorkerHasOnlyItsKubelets(t *testing.T) {
	made := tree(t, fixture.Options{Worker: true})
	got := verdicts(collect(t, made.Dir, facts.CertificatesQuestion{Layout: "auto"}))
	want := map[string]verdict{
		"ca":             {Blocks: 1, CommonName: "CN=kubernetes"},
		"kubelet-client": {Key: "match", Blocks: 1, CommonName: "CN=system:node:cp1,O=system:nodes"},
		"kubelet-server": {Key: "match", Blocks: 2, CommonName: "CN=cp1@1"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestUnknownLayouts(t *testing.T) {
	elsewhere := t.TempDir()
	if err := os.MkdirAll(filepath.Join(elsewhere, "etc/kubernetes"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/opt/pki", filepath.Join(elsewhere, "etc/kubernetes/pki")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, dir, layout, want string }{
		{"nothing there", t.TempDir(), "auto", "no known layout"},
		{"a pki that links elsewhere", elsewhere, "auto", `/etc/kubernetes/pki is a symbolic link, which is not followed: the link leads to "/opt/pki"`},
		{"a word nobody knows", t.TempDir(), "kops", `layout "kops" is not known`},
		{"k3s where there is none", t.TempDir(), "k3s", "/var/lib/rancher/k3s is not on this node"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := collect(t, c.dir, facts.CertificatesQuestion{Layout: c.layout})
			if !strings.Contains(got.Unknown, c.want) || got.Files != nil {
				t.Errorf("got %+v, want it unknown: %s", got, c.want)
			}
		})
	}
}

func TestNamedKubeconfigs(t *testing.T) {
	made := tree(t, fixture.Options{})
	text, err := os.ReadFile(filepath.Join(made.Dir, "etc/kubernetes/admin.conf"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(made.Dir, "root/.kube"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(made.Dir, "root/.kube/config"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	got := verdicts(collect(t, made.Dir, facts.CertificatesQuestion{
		Layout: "auto", Kubeconfigs: []string{"/root/.kube/config", "/home/gone/.kube/config", "/etc/kubernetes/admin.conf", "../x"},
	}))
	if v := got["/root/.kube/config"]; v != got["admin.conf"] {
		t.Errorf("copy: %+v, want as admin.conf: %+v", v, got["admin.conf"])
	}
	if v := got["/home/gone/.kube/config"]; !v.Missing {
		t.Errorf("a copy that is not there: %+v", v)
	}
	if v := got["../x"]; v.Unknown == "" {
		t.Errorf("a relative path: %+v", v)
	}
	if _, twice := got["/etc/kubernetes/admin.conf"]; twice {
		t.Error("admin.conf is listed twice")
	}
}

func TestFactsHoldNoKey(t *testing.T) {
	made := tree(t, fixture.Options{SuperAdmin: true, Faults: map[string]fixture.Fault{"scheduler.conf": fixture.Corrupt}})
	text, err := json.Marshal(collect(t, made.Dir, facts.CertificatesQuestion{Layout: "auto"}))
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"PRIVATE KEY", "client-key-data", "LS0tLS1CRUdJTiB"} {
		if strings.Contains(string(text), word) {
			t.Errorf("the facts hold %q", word)
		}
	}
}

func TestLayoutTable(t *testing.T) {
	if got := len(layout.Kubeadm(layout.KubeadmDir).Renewable()); got != 11 {
		t.Errorf("%d renewable certificates, kubeadm has 11", got)
	}
	served := map[int]string{}
	for _, e := range layout.Kubeadm(layout.KubeadmDir).Entries() {
		if e.Port != 0 {
			served[e.Port] = e.Name
		}
	}
	if diff := cmp.Diff(map[int]string{6443: "apiserver", 2379: "etcd-server", 2380: "etcd-peer", 10250: "kubelet-server"}, served); diff != "" {
		t.Errorf("certificates by port (-want +got)\n%s", diff)
	}
	for _, e := range layout.Kubeadm(layout.KubeadmDir).Entries() {
		if e.Authority != "" {
			if ca, ok := layout.Kubeadm(layout.KubeadmDir).Lookup(e.Authority); !ok || ca.Kind != facts.Authority {
				t.Errorf("%s: no CA %q", e.Name, e.Authority)
			}
		}
	}
}

func BenchmarkCollect(b *testing.B) {
	made, err := fixture.NewKubeadmTree(b.TempDir(), fixture.Options{RSA: true, SuperAdmin: true})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		d, err := disk.Open(made.Dir)
		if err != nil {
			b.Fatal(err)
		}
		if got := pki.Collect(d, facts.CertificatesQuestion{Layout: "auto"}); len(got.Files) != 16 {
			b.Fatalf("%d files", len(got.Files))
		}
		d.Close()
	}
}

// A key that others can read is a finding of its own, whatever the certificate's mode is and whether it can be parsed.
func TestTheKeysModeIsSaid(t *testing.T) {
	made := tree(t, fixture.Options{SuperAdmin: true})
	if err := os.Chmod(filepath.Join(made.Dir, "etc/kubernetes/pki/apiserver.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(made.Dir, "etc/kubernetes/pki/etcd/peer.key"), []byte("no key"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(made.Dir, "etc/kubernetes/pki/etcd/peer.key"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(made.Dir, "etc/kubernetes/pki/etcd/server.key")); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range collect(t, made.Dir, facts.CertificatesQuestion{Layout: "auto"}).Files {
		got[f.Name] = f.KeyMode
	}
	for name, want := range map[string]string{
		"apiserver": "0644", "etcd-peer": "0640", "etcd-server": "", "front-proxy-client": "0600", "ca": "0600", "admin.conf": "",
	} {
		if got[name] != want {
			t.Errorf("%s: key mode %q, want %q", name, got[name], want)
		}
	}
}
