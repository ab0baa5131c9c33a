package host_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	fixture "upkeep/fixtures/pki"
	"upkeep/providers/facts"
	"upkeep/providers/node/agent/cri/critest"
	"upkeep/providers/node/agent/host"
	"upkeep/providers/node/protocol"
)

// lab is a node on loopback: a kubeadm tree, TLS servers with its certificates, and a container runtime.
type lab struct {
	dir       string
	host      *host.Host
	runtime   *critest.Server
	scheduler string
	started   time.Time
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func portOf(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

func newLab(t *testing.T) *lab {
	t.Helper()
	return newLabWith(t, nil)
}

// newLabWith is newLab with certificates that are changed before they are signed.
func newLabWith(t *testing.T, change map[string]func(*x509.Certificate)) *lab {
	t.Helper()
	dir, err := os.MkdirTemp("", "host") // short, for the runtime's socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	api, client, peer, kubelet := listen(t), listen(t), listen(t), listen(t)
	if _, err := fixture.NewKubeadmTree(dir, fixture.Options{
		Address: "127.0.0.1", Port: portOf(api), EtcdPort: portOf(client), PeerPort: portOf(peer), Validity: 10 * 24 * time.Hour, Change: change,
	}); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "var/lib/kubelet/config.yaml", fmt.Sprintf("kind: KubeletConfiguration\nport: %d\n", portOf(kubelet)))
	etcdCA := pool(t, filepath.Join(dir, "etc/kubernetes/pki/etcd/ca.crt"))
	serve(t, api, pair(t, dir, "etc/kubernetes/pki/apiserver"), nil)
	serve(t, client, pair(t, dir, "etc/kubernetes/pki/etcd/server"), etcdCA)
	serve(t, peer, pair(t, dir, "etc/kubernetes/pki/etcd/peer"), etcdCA)
	serve(t, kubelet, pair(t, dir, "var/lib/kubelet/pki/kubelet"), nil)
	runtime, stop, err := critest.Serve(filepath.Join(dir, "run/containerd/containerd.sock"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	l := &lab{dir: dir, runtime: runtime, started: time.Now().Add(-time.Hour).UTC().Truncate(time.Millisecond)}
	l.scheduler = runtime.Add("kube-system", "kube-scheduler-cp1", "kube-scheduler", l.started, 3)
	l.host = host.New(host.Options{Root: dir, NVML: "/upkeep-nvml"})
	return l
}

func program(t *testing.T, name, script string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return p
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	p := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func pair(t *testing.T, dir, base string) tls.Certificate {
	t.Helper()
	p, err := tls.LoadX509KeyPair(filepath.Join(dir, base+".crt"), filepath.Join(dir, base+".key"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func pool(t *testing.T, path string) *x509.CertPool {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		t.Fatalf("no certificate in %s", path)
	}
	return roots
}

// serve answers /readyz and, for the tunnel, says who called; with clients it wants a certificate of that CA.
func serve(t *testing.T, l net.Listener, cert tls.Certificate, clients *x509.CertPool) {
	t.Helper()
	config := &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2"}}
	if clients != nil {
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, clients
	}
	server := &http.Server{
		TLSConfig: config,
		ErrorLog:  nil,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			who := "nobody"
			if len(r.TLS.PeerCertificates) > 0 {
				who = r.TLS.PeerCertificates[0].Subject.CommonName
			}
			fmt.Fprintf(w, "%s %s", r.Proto, who)
		}),
	}
	go func() { _ = server.ServeTLS(l, "", "") }()
	t.Cleanup(func() { server.Close() })
}

func (l *lab) observe(t *testing.T, q facts.Question) facts.Node {
	t.Helper()
	node, err := l.host.Observe(t.Context(), protocol.ObserveRequest{Question: q})
	if err != nil {
		t.Fatal(err)
	}
	return node
}

var everything = facts.Question{
	Certificates: &facts.CertificatesQuestion{Layout: "auto"}, ControlPlane: true, NVIDIA: true,
}
