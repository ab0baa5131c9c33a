package controlplane_test

import (
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	fixture "upkeep/fixtures/pki"
	"upkeep/providers/facts"
	"upkeep/providers/node/agent/controlplane"
	"upkeep/providers/node/agent/disk"
)

const etcd = `apiVersion: v1
kind: Pod
spec:
  containers:
  - name: sidecar
    image: other
    command: [other, --name=wrong]
  - name: etcd
    image: registry.k8s.io/etcd:3.6.6-0
    command:
    - etcd
    - --name=cp1
    - --listen-client-urls=https://127.0.0.1:2379,https://10.0.0.11:2379
    - --initial-cluster-token=do-not-keep
    args: [--data-dir, /var/lib/etcd, --quota-backend-bytes, --name=cp2]
`

func TestParseManifest(t *testing.T) {
	got, err := controlplane.ParseManifest("etcd", []byte(etcd))
	if err != nil {
		t.Fatal(err)
	}
	want := facts.StaticPod{Component: "etcd", Image: "registry.k8s.io/etcd:3.6.6-0", Flags: map[string]string{
		"name":                "cp2", // the last one counts
		"listen-client-urls":  "https://127.0.0.1:2379,https://10.0.0.11:2379",
		"data-dir":            "/var/lib/etcd",
		"quota-backend-bytes": "true",
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for _, c := range []struct{ name, text, want string }{
		{"no YAML", "a: b: c", "cannot be parsed"},
		{"no pod", "kind: Deployment", `of kind "Deployment"`},
		{"no container", "kind: Pod", `no container "etcd"`},
		{"empty", "", `of kind ""`},
	} {
		if _, err := controlplane.ParseManifest("etcd", []byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}

func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(etcd))
	f.Add([]byte("kind: Pod\nspec: {containers: [{name: etcd, command: [--name]}]}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		pod, err := controlplane.ParseManifest("etcd", text)
		if err != nil {
			return
		}
		for name := range pod.Flags {
			if strings.ContainsAny(name, "= -\n") && strings.HasPrefix(name, "-") {
				t.Errorf("kept flag %q", name)
			}
		}
		controlplane.EtcdClientAddress([]facts.StaticPod{pod})
	})
}

func pods(t *testing.T, dir string) []facts.StaticPod {
	t.Helper()
	d, err := disk.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	return controlplane.StaticPods(d)
}

func TestStaticPods(t *testing.T) {
	tree, err := fixture.NewKubeadmTree(t.TempDir(), fixture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(tree.Dir, "etc/kubernetes/manifests")
	if err := os.Remove(filepath.Join(dir, "kube-scheduler.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "kube-controller-manager.yaml"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, p := range pods(t, tree.Dir) {
		got[p.Component+" "+p.Manifest] = p.Unknown
	}
	want := map[string]string{
		"etcd /etc/kubernetes/manifests/etcd.yaml":                                       "",
		"kube-apiserver /etc/kubernetes/manifests/kube-apiserver.yaml":                   "",
		"kube-controller-manager /etc/kubernetes/manifests/kube-controller-manager.yaml": "the manifest's YAML cannot be parsed",
		"kube-scheduler /etc/kubernetes/manifests/kube-scheduler.yaml":                   "the manifest is not there",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	// External etcd is no gap; a worker has no static pods at all.
	if err := os.Remove(filepath.Join(dir, "etcd.yaml")); err != nil {
		t.Fatal(err)
	}
	if found := pods(t, tree.Dir); len(found) != 3 {
		t.Errorf("without etcd's manifest: %+v", found)
	}
	worker, err := fixture.NewKubeadmTree(t.TempDir(), fixture.Options{Worker: true})
	if err != nil {
		t.Fatal(err)
	}
	if found := pods(t, worker.Dir); found != nil {
		t.Errorf("a worker: %+v", found)
	}
}

func TestAddresses(t *testing.T) {
	tree, err := fixture.NewKubeadmTree(t.TempDir(), fixture.Options{Address: "fd00::11"})
	if err != nil {
		t.Fatal(err)
	}
	found := pods(t, tree.Dir)
	for _, c := range []struct {
		name string
		ask  func([]facts.StaticPod) (string, bool)
		want string
	}{
		{"api server", controlplane.APIServerAddress, "[fd00::11]:6443"},
		{"etcd's clients", controlplane.EtcdClientAddress, "127.0.0.1:2379"},
		{"etcd's peers", controlplane.EtcdPeerAddress, "[fd00::11]:2380"},
	} {
		if got, ok := c.ask(found); got != c.want || !ok {
			t.Errorf("%s: %q, %t; want %q", c.name, got, ok, c.want)
		}
		if got, ok := c.ask(nil); ok {
			t.Errorf("%s without manifests: %q", c.name, got)
		}
	}
	for _, c := range []struct{ urls, want string }{
		{"https://0.0.0.0:2379", "127.0.0.1:2379"},
		{"http://127.0.0.1:2379", ""},
		{"https://10.0.0.1:2379,https://127.0.0.1:4001", "127.0.0.1:4001"},
		{"://,https://x", ""},
	} {
		got, _ := controlplane.EtcdClientAddress([]facts.StaticPod{{Component: "etcd", Flags: map[string]string{"listen-client-urls": c.urls}}})
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.urls, got, c.want)
		}
	}
}

func TestReady(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   facts.APIServer
	}{
		{"ready", 200, "[+]ping ok\nreadyz check passed\n", facts.APIServer{Ready: true}},
		{"not ready", 500, "[+]ping ok\n[-]etcd failed: reason withheld\n[-]informer-sync failed: reason withheld\nreadyz check failed\n", facts.APIServer{NotReady: "etcd, informer-sync"}},
		{"not ready, no reason", 500, "", facts.APIServer{NotReady: "500 Internal Server Error"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.String() != "/readyz?verbose" {
					t.Errorf("asked %s", r.URL)
				}
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			}))
			defer server.Close()
			roots := x509.NewCertPool()
			roots.AddCert(server.Certificate())
			if diff := cmp.Diff(c.want, controlplane.Ready(t.Context(), server.Listener.Addr().String(), roots)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if got := controlplane.Ready(t.Context(), server.Listener.Addr().String(), x509.NewCertPool()); !strings.Contains(got.Unknown, "unknown authority") {
				t.Errorf("a server of another CA: %+v", got)
			}
		})
	}
	forbidden := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }))
	defer forbidden.Close()
	roots := x509.NewCertPool()
	roots.AddCert(forbidden.Certificate())
	if got := controlplane.Ready(t.Context(), forbidden.Listener.Addr().String(), roots); !strings.Contains(got.Unknown, "anonymous") {
		t.Errorf("anonymous requests refused: %+v", got)
	}
}
