package acceptance

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"upkeep/acceptance/lab"
)

// leaf is a certificate by its file, with the authority that signed it.
type leaf struct{ path, authority string }

// leaves are all certificates that kubeadm renews.
var leaves = []leaf{
	{"/etc/kubernetes/pki/apiserver.crt", "ca"},
	{"/etc/kubernetes/pki/apiserver-kubelet-client.crt", "ca"},
	{"/etc/kubernetes/pki/front-proxy-client.crt", "front-proxy-ca"},
	{"/etc/kubernetes/pki/apiserver-etcd-client.crt", "etcd/ca"},
	{"/etc/kubernetes/pki/etcd/server.crt", "etcd/ca"},
	{"/etc/kubernetes/pki/etcd/peer.crt", "etcd/ca"},
	{"/etc/kubernetes/pki/etcd/healthcheck-client.crt", "etcd/ca"},
	{"/etc/kubernetes/admin.conf", "ca"},
	{"/etc/kubernetes/controller-manager.conf", "ca"},
	{"/etc/kubernetes/scheduler.conf", "ca"},
}

// Every certificate of every control plane has expired, and the operator's kubeconfig is a copy of an expired
// one as little as theirs: `plan` says so in its first line, `apply` brings the cluster back from cold to Ready without a person.
func testExpired(t *testing.T, s *suite) {
	everything := func(lab.Node) []leaf { return leaves }
	t.Run("etcd serves", func(t *testing.T) {
		s.expireEverything(t, everything)
		s.dark(t)
		s.bringBack(t, s.quiet)
	})
	if !everyPart(t) {
		return
	}
	t.Run("etcd has no majority either", func(t *testing.T) {
		s.expireEverything(t, everything)
		for _, n := range s.lab.Nodes {
			s.ssh(t, n.Name, "pkill -KILL -x etcd; true")
		}
		s.dark(t)
		time.Sleep(20 * time.Second) // the members are back by now, and do not find each other
		s.bringBack(t, s.quiet, "-override=cluster_configuration=it is what the lab was made with")
	})
}

// bringBack plans and applies, and holds the complete cluster to being well: nothing is left to do.
// ready waits until the cluster serves.
func (s *suite) bringBack(t *testing.T, ready func(*testing.T), more ...string) {
	t.Helper()
	d := s.declare(t, declaration{renewBefore: time.Hour})
	planned := d.run(t, "plan")
	first, _, _ := strings.Cut(strings.TrimSpace(planned.stdout), "\n")
	if !strings.Contains(first, "DOWN because its certificates expired") {
		t.Errorf("the first line of the plan: %s\n%s", first, planned.stdout)
	}
	if planned.code == 0 {
		t.Errorf("the plan exits 0 while the cluster is down")
	}
	began := time.Now()
	applied := d.run(t, append([]string{"apply", "-auto-approve"}, more...)...)
	t.Logf("figure: from an expired cluster to an applied plan: %s, exit %d", time.Since(began).Round(time.Second), applied.code)
	if applied.code != 0 {
		t.Errorf("apply: exit %d\n%s\n%s", applied.code, applied.stdout, applied.stderr)
	}
	ready(t)
	t.Logf("figure: from an expired cluster to Ready: %s", time.Since(began).Round(time.Second))
	if p, r := d.plan(t); len(p.nodes()) > 0 || len(p.Upkeep.Unknown) > 0 {
		t.Errorf("after the recovery there is still work on %v, exit %d\n%s", p.nodes(), r.code, r.stdout)
	}
}

// dark waits until no API server is taken for one by a client that looks at dates.
func (s *suite) dark(t *testing.T) {
	t.Helper()
	s.until(t, 3*time.Minute, "an API that is down", func(ctx context.Context) error {
		if err := s.lab.Ready(ctx, time.Time{}); err == nil {
			return fmt.Errorf("the cluster is still ready")
		}
		for _, n := range s.lab.Nodes {
			line := "kubectl --kubeconfig /etc/kubernetes/admin.conf --server https://" + n.IP + ":6443 --request-timeout=5s get --raw /livez"
			if _, err := s.lab.SSH(ctx, n.Name, line); err == nil {
				return fmt.Errorf("the API server of %s still answers", n.Name)
			}
		}
		return nil
	})
}

