package acceptance

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// testAnotherCluster gives upkeep the hosts of the lab and the kubeconfig of another cluster, as happens to an operator with
// two of them: once with a state that knows neither, once with a state that has worked on the lab, once with a plan of the
// lab whose kubeconfig was replaced before the apply. Nothing may be changed, and each time both clusters must be told apart.
func testAnotherCluster(t *testing.T, s *suite) {
	const node = "n1"
	replace := "-replace=certificates.control_plane@" + node
	other := s.anotherCluster(t)
	was := s.print(t)
	unchanged := func(t *testing.T) {
		t.Helper()
		if diff := cmp.Diff(was, s.print(t)); diff != "" {
			t.Errorf("nodes were changed (-before +after):\n%s", diff)
		}
	}

	t.Run("from the start", func(t *testing.T) {
		wrong := s.declare(t, declaration{renewBefore: time.Hour, kubeconfig: other})
		p, _ := wrong.plan(t, replace)
		if p.Applyable || len(p.Upkeep.Refusals) == 0 || !p.has("WRONG_CLUSTER") {
			t.Errorf("applyable %v, refusals %q, findings %+v", p.Applyable, p.Upkeep.Refusals, p.Upkeep.Findings)
		}
		wrong.run(t, "apply", "-auto-approve", replace).want(t, 1)
		unchanged(t)
	})
	t.Run("between plan and apply", func(t *testing.T) {
		own := filepath.Join(t.TempDir(), "kubeconfig")
		if err := os.WriteFile(own, readFile(t, s.kubeconfig), 0o600); err != nil {
			t.Fatal(err)
		}
		d := s.declare(t, declaration{renewBefore: time.Hour, kubeconfig: own})
		d.run(t, "plan", replace, "-out=it.plan").want(t, 0)
		if err := os.WriteFile(own, readFile(t, other), 0o600); err != nil {
			t.Fatal(err)
		}
		if r := d.run(t, "apply", "it.plan"); r.code == 0 || !strings.Contains(r.stdout+r.stderr, "cluster") {
			t.Errorf("exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
		}
		unchanged(t)
	})
}

// has reports whether a plan has a finding.
func (p plan) has(id string) bool {
	for _, f := range p.Upkeep.Findings {
		if f.ID == id {
			return true
		}
	}
	return false
}

// anotherCluster starts a real API server over a real etcd on this machine, with authorities of its own, and returns the path
// of a kubeconfig for it. Both end with the test.
func (s *suite) anotherCluster(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	authority := newAuthority(t)
	authority.write(t, filepath.Join(dir, "ca"))
	serving := authority.issue(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "kube-apiserver"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 99, 0, 1)},
		DNSNames: []string{"kubernetes.default.svc"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	serving.write(t, filepath.Join(dir, "serving"))
	client := authority.issue(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "operator", Organization: []string{"system:masters"}}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})

	etcd, peer, api := freeAddress(t), freeAddress(t), freeAddress(t)
	s.background(t, "etcd", s.lab.Program("etcd"), "--data-dir", filepath.Join(dir, "etcd"),
		"--listen-client-urls", "http://"+etcd, "--advertise-client-urls", "http://"+etcd,
		"--listen-peer-urls", "http://"+peer, "--initial-advertise-peer-urls", "http://"+peer, "--initial-cluster", "default=http://"+peer)
	_, port, err := net.SplitHostPort(api)
	if err != nil {
		t.Fatal(err)
	}
	s.background(t, "kube-apiserver", s.lab.Program("kube-apiserver"), "--etcd-servers", "http://"+etcd,
		"--bind-address", "127.0.0.1", "--advertise-address", "10.99.0.2", "--secure-port", port, "--service-cluster-ip-range", "10.99.0.0/16",
		"--tls-cert-file", filepath.Join(dir, "serving.crt"), "--tls-private-key-file", filepath.Join(dir, "serving.key"),
		"--client-ca-file", filepath.Join(dir, "ca.crt"), "--authorization-mode", "RBAC", "--cert-dir", dir,
		"--service-account-issuer", "https://another.example.net", "--service-account-key-file", filepath.Join(dir, "ca.key"),
		"--service-account-signing-key-file", filepath.Join(dir, "ca.key"))

	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority.certificate)
	pair, err := tls.X509KeyPair(client.certificate, client.key)
	if err != nil {
		t.Fatal(err)
	}
	requests := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}}}
	defer requests.CloseIdleConnections()
	s.until(t, time.Minute, "the other cluster's namespace kube-system", func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+api+"/api/v1/namespaces/kube-system", nil)
		if err != nil {
			return err
		}
		answer, err := requests.Do(request)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if _, err := io.Copy(io.Discard, answer.Body); err != nil {
			return err
		}
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("%s", answer.Status)
		}
		return nil
	})

	encoded := base64.StdEncoding.EncodeToString
	path := filepath.Join(dir, "kubeconfig")
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: other, cluster: {server: "https://%s", certificate-authority-data: %s}}]
users: [{name: operator, user: {client-certificate-data: %s, client-key-data: %s}}]
contexts: [{name: other, context: {cluster: other, user: operator}}]
current-context: other
`, api, encoded(authority.certificate), encoded(client.certificate), encoded(client.key))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// background runs a program until the test ends and keeps what it says in the logs.
func (s *suite) background(t *testing.T, name, program string, args ...string) {
	t.Helper()
	log, err := os.Create(filepath.Join(s.logs, name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.ctx)
	command := exec.CommandContext(ctx, program, args...)
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = command.Wait() // killed
		log.Close()
	})
}

// freeAddress is an address on loopback that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// keyPair is a certificate and its key, PEM.
type keyPair struct{ certificate, key []byte }

func (p keyPair) write(t *testing.T, stem string) {
	t.Helper()
	for path, content := range map[string][]byte{stem + ".crt": p.certificate, stem + ".key": p.key} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// authority is a CA for one test.
type authority struct {
	keyPair
	parsed *x509.Certificate
	signer *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	var a authority
	a.parsed = &x509.Certificate{
		Subject: pkix.Name{CommonName: "another kubernetes"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	a.keyPair = a.issue(t, a.parsed)
	return a
}

// issue signs a certificate; the first that an authority issues is its own.
func (a *authority) issue(t *testing.T, template *x509.Certificate) keyPair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if a.signer == nil {
		a.signer = key
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 64))
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, template.NotBefore, template.NotAfter = serial, time.Now().Add(-time.Minute), time.Now().Add(time.Hour)
	certificate, err := x509.CreateCertificate(rand.Reader, template, a.parsed, &key.PublicKey, a.signer)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return keyPair{
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}),
	}
}
