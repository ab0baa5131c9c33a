package renew_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	fixture "upkeep/fixtures/pki"
	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/pki"
	"upkeep/providers/node/agent/renew"
	"upkeep/providers/node/protocol"
)

// node is a control plane whose certificates end in ten days.
func node(t testing.TB, o fixture.Options) string {
	t.Helper()
	dir := t.TempDir()
	o.Validity, o.SuperAdmin = 10*24*time.Hour, true
	if _, err := fixture.NewKubeadmTree(dir, o); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "var/lib"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func renewer(t testing.TB, dir string) *renew.Renewer {
	t.Helper()
	r, d := newRenewer(dir)
	t.Cleanup(func() { d.Close() })
	return r
}

func newRenewer(dir string) (*renew.Renewer, *disk.Disk) {
	d, err := disk.Open(dir)
	if err != nil {
		panic(err)
	}
	return &renew.Renewer{Disk: d, Kubeadm: os.Args[0], Now: time.Now}, d
}

func observe(t testing.TB, dir string, kubeconfigs ...string) facts.Certificates {
	t.Helper()
	d, err := disk.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	c := pki.Collect(d, facts.CertificatesQuestion{Layout: "kubeadm", Kubeconfigs: kubeconfigs})
	c.Unfinished = renew.Unfinished(d)
	return c
}

func serials(c facts.Certificates) map[string]string {
	out := map[string]string{}
	for _, f := range c.Files {
		if leaf, ok := f.Leaf(); ok {
			out[f.Name] = leaf.Serial
		}
	}
	return out
}

func request(t testing.TB, dir string, names ...string) protocol.RenewRequest {
	t.Helper()
	return protocol.RenewRequest{
		Step: "certificates.control_plane@cp1/renew", Names: names, ClusterConfiguration: configuration,
		Serials: serials(observe(t, dir)),
	}
}

func healthy(t testing.TB, c facts.Certificates) {
	t.Helper()
	for _, f := range c.Files {
		if f.Missing || f.Unknown != "" || f.Key != "match" || f.Chain != "" {
			t.Errorf("%s: missing %t, unknown %q, key %q, chain %q", f.Name, f.Missing, f.Unknown, f.Key, f.Chain)
		}
	}
}

func copyOfAdmin(t testing.TB, dir, name string, change func(string) string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "etc/kubernetes/admin.conf"))
	if err != nil {
		t.Fatal(err)
	}
	p := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(change(string(text))), 0o640); err != nil {
		t.Fatal(err)
	}
}

