package lab

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestGeneratedFiles(t *testing.T) {
	j := joining{token: "abcdef.0123456789abcdef", certificateKey: strings.Repeat("0f", 32), caHash: "sha256:" + strings.Repeat("ab", 32)}
	initial, err := initConfig(controlPlanes[0], j, 36*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	join, err := joinConfig(controlPlanes[1], j)
	if err != nil {
		t.Fatal(err)
	}
	j.certificateKey = ""
	worker, err := joinConfig(workers[0], j)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"kubeadm-init.golden":        initial,
		"kubeadm-join.golden":        join,
		"kubeadm-join-worker.golden": worker,
		"ssh_config.golden":          sshConfig("/lab/state"),
		"hosts.golden":               hostsFile(slices.Concat(controlPlanes, workers)),
		"cni.golden":                 cniConfig(controlPlanes[2]),
		"balancer.golden":            balancerUnit(controlPlanes),
		"containerd.golden":          containerdConfig("registry.k8s.io/pause:3.10.1"),
	} {
		t.Run(name, func(t *testing.T) { golden(t, name, text) })
	}
}

// kubeadm refuses a token or key of another form, and two clusters must not share one.
func TestJoiningSecrets(t *testing.T) {
	a, b := newJoining(), newJoining()
	if !regexp.MustCompile(`^[a-z0-9]{6}\.[a-z0-9]{16}$`).MatchString(a.token) {
		t.Error("the token has not the form of a bootstrap token")
	}
	if !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(a.certificateKey) {
		t.Error("the certificate key is not 32 bytes in hex")
	}
	if a.token == b.token || a.certificateKey == b.certificateKey {
		t.Error("two clusters got the same secret")
	}
}

func TestPublicKeyHash(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(public)
	got, err := publicKeyHash(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	if want := "sha256:" + hex.EncodeToString(sum[:]); err != nil || got != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	if _, err := publicKeyHash("nothing"); !fails(err, "no PEM block") {
		t.Errorf("no PEM: %v", err)
	}
}

func TestParseExpiration(t *testing.T) {
	text, err := os.ReadFile("testdata/check-expiration.json")
	if err != nil {
		t.Fatal(err)
	}
	all, err := ParseExpiration(text)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range append(all.Certificates, all.Authorities...) {
		names = append(names, c.Name)
	}
	want := []string{
		"admin.conf", "apiserver", "apiserver-etcd-client", "apiserver-kubelet-client", "controller-manager.conf",
		"etcd-healthcheck-client", "etcd-peer", "etcd-server", "front-proxy-client", "scheduler.conf", "super-admin.conf",
		"ca", "etcd-ca", "front-proxy-ca",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	first := ExpiringCertificate{Name: "admin.conf", Expires: time.Date(2026, 12, 22, 7, 23, 7, 0, time.UTC), Residual: Seconds(2591901 * time.Second), Authority: "ca"}
	if diff := cmp.Diff(first, all.Certificates[0]); diff != "" {
		t.Errorf("admin.conf (-want +got):\n%s", diff)
	}
}

func TestParseExpirationOfBadCertificates(t *testing.T) {
	const text = `{"kind":"CertificateExpirationInfo","certificates":[
		{"name":"apiserver","expirationDate":"2026-11-22T07:11:42Z","residualTime":-35,"caName":"ca"},
		{"name":"admin.conf","expirationDate":null,"residualTime":0,"missing":true}]}`
	all, err := ParseExpiration([]byte(text))
	want := Expiration{Certificates: []ExpiringCertificate{
		{Name: "apiserver", Expires: time.Date(2026, 11, 22, 7, 11, 42, 0, time.UTC), Residual: Seconds(-35 * time.Second), Authority: "ca"},
		{Name: "admin.conf", Missing: true},
	}}
	if diff := cmp.Diff(want, all); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func FuzzParseExpiration(f *testing.F) {
	for _, seed := range []string{
		"", "null", `{"kind":"CertificateExpirationInfo"}`,
		`{"kind":"CertificateExpirationInfo","certificates":[{"name":"a","residualTime":9223372036854775807}]}`,
		`{"kind":"CertificateExpirationInfo","certificates":[{"name":"a","expirationDate":null,"missing":true}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := ParseExpiration(text)
		if err == nil && len(all.Certificates) == 0 {
			t.Error("accepted an answer that names no certificate")
		}
		for _, c := range all.Certificates {
			if time.Duration(c.Residual)%time.Second != 0 {
				t.Errorf("%s: %v is no whole number of seconds: it overflowed", c.Name, c.Residual)
			}
		}
	})
}

func TestParseKubeconfigRefuses(t *testing.T) {
	for _, test := range []struct{ name, text, fail string }{
		{"nothing", "", "found 0 and 0"},
		{"no YAML", "\t:", "yaml"},
		{"no CA", "clusters: [{}]\nusers: [{}]\n", "no CA certificate"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := parseKubeconfig([]byte(test.text)); !fails(err, test.fail) {
				t.Errorf("got %v, want an error with %q", err, test.fail)
			}
		})
	}
}

// What the API says of the time before a power cycle must not pass for the time after it.
func TestSettledBelievesOnlyWhatIsNew(t *testing.T) {
	boot := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	var old, fresh leaseList
	for list, renewed := range map[*leaseList]time.Time{&old: boot.Add(-time.Second), &fresh: boot.Add(time.Second)} {
		list.Items = append(list.Items, struct {
			Metadata objectName `json:"metadata"`
			Spec     struct {
				RenewTime time.Time `json:"renewTime"`
			} `json:"spec"`
		}{Metadata: objectName{"n1"}})
		list.Items[0].Spec.RenewTime = renewed
	}
	if err := fresh.missing([]string{"n1"}, boot); err != nil {
		t.Errorf("a lease renewed after the boot: %v", err)
	}
	if err := old.missing([]string{"n1"}, boot); !fails(err, "n1") {
		t.Errorf("a lease renewed before the boot was believed: %v", err)
	}
	if err := fresh.missing([]string{"n1", "n2"}, boot); !fails(err, "n2") {
		t.Errorf("an absent lease was believed: %v", err)
	}
}

func TestUntil(t *testing.T) {
	tries := 0
	if err := until(t.Context(), time.Minute, time.Microsecond, "it", func(context.Context) error {
		if tries++; tries < 3 {
			return errors.New("not yet")
		}
		return nil
	}); err != nil || tries != 3 {
		t.Errorf("got %v after %d tries", err, tries)
	}
	err := until(t.Context(), 5*time.Millisecond, time.Millisecond, "the sea to part", func(context.Context) error { return errors.New("still wet") })
	if !fails(err, "the sea to part") || !fails(err, "still wet") {
		t.Errorf("got %v, want what was waited for and the last reason", err)
	}
}
