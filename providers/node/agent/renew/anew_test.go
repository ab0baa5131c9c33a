package renew_test

import (
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	fixture "upkeep/fixtures/pki"
)

// initPhase does what `kubeadm init phase certs NAME` does in an empty tree, with one name more than the old certificates have; with
// clusterName loses-names the certificate has fewer.
func initPhase(name, root string) int {
	text, err := os.ReadFile(filepath.Join(root, "upkeep-kubeadm.yaml"))
	if err != nil || !strings.Contains(string(text), "name: cp1") {
		fmt.Fprintln(os.Stderr, "error: no configuration with the node's name")
		return 1
	}
	if _, err := os.Stat(filepath.Join(root, "etc/kubernetes/pki", name+".crt")); err == nil {
		fmt.Println("[certs] Using existing certificate")
		return 0
	}
	other := filepath.Join(root, "other")
	signer, err := fixture.ReadAuthority(filepath.Join(root, "etc/kubernetes/pki/ca"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		return 1
	}
	made, err := fixture.NewKubeadmTree(other, fixture.Options{
		CAs: &fixture.Tree{Authorities: map[string]fixture.Authority{"ca": signer, "etcd-ca": signer, "front-proxy-ca": signer}},
		Change: map[string]func(*x509.Certificate){name: func(c *x509.Certificate) {
			c.IPAddresses = append(c.IPAddresses, net.ParseIP("10.0.0.99"))
			if strings.Contains(string(text), "clusterName: loses-names") {
				c.DNSNames = nil
			}
		}},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		return 1
	}
	for _, end := range []string{".crt", ".key"} {
		data, err := os.ReadFile(filepath.Join(made.Dir, "etc/kubernetes/pki", name+end))
		if err == nil {
			err = os.WriteFile(filepath.Join(root, "etc/kubernetes/pki", name+end), data, 0o600)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			return 1
		}
	}
	return 0
}

// A certificate that lacks a name is made anew with it, and keeps every other one.
func TestSANsAreAdded(t *testing.T) {
	for name, test := range map[string]struct{ configuration, missing, want string }{
		"added":              {configuration, "10.0.0.99", ""},
		"not the node's":     {configuration, "10.0.0.7", "it still lacks 10.0.0.7"},
		"a name would go":    {strings.Replace(configuration, "clusterName: kubernetes", "clusterName: loses-names", 1), "10.0.0.99", "it would lose the name"},
		"no serving of ours": {configuration, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := node(t, fixture.Options{})
			q := request(t, dir, "apiserver")
			q.ClusterConfiguration = test.configuration
			if test.missing != "" {
				q.SANs = map[string][]string{"apiserver": {test.missing}}
			}
			old := certificate(t, dir, "etc/kubernetes/pki/apiserver.crt")
			_, err := renewer(t, dir).Run(t.Context(), q, func(string) {})
			now := certificate(t, dir, "etc/kubernetes/pki/apiserver.crt")
			has := slices.ContainsFunc(now.IPAddresses, net.ParseIP("10.0.0.99").Equal)
			switch {
			case test.want != "":
				if err == nil || !strings.Contains(err.Error(), test.want) || now.SerialNumber.Cmp(old.SerialNumber) != 0 {
					t.Errorf("%v, serial %s", err, now.SerialNumber)
				}
			case err != nil || has != (test.missing != ""):
				t.Errorf("%v; names %v", err, now.IPAddresses)
			}
			healthy(t, observe(t, dir))
		})
	}
}
