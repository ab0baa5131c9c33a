package host_test

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/fixtures/closedport"
	"upkeep/fixtures/gpunode"
	fixture "upkeep/fixtures/pki"
	"upkeep/providers/facts"
	"upkeep/providers/node/agent/host"
	"upkeep/providers/node/protocol"
)

func TestObserve(t *testing.T) {
	l := newLab(t)
	node := l.observe(t, everything)
	if len(node.Certificates.Files) != 16 || node.Certificates.Unknown != "" {
		t.Errorf("%d files, unknown %q", len(node.Certificates.Files), node.Certificates.Unknown)
	}
	served := map[string]bool{}
	for _, s := range node.Certificates.Served {
		file, _ := node.Certificates.File(s.Name)
		leaf, _ := file.Leaf()
		if s.Unknown != "" || s.Serial != leaf.Serial || s.SHA256 != leaf.SHA256 || !s.NotAfter.Equal(leaf.NotAfter) {
			t.Errorf("%s serves %s (%s), the disk has %s", s.Address, s.Serial, s.Unknown, leaf.Serial)
		}
		served[s.Name+" "+s.Component] = true
	}
	want := map[string]bool{"apiserver kube-apiserver": true, "etcd-server etcd": true, "etcd-peer etcd": true, "kubelet-server kubelet": true}
	if diff := cmp.Diff(want, served); diff != "" {
		t.Errorf("served (-want +got)\n%s", diff)
	}
	if !node.ControlPlane.APIServer.Ready {
		t.Errorf("API server: %+v", node.ControlPlane.APIServer)
	}
	pod, ok := node.ControlPlane.StaticPod("kube-scheduler")
	if !ok || pod.ContainerID != l.scheduler || pod.Attempt != 3 || !pod.StartedAt.Equal(l.started.Add(time.Millisecond)) {
		t.Errorf("scheduler: %+v", pod)
	}
	if etcd, _ := node.ControlPlane.StaticPod("etcd"); etcd.ContainerID != "" || etcd.Flags["data-dir"] != "/var/lib/etcd" {
		t.Errorf("etcd: %+v", etcd)
	}
	if node.System.Clock.IsZero() {
		t.Errorf("system: %+v", node.System)
	}
	if node.NVIDIA.NVML.Unknown == "" || node.NVIDIA.Devices.Unknown == "" {
		t.Errorf("nvidia: %+v", node.NVIDIA)
	}
	text, err := json.Marshal(node)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "PRIVATE KEY") || strings.Contains(string(text), "LS0tLS1") {
		t.Error("the facts hold a key")
	}
}

func TestNotAskedIsUnknown(t *testing.T) {
	l := newLab(t)
	node := l.observe(t, facts.Question{})
	if node.Certificates.Unknown == "" || node.ControlPlane.Unknown == "" || node.NVIDIA.Unknown == "" || len(node.Authorities) > 0 {
		t.Errorf("%+v", node)
	}
}