// expireEverything issues all leaves of every node again, with their own names and keys, so that they have ended.
func (s *suite) expireEverything(t *testing.T, leavesOf func(lab.Node) []leaf) {
	t.Helper()
	const kept = "/root/before-expiry.tar"
	for _, n := range s.lab.Nodes {
		s.ssh(t, n.Name, "cd / && tar -cpf "+kept+" etc/kubernetes $(ls -d etc/ssl/etcd 2>/dev/null)")
		// Whatever becomes of the part, the next one finds certificates that are valid.
		s.undo(t, n.Name, "openssl x509 -checkend 0 -noout -in /etc/kubernetes/pki/apiserver.crt || tar -C / -xpf "+kept+"; rm -f "+kept)
		signers := map[string]signer{}
		for _, leaf := range leavesOf(n) {
			ca, known := signers[leaf.authority]
			if !known {
				ca = s.signer(t, n.Name, leaf.authority)
				signers[leaf.authority] = ca
			}
			s.expire(t, n.Name, leaf.path, ca)
		}
	}
}

type signer struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

func (s *suite) signer(t *testing.T, node, name string) signer {
	t.Helper()
	block, _ := pem.Decode([]byte(s.ssh(t, node, "cat /etc/kubernetes/pki/"+name+".crt")))
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	// As PKCS #8, whatever kubeadm wrote.
	block, _ = pem.Decode([]byte(s.ssh(t, node, "openssl pkcs8 -topk8 -nocrypt -in /etc/kubernetes/pki/"+name+".key")))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal("the key of ", name, " cannot be read")
	}
	return signer{certificate, key.(crypto.Signer)}
}

// expire replaces the certificate of a file by one that has ended, and leaves its key and all else.
func (s *suite) expire(t *testing.T, node, path string, ca signer) {
	t.Helper()
	// The lab's authorities are not older than the lab: a certificate that ended before them would be wrong in another way, too.
	ended := time.Now().Add(-time.Minute).Truncate(time.Second)
	s.resign(t, node, path, ca, func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = ended.Add(c.NotBefore.Sub(c.NotAfter)), ended
	})
}

// resign replaces the certificate of a file by one that differs in what change does, and leaves its key and all else.
func (s *suite) resign(t *testing.T, node, path string, ca signer, change func(*x509.Certificate)) {
	t.Helper()
	text := s.ssh(t, node, "cat "+path)
	old := text
	embedded := strings.HasSuffix(path, ".conf")
	if embedded {
		_, after, _ := strings.Cut(text, "client-certificate-data: ")
		old, _, _ = strings.Cut(after, "\n")
		decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(old))
		if err != nil {
			t.Fatal(err)
		}
		old = string(decoded)
	}
	block, _ := pem.Decode([]byte(old))
	was, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	if err != nil {
		t.Fatal(err)
	}
	is := &x509.Certificate{
		SerialNumber: serial, Subject: was.Subject, NotBefore: was.NotBefore, NotAfter: was.NotAfter, KeyUsage: was.KeyUsage,
		ExtKeyUsage: was.ExtKeyUsage, DNSNames: was.DNSNames, IPAddresses: was.IPAddresses, BasicConstraintsValid: true,
	}
	change(is)
	der, err := x509.CreateCertificate(rand.Reader, is, ca.certificate, was.PublicKey, ca.key)
	if err != nil {
		t.Fatal(err)
	}
	made := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	mode := "644"
	if embedded {
		encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
		made, mode = strings.Replace(text, encode(old), encode(made), 1), "600"
	}
	s.put(t, node, path, mode, []byte(made))
}
