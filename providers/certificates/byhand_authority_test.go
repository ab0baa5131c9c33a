package certificates_test

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	fixture "upkeep/fixtures/pki"
	"upkeep/fixtures/worlds"
	"upkeep/providers"
	"upkeep/providers/certificates"
	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/pki"
)

// kubespray's etcd is not kubeadm's: its runbook has commands of openssl, which issue what there was for another time.
func TestByHandIssuesKubespraysEtcdAgain(t *testing.T) {
	tree, err := fixture.NewKubeadmTree(t.TempDir(), fixture.Options{
		Kubespray: true, Name: "cp1", Now: time.Now(), Validity: 10 * day,
	})
	if err != nil {
		t.Fatal(err)
	}
	d, err := disk.Open(tree.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	w := worlds.Kubespray(1, time.Now())
	n := w.Nodes["cp1"]
	n.Certificates = pki.Collect(d, facts.CertificatesQuestion{Layout: "auto"})
	for i := range n.Certificates.Files {
		f := &n.Certificates.Files[i]
		f.Path = filepath.Join(tree.Dir, f.Path)
		if f.KeyPath != "" {
			f.KeyPath = filepath.Join(tree.Dir, f.KeyPath)
		}
	}
	declared := config.Desired{Nodes: worlds.Nodes(1)}
	in := providers.Input{World: w, Now: time.Now(), Inventory: providers.NewInventory(declared, facts.World{})}
	args := []byte(`{"names": ["etcd-member", "etcd-admin"]}`)
	step := providers.Step{Node: "cp1", Operation: certificates.OperationRenew, Args: args}
	archived := strings.TrimPrefix(filepath.Join(tree.Dir, fixture.EtcdDir), "/")
	var run string
	for _, c := range certificates.Type().Effects[step.Operation].ByHand(in, step) {
		if strings.Contains(c.Run, "kubeadm") {
			t.Errorf("kubeadm does not know these certificates:\n%s", c.Run)
		}
		if strings.HasPrefix(c.What, "save") && !strings.Contains(c.Run, archived) {
			t.Errorf("the archive lacks etcd's files:\n%s", c.Run)
		}
		if strings.HasPrefix(c.What, "issue ") {
			run = c.Run
		}
	}
	if run == "" {
		t.Fatal("no commands that issue a certificate")
	}
	syntax(t, run)
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("no openssl here to run them")
	}
	run = strings.ReplaceAll(run, "/root/upkeep-runbook", t.TempDir())
	names := []string{"member-cp1", "admin-cp1"}
	before := map[string]*x509.Certificate{}
	for _, name := range names {
		before[name] = readLeaf(t, tree, name)
	}
	shell := func() string {
		check := exec.CommandContext(t.Context(), "sh", "-eu")
		check.Stdin = strings.NewReader(run)
		out, err := check.CombinedOutput()
		if err != nil {
			return string(out) + err.Error()
		}
		return ""
	}
	if said := shell(); said != "" {
		t.Fatal(said)
	}
	for _, name := range names {
		was, is := before[name], readLeaf(t, tree, name)
		lives := !is.NotAfter.Before(was.NotAfter.Add(-day)) && is.NotAfter.Before(time.Now().Add(11*day))
		if is.SerialNumber.Cmp(was.SerialNumber) == 0 || !lives {
			t.Errorf("%s: serial %s, ends %s", name, is.SerialNumber, is.NotAfter)
		}
		said := func(c *x509.Certificate) []any {
			var ips []string
			for _, ip := range c.IPAddresses {
				ips = append(ips, ip.String())
			}
			usages := slices.Clone(c.ExtKeyUsage)
			slices.Sort(usages)
			return []any{c.Subject.String(), c.Issuer.String(), c.DNSNames, ips, usages, c.KeyUsage, c.IsCA, c.RawSubjectPublicKeyInfo}
		}
		if diff := cmp.Diff(said(was), said(is)); diff != "" {
			t.Errorf("%s (-old +new):\n%s", name, diff)
		}
		if err := is.CheckSignatureFrom(tree.Authorities["etcd-ca"].Certificate); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		info, err := os.Stat(pemOf(tree, name))
		if err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

func pemOf(tree *fixture.Tree, name string) string {
	return filepath.Join(tree.Dir, fixture.EtcdDir, name+".pem")
}

func readLeaf(t *testing.T, tree *fixture.Tree, name string) *x509.Certificate {
	t.Helper()
	text, err := os.ReadFile(pemOf(tree, name))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatalf("%s: no PEM", name)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}