// Which cluster a node is of is told without its certificates, and is what they say.
func TestAuthorities(t *testing.T) {
	l := newLab(t)
	alone, beside := l.observe(t, facts.Question{Authorities: true}), l.observe(t, everything)
	ca, _ := beside.Certificates.File("ca")
	leaf, there := ca.Leaf()
	if diff := cmp.Diff([]string{leaf.SHA256}, alone.Authorities); diff != "" || !there || alone.Certificates.Unknown == "" {
		t.Errorf("authorities (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{leaf.KeyID}, alone.AuthorityKeys); diff != "" || leaf.KeyID == "" {
		t.Errorf("keys of the authorities (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(alone.Authorities, beside.Authorities); diff != "" {
		t.Errorf("beside certificates (-alone +beside):\n%s", diff)
	}
}

// A renewal without a restart: the disk is new, the port still serves the old certificate.
func TestServedDiffersFromDisk(t *testing.T) {
	l := newLab(t)
	if err := fixture.Renew(l.dir, "apiserver", time.Now(), 100*24*time.Hour); err != nil {
		t.Fatal(err)
	}
	node := l.observe(t, everything)
	file, _ := node.Certificates.File("apiserver")
	leaf, _ := file.Leaf()
	for _, s := range node.Certificates.Served {
		if s.Name == "apiserver" && (s.Serial == leaf.Serial || s.Serial == "" || s.Unknown != "") {
			t.Errorf("served %+v, disk %s", s, leaf.Serial)
		}
	}
}

// etcd's certificate comes before it refuses the client's.
func TestServedIsSeenWithoutAClientCertificate(t *testing.T) {
	l := newLab(t)
	if err := os.Remove(filepath.Join(l.dir, "etc/kubernetes/pki/etcd/healthcheck-client.key")); err != nil {
		t.Fatal(err)
	}
	for _, s := range l.observe(t, everything).Certificates.Served {
		if s.Unknown != "" || s.Serial == "" {
			t.Errorf("%+v", s)
		}
	}
}

func TestPortsThatDoNotAnswer(t *testing.T) {
	dir := t.TempDir()
	mute := listen(t)
	closed, release, err := closedport.Hold()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	if _, err := fixture.NewKubeadmTree(dir, fixture.Options{Address: "127.0.0.1", Port: portOf(mute), EtcdPort: closed, PeerPort: closed}); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "var/lib/kubelet/config.yaml", "port: 0\n")
	h := host.New(host.Options{Root: dir})
	start := time.Now()
	node, err := h.Observe(t.Context(), protocol.ObserveRequest{Question: everything})
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > time.Minute {
		t.Errorf("took %s", took)
	}
	if len(node.Certificates.Served) != 3 {
		t.Errorf("served: %+v", node.Certificates.Served)
	}
	for _, s := range node.Certificates.Served {
		if s.Unknown == "" || s.Serial != "" {
			t.Errorf("%+v", s)
		}
	}
	if node.ControlPlane.APIServer.Unknown == "" || node.ControlPlane.ContainersUnknown == "" {
		t.Errorf("%+v", node.ControlPlane)
	}
	if len(node.Certificates.Files) != 16 {
		t.Errorf("%d files", len(node.Certificates.Files))
	}
}

// ask asks a lab's etcd through the tunnel who called.
func ask(t *testing.T, l *lab) (string, error) {
	t.Helper()
	conn, err := l.host.Tunnel(t.Context(), "etcd")
	if err != nil {
		return "", err
	}
	// The caller's side: plain HTTP/2 into the connection.
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	transport.DialContext = func(context.Context, string, string) (net.Conn, error) { return conn, nil }
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Get("http://etcd/")
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return string(body), err
}

// A certificate that lacks the address at which the node asks itself makes no component unhealthy: the missing name is
// a finding of its own.
func TestComponentsWithoutTheirAddressInTheirCertificates(t *testing.T) {
	nameless := func(c *x509.Certificate) { c.IPAddresses = nil }
	l := newLabWith(t, map[string]func(*x509.Certificate){"apiserver": nameless, "etcd-server": nameless})
	if got := l.observe(t, everything).ControlPlane.APIServer; !got.Ready {
		t.Errorf("API server: %+v", got)
	}
	if got, err := ask(t, l); got != "HTTP/2.0 kube-etcd-healthcheck-client" || err != nil {
		t.Errorf("etcd: %q, %v", got, err)
	}
}

func TestTunnel(t *testing.T) {
	t.Run("with the certificate made for it", func(t *testing.T) {
		if got, err := ask(t, newLab(t)); got != "HTTP/2.0 kube-etcd-healthcheck-client" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("with the API server's when that one has ended", func(t *testing.T) {
		l := newLab(t)
		if err := fixture.Renew(l.dir, "etcd-healthcheck-client", time.Now(), -time.Minute); err != nil {
			t.Fatal(err)
		}
		if got, err := ask(t, l); got != "HTTP/2.0 kube-apiserver-etcd-client" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("with one minted for it when all have ended", func(t *testing.T) {
		l := newLab(t)
		for _, name := range []string{"etcd-healthcheck-client", "apiserver-etcd-client", "etcd-server"} {
			if err := fixture.Renew(l.dir, name, time.Now(), -time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := ask(t, l); got != "HTTP/2.0 upkeep" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		if err := os.Remove(filepath.Join(l.dir, "etc/kubernetes/pki/etcd/ca.key")); err != nil {
			t.Fatal(err)
		}
		if _, err := ask(t, l); err == nil || !strings.Contains(err.Error(), "none can be minted") {
			t.Errorf("without the authority's key: %v", err)
		}
	})
	t.Run("never to a server of another CA", func(t *testing.T) {
		l := newLab(t)
		other, err := fixture.NewKubeadmTree(t.TempDir(), fixture.Options{})
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(other.Dir, "etc/kubernetes/pki/etcd/ca.crt"))
		if err != nil {
			t.Fatal(err)
		}
		write(t, l.dir, "etc/kubernetes/pki/etcd/ca.crt", string(text))
		if _, err := ask(t, l); err == nil || !strings.Contains(err.Error(), "unknown authority") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("to nothing else", func(t *testing.T) {
		if _, err := newLab(t).host.Tunnel(t.Context(), "kubelet"); err == nil {
			t.Error("there is a tunnel to the kubelet")
		}
	})
}

func TestRestart(t *testing.T) {
	l := newLab(t)
	result, err := l.host.Restart(t.Context(), protocol.RestartRequest{Component: "kube-scheduler", ContainerID: l.scheduler, TimeoutSeconds: 10}, nil)
	if err != nil || result.ContainerID == l.scheduler || result.ContainerID == "" {
		t.Fatalf("%+v, %v", result, err)
	}
	pod, _ := l.observe(t, everything).ControlPlane.StaticPod("kube-scheduler")
	if pod.ContainerID != result.ContainerID || pod.Attempt != 4 {
		t.Errorf("%+v, want %s", pod, result.ContainerID)
	}
}

// nvml is a node on which a script stands for upkeep-nvml, with its digest.
func nvml(t *testing.T, script string) host.Options {
	t.Helper()
	root := filepath.Dir(program(t, "upkeep-nvml", script))
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := gpunode.Make(root, gpunode.Machine{GPUs: []string{"2331"}, Driver: "570.124.06"}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "upkeep-nvml"))
	if err != nil {
		t.Fatal(err)
	}
	return host.Options{Root: root, NVML: "/upkeep-nvml", NVMLDigest: fmt.Sprintf("%x", sha256.Sum256(text))}
}

// It runs as root: a program that is not the one, or that others could exchange, is not run.
func TestAnotherNVMLIsNotRun(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(t *testing.T, o *host.Options)
		want   string
	}{
		{"another digest", func(t *testing.T, o *host.Options) { o.NVMLDigest = strings.Repeat("0", 64) }, "/upkeep-nvml has SHA-256 "},
		{"no digest", func(t *testing.T, o *host.Options) { o.NVMLDigest = "" }, "upkeep-nvml is not run: this helper was built without its digest"},
		{"a file that others can write to", func(t *testing.T, o *host.Options) { mode(t, filepath.Join(o.Root, "upkeep-nvml"), 0o777) }, "users other than its owner can write to it"},
		{"a directory that others can write to", func(t *testing.T, o *host.Options) { mode(t, o.Root, 0o777) }, "users other than its owner can write to it"},
		{"a link", func(t *testing.T, o *host.Options) {
			p := filepath.Join(o.Root, "upkeep-nvml")
			if err := errors.Join(os.Rename(p, p+".real"), os.Symlink("upkeep-nvml.real", p)); err != nil {
				t.Fatal(err)
			}
		}, "upkeep-nvml is not run: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := nvml(t, "touch ran; echo '{}'")
			c.change(t, &o)
			node, err := host.New(o).Observe(t.Context(), protocol.ObserveRequest{Question: facts.Question{NVIDIA: true}})
			if err != nil || !strings.Contains(node.NVIDIA.NVML.Unknown, c.want) {
				t.Errorf("%+v, %v; want %q", node.NVIDIA, err, c.want)
			}
		})
	}
}

func mode(t *testing.T, p string, m os.FileMode) {
	t.Helper()
	if err := os.Chmod(p, m); err != nil {
		t.Fatal(err)
	}
}

func TestNVIDIA(t *testing.T) {
	for _, c := range []struct {
		name, script string
		want         facts.NVML
	}{
		{"answers", `echo '{"driver":"570.124.06","gpus":[{"index":0,"name":"NVIDIA H100","uuid":"GPU-1"}]}'`,
			facts.NVML{Driver: "570.124.06", GPUs: []facts.GPU{{Name: "NVIDIA H100", UUID: "GPU-1"}}}},
		{"says why not", `echo '{"unknown":"no library"}'; exit 1`, facts.NVML{Unknown: "no library"}},
		{"dies", `echo "symbol lookup error: nvmlX" >&2; exit 127`, facts.NVML{Kind: facts.NVMLDied, Unknown: "upkeep-nvml: exit status 127: symbol lookup error: nvmlX"}},
		{"is killed", `kill -SEGV $$`, facts.NVML{Kind: facts.NVMLDied, Unknown: "upkeep-nvml: signal: segmentation fault"}},
		{"talks nonsense", `echo hello`, facts.NVML{Unknown: "upkeep-nvml: its answer cannot be parsed"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := host.New(nvml(t, c.script))
			node, err := h.Observe(t.Context(), protocol.ObserveRequest{Question: facts.Question{NVIDIA: true}})
			if err != nil {
				t.Fatal(err)
			}
			got := node.NVIDIA.NVML
			got.Unknown = strings.TrimSuffix(got.Unknown, " (core dumped)")
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestSystem(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "proc/sys/kernel/hostname", "cp1\n")
	write(t, dir, "proc/sys/kernel/random/boot_id", "b-1\n")
	write(t, dir, "proc/sys/kernel/osrelease", "6.1.0-18-amd64\n")
	write(t, dir, "etc/machine-id", "m-1\n")
	write(t, dir, "usr/lib/os-release", "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n")
	if err := os.Symlink("../usr/lib/os-release", filepath.Join(dir, "etc/os-release")); err != nil {
		t.Fatal(err)
	}
	clock := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	started := filepath.Join(t.TempDir(), "started")
	kubeadm := program(t, "kubeadm", "touch "+started)
	ask := func() facts.System {
		h := host.New(host.Options{Root: dir, Kubeadm: kubeadm, Now: func() time.Time { return clock }})
		node, err := h.Observe(t.Context(), protocol.ObserveRequest{Question: facts.Question{ControlPlane: true}})
		if err != nil {
			t.Fatal(err)
		}
		return node.System
	}
	got := ask()
	want := facts.System{
		Hostname: "cp1", MachineID: "m-1", BootID: "b-1", OS: "Debian GNU/Linux 12 (bookworm)", Kernel: "6.1.0-18-amd64",
		Architecture: got.Architecture, Clock: clock,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if _, err := os.Stat(started); err == nil {
		t.Error("kubeadm was started to look at the node: that costs more than all the rest of an observation")
	}
	if err := os.Remove(filepath.Join(dir, "etc/machine-id")); err != nil {
		t.Fatal(err)
	}
	if got := ask(); !strings.Contains(got.Unknown, "machine-id") || got.BootID != "b-1" {
		t.Errorf("without machine-id: %+v", got)
	}
}

func TestRenewNeedsKubeadm(t *testing.T) {
	h := host.New(host.Options{Root: t.TempDir()})
	if _, err := h.Renew(t.Context(), protocol.RenewRequest{}, nil); err == nil || !strings.Contains(err.Error(), "kubeadm is in none of") {
		t.Errorf("got %v", err)
	}
}