func TestRenew(t *testing.T) {
	dir := node(t, fixture.Options{Faults: map[string]fixture.Fault{"scheduler.conf": fixture.Bundle}})
	copyOfAdmin(t, dir, "root/.kube/config", func(s string) string {
		return "# mine\n" + strings.Replace(s, "https://10.0.0.11:6443", "https://balancer:8443", 1)
	})
	q := request(t, dir, "apiserver", "etcd-peer", "front-proxy-client", "scheduler.conf", "admin.conf")
	q.Kubeconfigs = []string{"/root/.kube/config", "/home/gone/config"}
	before := observe(t, dir, q.Kubeconfigs[0])
	var lines []string
	result, err := renewer(t, dir).Run(t.Context(), q, func(line string) { lines = append(lines, line) })
	if err != nil {
		t.Fatal(err)
	}
	after := observe(t, dir, q.Kubeconfigs[0])
	healthy(t, after)
	old, now := serials(before), serials(after)
	for _, f := range after.Files {
		was, _ := before.File(f.Name)
		asked := slices.Contains(q.Names, f.Name) || f.Name == "/root/.kube/config"
		if changed := old[f.Name] != now[f.Name]; changed != asked {
			t.Errorf("%s: changed %t, want %t", f.Name, changed, asked)
		}
		if f.Mode != was.Mode || f.Owner != was.Owner || f.Server != was.Server || !cmp.Equal(f.Authorities, was.Authorities) {
			t.Errorf("%s: was %s %s %s %v, is %s %s %s %v", f.Name,
				was.Mode, was.Owner, was.Server, was.Authorities, f.Mode, f.Owner, f.Server, f.Authorities)
		}
		if asked && result.Serials[f.Name] != now[f.Name] {
			t.Errorf("%s: the result says %s, the disk %s", f.Name, result.Serials[f.Name], now[f.Name])
		}
	}
	if now["/root/.kube/config"] != now["admin.conf"] {
		t.Error("the copy did not take over admin.conf's new certificate")
	}
	text, _ := os.ReadFile(filepath.Join(dir, "root/.kube/config"))
	if !strings.HasPrefix(string(text), "# mine\n") || !strings.Contains(string(text), "https://balancer:8443") {
		t.Errorf("the copy lost what was its own:\n%.200s", text)
	}
	if len(after.Unfinished) != 0 {
		t.Errorf("unfinished: %+v", after.Unfinished)
	}
	for _, left := range []string{"stage/*", "intents/*"} {
		if found, _ := filepath.Glob(filepath.Join(dir, renew.Dir, left)); len(found) > 0 {
			t.Errorf("left behind: %v", found)
		}
	}
	archive := filepath.Join(dir, result.Archive)
	info, err := os.Stat(archive)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("archive %s: %v %v", result.Archive, info.Mode(), err)
	}
	out, err := exec.Command("tar", "tzf", archive).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"etc/kubernetes/pki/ca.key", "etc/kubernetes/pki/etcd/ca.crt", "etc/kubernetes/admin.conf",
		"etc/kubernetes/manifests/etcd.yaml", "root/.kube/config",
	} {
		if !slices.Contains(strings.Fields(string(out)), want) {
			t.Errorf("the archive has no %s", want)
		}
	}
	if all := strings.Join(lines, "\n"); strings.Contains(all, "PRIVATE") || !strings.Contains(all, "/home/gone/config") {
		t.Errorf("progress:\n%s", all)
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name    string
		options fixture.Options
		change  func(t *testing.T, dir string, q *protocol.RenewRequest)
		want    string
	}{
		{"no configuration", fixture.Options{}, func(_ *testing.T, _ string, q *protocol.RenewRequest) { q.ClusterConfiguration = " \n" }, "no ClusterConfiguration"},
		{"another kind", fixture.Options{}, func(_ *testing.T, _ string, q *protocol.RenewRequest) {
			q.ClusterConfiguration = "apiVersion: v1\nkind: Secret\n"
		}, "not ClusterConfiguration"},
		{"two documents", fixture.Options{}, func(_ *testing.T, _ string, q *protocol.RenewRequest) {
			q.ClusterConfiguration += "---\nkind: InitConfiguration\n"
		}, "2 YAML documents"},
		{"a key twice", fixture.Options{}, func(_ *testing.T, _ string, q *protocol.RenewRequest) {
			q.ClusterConfiguration += "\netcd: {external: {endpoints: [https://e:2379]}}\netcd: {local: {}}\n"
		}, `the key "etcd" stands twice`},
		{"another directory", fixture.Options{}, func(_ *testing.T, _ string, q *protocol.RenewRequest) {
			q.ClusterConfiguration = strings.Replace(configuration, "/etc/kubernetes/pki", "/etc/kubernetes/ssl", 1)
		}, "/etc/kubernetes/ssl"},
		{"external etcd", fixture.Options{}, func(_ *testing.T, _ string, q *protocol.RenewRequest) {
			q.ClusterConfiguration += "etcd: {external: {endpoints: [https://e:2379]}}\n"
			q.Names = []string{"etcd-server"}
		}, "external"},
		{"a CA", fixture.Options{}, func(_ *testing.T, _ string, q *protocol.RenewRequest) { q.Names = []string{"ca"} }, "not a certificate that kubeadm renews"},
		{"the kubelet's", fixture.Options{}, func(_ *testing.T, _ string, q *protocol.RenewRequest) { q.Names = []string{"kubelet-client"} }, "not a certificate that kubeadm renews"},
		{"a path", fixture.Options{}, func(_ *testing.T, _ string, q *protocol.RenewRequest) { q.Names = []string{"../../etc/shadow"} }, "not a certificate that kubeadm renews"},
		{"nothing", fixture.Options{}, func(_ *testing.T, _ string, q *protocol.RenewRequest) { q.Names = nil }, "names no certificate"},
		{"twice", fixture.Options{}, func(_ *testing.T, _ string, q *protocol.RenewRequest) { q.Names = []string{"apiserver", "apiserver"} }, "twice"},
		{"another serial", fixture.Options{}, func(_ *testing.T, _ string, q *protocol.RenewRequest) { q.Serials["apiserver"] = "AB" }, "plan again"},
		{"no serial", fixture.Options{}, func(_ *testing.T, _ string, q *protocol.RenewRequest) { delete(q.Serials, "apiserver") }, "not given"},
		{"a worker", fixture.Options{Worker: true}, func(*testing.T, string, *protocol.RenewRequest) {}, "no kubeadm control plane"},
		{"an external CA", fixture.Options{Faults: map[string]fixture.Fault{"ca": fixture.NoKey}}, func(*testing.T, string, *protocol.RenewRequest) {}, "external"},
		{"a CA key of another CA", fixture.Options{Faults: map[string]fixture.Fault{"ca": fixture.WrongKey}}, func(*testing.T, string, *protocol.RenewRequest) {}, "does not belong"},
		{"an unreadable certificate", fixture.Options{Faults: map[string]fixture.Fault{"apiserver": fixture.Corrupt}}, func(*testing.T, string, *protocol.RenewRequest) {}, "cannot be parsed"},
		{"kubeadm falls back", fixture.Options{}, cluster("falls-back"), "fell back"},
		{"kubeadm does nothing", fixture.Options{}, cluster("does-nothing"), "the old one still"},
		{"kubeadm finds it missing", fixture.Options{}, cluster("misses"), "renewed nothing"},
		{"kubeadm fails", fixture.Options{}, cluster("dies"), "disk on fire"},
		{"kubeadm shortens", fixture.Options{}, cluster("shortens"), "not later than the old one"},
		{"kubeadm signs by another CA", fixture.Options{}, cluster("signs-by-another-ca"), "does not chain to the CA ca"},
		{"kubeadm loses names", fixture.Options{}, cluster("loses-names"), "its DNS names were [localhost cp1"},
		{"kubeadm mixes keys up", fixture.Options{}, cluster("mixes-keys"), "does not belong to the certificate"},
		{"a linked target", fixture.Options{}, func(t *testing.T, dir string, _ *protocol.RenewRequest) {
			p := filepath.Join(dir, "etc/kubernetes/pki/apiserver.key")
			must(t, os.Rename(p, p+".real"), os.Symlink("apiserver.key.real", p))
		}, "symbolic link"},
		{"a target directory open to a group", fixture.Options{}, func(t *testing.T, dir string, _ *protocol.RenewRequest) {
			must(t, os.Chmod(filepath.Join(dir, "etc/kubernetes/pki"), 0o775))
		}, "users other than its owner"},
		{"a key open to the world", fixture.Options{}, func(t *testing.T, dir string, _ *protocol.RenewRequest) {
			must(t, os.Chmod(filepath.Join(dir, "etc/kubernetes/pki/apiserver.key"), 0o666))
		}, "users other than its owner"},
		{"a linked state directory", fixture.Options{}, func(t *testing.T, dir string, _ *protocol.RenewRequest) {
			must(t, os.MkdirAll(filepath.Join(dir, "tmp/evil"), 0o755), os.Symlink("/tmp/evil", filepath.Join(dir, renew.Dir)))
		}, "symbolic link"},
		{"an open intent directory", fixture.Options{}, func(t *testing.T, dir string, _ *protocol.RenewRequest) {
			must(t, os.MkdirAll(filepath.Join(dir, renew.Dir, "intents"), 0o755))
		}, "not 0700"},
		{"a linked copy", fixture.Options{}, func(t *testing.T, dir string, q *protocol.RenewRequest) {
			copyOfAdmin(t, dir, "home/u/real", func(s string) string { return s })
			must(t, os.Symlink("real", filepath.Join(dir, "home/u/config")))
			q.Kubeconfigs = []string{"/home/u/config"}
		}, "symbolic link"},
		{"an intent of before", fixture.Options{}, func(t *testing.T, dir string, _ *protocol.RenewRequest) {
			p := filepath.Join(dir, renew.Dir, "intents/before")
			must(t, os.MkdirAll(p, 0o700), os.Chmod(filepath.Dir(p), 0o700), os.WriteFile(filepath.Join(p, "intent.json"), []byte(`{"version":1}`), 0o600))
		}, "must be repaired first"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := node(t, c.options)
			q := request(t, dir, "apiserver", "admin.conf")
			if c.options.Faults["apiserver"] != "" {
				q.Serials["apiserver"] = "01"
			}
			c.change(t, dir, &q)
			before, left := snapshot(t, filepath.Join(dir, "etc")), len(observe(t, dir).Unfinished)
			_, err := renewer(t, dir).Run(t.Context(), q, func(string) {})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want it to say %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "PRIVATE KEY") {
				t.Errorf("the error holds a key: %v", err)
			}
			if diff := cmp.Diff(before, snapshot(t, filepath.Join(dir, "etc"))); diff != "" {
				t.Errorf("a refused request changed files (-before +after)\n%s", diff)
			}
			if now := len(observe(t, dir).Unfinished); now != left {
				t.Errorf("a refused request left an intent")
			}
		})
	}
}

