package renew_test

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
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

func observeAuto(t testing.TB, dir string) facts.Certificates {
	t.Helper()
	d, err := disk.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	c := pki.Collect(d, facts.CertificatesQuestion{Layout: "auto"})
	c.Unfinished = renew.Unfinished(d)
	return c
}

// kubeadm works in kubespray's directory, and the PEM files of etcd are issued again with everything that they say.
func TestRenewKubespray(t *testing.T) {
	dir := node(t, fixture.Options{Kubespray: true})
	before := observeAuto(t, dir)
	old := certificate(t, dir, "etc/ssl/etcd/ssl/member-cp1.pem")
	key := read(t, dir, "etc/ssl/etcd/ssl/member-cp1-key.pem")
	names := []string{"apiserver", "admin.conf", "etcd-member", "etcd-admin", "etcd-node"}
	q := protocol.RenewRequest{
		Step: "certificates.control_plane@cp1/renew", Names: names, Serials: serials(before),
		ClusterConfiguration: strings.Replace(configuration, "/etc/kubernetes/pki", "/etc/kubernetes/ssl", 1),
	}
	if _, err := renewer(t, dir).Run(t.Context(), q, func(string) {}); err != nil {
		t.Fatal(err)
	}
	after := observeAuto(t, dir)
	healthy(t, after)
	for _, name := range names {
		if serials(after)[name] == serials(before)[name] {
			t.Errorf("%s has its old serial", name)
		}
	}
	now := certificate(t, dir, "etc/ssl/etcd/ssl/member-cp1.pem")
	kept := func(c *x509.Certificate) []any {
		return []any{c.Subject.String(), c.DNSNames, c.IPAddresses, c.ExtKeyUsage, c.KeyUsage, c.PublicKey, c.IsCA}
	}
	if diff := cmp.Diff(kept(old), kept(now)); diff != "" {
		t.Errorf("etcd-member says something else (-before +after)\n%s", diff)
	}
	if now.KeyUsage != 0 {
		t.Errorf("etcd-member has keyUsage %d", now.KeyUsage)
	}
	if again := read(t, dir, "etc/ssl/etcd/ssl/member-cp1-key.pem"); again != key {
		t.Error("the key of etcd-member is another one")
	}
	if life := now.NotAfter.Sub(now.NotBefore); life < 10*24*time.Hour || life > 11*24*time.Hour {
		t.Errorf("etcd-member lives %s, and had 10 days", life)
	}
	info, err := os.Stat(filepath.Join(dir, "etc/ssl/etcd/ssl/member-cp1.pem"))
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("etcd-member has mode %v, %v", info.Mode(), err)
	}
}

// A certificate of 100 years under a CA of ten ends with the CA.
func TestIssueEndsWithTheCA(t *testing.T) {
	dir := t.TempDir()
	made, err := fixture.NewKubeadmTree(dir, fixture.Options{Kubespray: true, Change: map[string]func(*x509.Certificate){
		"etcd-member": func(c *x509.Certificate) {
			c.NotBefore = time.Now().AddDate(-100, 0, 0)
			c.NotAfter = time.Now().AddDate(0, 0, 3)
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "var/lib"), 0o755); err != nil {
		t.Fatal(err)
	}
	q := protocol.RenewRequest{Step: "s", Names: []string{"etcd-member"}, Serials: serials(observeAuto(t, dir))}
	if _, err := renewer(t, dir).Run(t.Context(), q, func(string) {}); err != nil {
		t.Fatal(err)
	}
	if got, want := certificate(t, dir, "etc/ssl/etcd/ssl/member-cp1.pem").NotAfter, made.Authorities["etcd-ca"].Certificate.NotAfter; !got.Equal(want) {
		t.Errorf("it ends %s, its CA %s", got, want)
	}
}

// Only the holder of the CA's key can issue, and the refusal names the file.
func TestIssueNeedsTheCAsKey(t *testing.T) {
	dir := node(t, fixture.Options{Kubespray: true, Faults: map[string]fixture.Fault{"etcd-ca": fixture.NoKey}})
	q := protocol.RenewRequest{Step: "s", Names: []string{"etcd-member"}, Serials: serials(observeAuto(t, dir))}
	_, err := renewer(t, dir).Run(t.Context(), q, func(string) {})
	if err == nil || !strings.Contains(err.Error(), "/etc/ssl/etcd/ssl/ca-key.pem is not on this node") {
		t.Errorf("got %v", err)
	}
}

func read(t testing.TB, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func certificate(t testing.TB, dir, name string) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode([]byte(read(t, dir, name)))
	if block == nil {
		t.Fatalf("no PEM in %s", name)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}
