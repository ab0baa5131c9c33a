package acceptance

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// fault is something wrong with the certificates of a control plane that really happened to somebody.
type fault struct {
	name string
	seed func(t *testing.T, s *suite)
	want string // the finding's id
}

// faultyNode has the faults: not the first control plane, whose API server the others' answers do not depend on.
const faultyNode = "n3"

// faults are seeded one at a time.
var faults = []fault{
	{"the API server's certificate lacks the node's address", reissued("apiserver.crt", "ca", func(c *x509.Certificate) {
		c.IPAddresses = slices.DeleteFunc(slices.Clone(c.IPAddresses), func(ip net.IP) bool { return ip.String() == "10.77.0.13" })
	}), "CERT_SAN_MISSING"},
	{"a client certificate has ended", reissued("front-proxy-client.crt", "front-proxy-ca", func(c *x509.Certificate) {
		c.NotAfter = time.Now().Add(-time.Second) // and not before its authority began
	}), "CERT_EXPIRED"},
	{"a certificate is not valid yet", reissued("front-proxy-client.crt", "front-proxy-ca", func(c *x509.Certificate) {
		c.NotBefore = time.Now().Add(time.Hour)
	}), "CERT_NOT_YET_VALID"},
	{"a certificate outlives its authority", reissued("front-proxy-client.crt", "front-proxy-ca", func(c *x509.Certificate) {
		c.NotAfter = time.Now().AddDate(40, 0, 0)
	}), "CERT_OUTLIVES_AUTHORITY"},
	{"a certificate is of another authority", reissued("apiserver-kubelet-client.crt", "front-proxy-ca", func(*x509.Certificate) {}),
		"CERT_CHAIN_BROKEN"},
	{"the API server's client certificate has no group", reissued("apiserver-kubelet-client.crt", "ca", func(c *x509.Certificate) {
		c.Subject.Organization = nil
	}), "CERT_IDENTITY_WRONG"},
	{"admin.conf is of another group", reissued("../admin.conf", "ca", func(c *x509.Certificate) {
		c.Subject.Organization = []string{"developers"}
	}), "CERT_IDENTITY_WRONG"},
	{"etcd's peer certificate is for servers alone", reissued("etcd/peer.crt", "etcd/ca", func(c *x509.Certificate) {
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}), "CERT_USAGE_WRONG"},
	{"admin.conf trusts another authority", shell(`sed -i "s/certificate-authority-data: .*/certificate-authority-data: $(base64 -w0 front-proxy-ca.crt)/" ../admin.conf`),
		"CERT_KUBECONFIG_FOREIGN"},
	{"ca.key is missing", shell(`rm ca.key`), "CERT_AUTHORITY_KEY_MISSING"},
	{"etcd/ca.key is missing", shell(`rm etcd/ca.key`), "CERT_AUTHORITY_KEY_MISSING"},
	{"ca.crt differs from the others", shell(`cat front-proxy-ca.crt >>ca.crt`), "CERT_AUTHORITY_DIFFERS"},
	{"sa.key can be read by everybody", shell(`chmod 0644 sa.key`), "CERT_KEY_EXPOSED"},
	{"sa.key is missing", shell(`rm sa.key`), "CERT_SERVICE_ACCOUNT_KEY"},
	{"sa.key is another one", shell(`openssl genrsa -out sa.key 2048 2>/dev/null; openssl rsa -in sa.key -pubout -out sa.pub 2>/dev/null`),
		"CERT_SERVICE_ACCOUNT_KEY"},
	{"a key belongs to somebody else", shell(`chown nobody apiserver.key`), "CERT_OWNER_FOREIGN"},
	{"a key is not the certificate's", shell(`openssl genrsa -out front-proxy-client.key 2048 2>/dev/null`), "CERT_KEY_MISMATCH"},
	{"a certificate is missing", shell(`rm front-proxy-client.crt`), "CERT_MISSING"},
	{"a certificate is cut off", shell(`truncate -s 300 front-proxy-client.crt`), "CERT_UNREADABLE"},
	{"a file is huge", shell(`truncate -s 200M front-proxy-client.crt`), "CERT_UNREADABLE"},
	{"a key is encrypted", shell(`openssl rsa -aes256 -passout pass:x -in front-proxy-client.key -out k 2>/dev/null; mv k front-proxy-client.key`),
		"CERT_UNREADABLE"},
	{"an expired certificate is appended", shell(`openssl req -x509 -newkey rsa:2048 -nodes -keyout /dev/null -subj /CN=old -days 1 \
  -not_before 20200101000000Z -not_after 20200102000000Z 2>/dev/null >>front-proxy-client.crt ||
  { openssl req -newkey rsa:2048 -nodes -keyout k -subj /CN=old -out r 2>/dev/null; openssl x509 -req -in r -signkey k -days -1 2>/dev/null >>front-proxy-client.crt; rm -f k r; }`),
		"CERT_APPENDED_EXPIRED"},
	{"kubelet.conf has a certificate of its own, which has ended", shell(`openssl req -newkey rsa:2048 -nodes -keyout k -subj "/O=system:nodes/CN=system:node:` +
		faultyNode + `" -out r 2>/dev/null
openssl x509 -req -in r -CA ca.crt -CAkey ca.key -CAcreateserial -days -1 -out c 2>/dev/null
sed -i -e "s#client-certificate: .*#client-certificate-data: $(base64 -w0 c)#" -e "s#client-key: .*#client-key-data: $(base64 -w0 k)#" ../kubelet.conf
rm -f k r c ca.srl`), "CERT_KUBELET_EMBEDDED"},
	{"lines end as on Windows", shell(`sed -i 's/$/\r/' front-proxy-client.crt`), ""},
	// The API server of the node ends for want of etcd.
	{"etcd's certificate lacks 127.0.0.1", reissued("etcd/server.crt", "etcd/ca", func(c *x509.Certificate) {
		c.IPAddresses = slices.DeleteFunc(slices.Clone(c.IPAddresses), func(ip net.IP) bool { return ip.IsLoopback() })
	}), "CERT_SAN_MISSING"},
	{"etcd's peer certificate lacks the node's address", reissued("etcd/peer.crt", "etcd/ca", func(c *x509.Certificate) {
		c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	}), "CERT_SAN_MISSING"},
}