func cluster(name string) func(*testing.T, string, *protocol.RenewRequest) {
	return func(_ *testing.T, _ string, q *protocol.RenewRequest) {
		q.ClusterConfiguration = strings.Replace(configuration, "clusterName: kubernetes", "clusterName: "+name, 1)
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(p)
		found[strings.TrimPrefix(p, dir)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestCopiesAloneTakeWhatAdminHasNow(t *testing.T) {
	dir := node(t, fixture.Options{})
	copyOfAdmin(t, dir, "home/u/config", func(s string) string { return s })
	q := request(t, dir, "admin.conf")
	if _, err := renewer(t, dir).Run(t.Context(), q, func(string) {}); err != nil {
		t.Fatal(err)
	}
	q = request(t, dir)
	q.Kubeconfigs = []string{"/home/u/config"}
	result, err := renewer(t, dir).Run(t.Context(), q, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	now := serials(observe(t, dir, "/home/u/config"))
	if now["/home/u/config"] != now["admin.conf"] || result.Serials["/home/u/config"] != now["admin.conf"] {
		t.Errorf("copy %s, admin.conf %s, result %v", now["/home/u/config"], now["admin.conf"], result.Serials)
	}
}

func TestTwoRenewalsExcludeEachOther(t *testing.T) {
	dir := node(t, fixture.Options{})
	q := request(t, dir, "apiserver")
	r := renewer(t, dir)
	r.At = func(instant string) {
		if instant != "intent:mkdir" {
			return
		}
		if _, err := renewer(t, dir).Run(t.Context(), q, func(string) {}); err == nil || !strings.Contains(err.Error(), "another change is in progress") {
			t.Errorf("a second renewal: %v", err)
		}
	}
	if _, err := r.Run(t.Context(), q, func(string) {}); err != nil {
		t.Fatal(err)
	}
}