// reissued seeds a certificate that differs in what change does.
func reissued(file, authority string, change func(*x509.Certificate)) func(*testing.T, *suite) {
	return func(t *testing.T, s *suite) {
		t.Helper()
		s.resign(t, faultyNode, "/etc/kubernetes/pki/"+file, s.signer(t, faultyNode, authority), change)
	}
}

// shell seeds a fault by a script in the directory of certificates.
func shell(script string) func(*testing.T, *suite) {
	return func(t *testing.T, s *suite) {
		t.Helper()
		s.ssh(t, faultyNode, "set -e; cd /etc/kubernetes/pki\n"+script)
	}
}

// Each fault is told by its own name and by no other, on a node that really runs with it; kubeadm's own report stands beside it.
func testFaults(t *testing.T, s *suite) {
	const kept = "/root/before-faults.tar"
	d := s.declare(t, declaration{renewBefore: time.Hour})
	d.empty(t)
	s.ssh(t, faultyNode, "tar -C / -cpf "+kept+" etc/kubernetes")
	// A kubelet that starts anew forgets how long it meant to wait before it starts what has ended often.
	back := "cd /etc/kubernetes && rm -rf pki && tar -C / -xpf " + kept + " && systemctl restart kubelet"
	s.undo(t, faultyNode, "if [ -e "+kept+" ]; then "+back+" && rm -f "+kept+"; fi")
	whole, _ := s.checkExpiration(t)

	named, byKubeadm, table := 0, 0, ""
	for _, f := range faults {
		f.seed(t, s)
		p, r := d.plan(t)
		var ids []string
		for _, found := range p.Upkeep.Findings {
			if strings.HasSuffix(found.Address, "@"+faultyNode) && !slices.Contains(ids, found.ID) {
				ids = append(ids, found.ID)
			}
		}
		// What etcd or the API says meanwhile is told of the node, but never instead.
		switch right := f.want == "" && len(ids) == 0 || slices.Contains(ids, f.want); {
		case !right:
			t.Errorf("%s: findings %v, want %q (exit %d)", f.name, ids, f.want, r.code)
		case slices.Contains(ids, "ETCD_UNHEALTHY"), slices.Contains(ids, "WRONG_CLUSTER"):
			t.Errorf("%s: it is named right and by a false name: %v", f.name, ids)
		default:
			named++
		}
		said, failed := s.checkExpiration(t)
		verdict := "nothing"
		if f.want != "" && (failed || said != whole) {
			byKubeadm++
			verdict = "something"
		}
		table += fmt.Sprintf("%-60s  %-40s  %s\n", f.name, strings.Join(ids, " "), verdict)
		s.ssh(t, faultyNode, back)
		s.until(t, 6*time.Minute, "a cluster that is ready", func(ctx context.Context) error { return s.lab.Ready(ctx, time.Time{}) })
	}
	t.Logf("figure: of %d faults upkeep names %d right, and kubeadm's report shows something of %d\n%s", len(faults), named, byKubeadm, table)
	d.empty(t)
}

// checkExpiration is what kubeadm says of certificates without their ends and what is left, and whether it failed.
func (s *suite) checkExpiration(t *testing.T) (said string, failed bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, 30*time.Second)
	defer cancel()
	out, err := s.lab.SSH(ctx, faultyNode, "kubeadm certs check-expiration 2>&1 | grep -v '^\\[' | sed -E 's/[A-Z][a-z]{2} [0-9]{2}, [0-9]{4} [0-9:]+ UTC +[0-9]+[a-z]+//'")
	return string(out), err != nil || strings.Contains(string(out), "error")
}
