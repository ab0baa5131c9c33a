package acceptance

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"upkeep/acceptance/lab"
)

// The cluster as kubespray would have made it: /etc/kubernetes/pki is a link to ssl, etcd is a service of systemd with PEM files
// of its own, and a timer renews certificates without upkeep. What is due of etcd is issued again, one control plane at a time.
func testKubespray(t *testing.T, s *suite) {
	for _, n := range s.lab.Nodes {
		s.makeKubespray(t, n)
	}
	s.configureKubespray(t)
	d := s.declare(t, declaration{renewBefore: 48 * time.Hour})
	planned := d.run(t, "plan").want(t, 0)
	for _, want := range []string{"CERT_FOREIGN_RENEWAL", "etcd-member", "etcd-admin", "etcd-node"} {
		if !strings.Contains(planned.stdout, want) {
			t.Errorf("the plan does not speak of %s:\n%s", want, planned.stdout)
		}
	}
	for _, wrong := range []string{"CERT_MISSING", "CERT_LAYOUT_UNKNOWN", "CERT_UNREADABLE", "CERT_ETCD_UNKNOWN", "NODE_CONTROL_PLANE_BROKEN"} {
		if strings.Contains(planned.stdout, wrong) {
			t.Errorf("the plan speaks of %s:\n%s", wrong, planned.stdout)
		}
	}
	before := map[string]string{}
	for _, n := range s.lab.Nodes {
		before[n.Name] = s.pemSerial(t, n.Name)
	}
	d.run(t, "apply", "-auto-approve").want(t, 0)
	for _, n := range s.lab.Nodes {
		if now := s.pemSerial(t, n.Name); now == before[n.Name] {
			t.Errorf("%s: etcd's certificate is still %s", n.Name, now)
		}
		usage := s.ssh(t, n.Name, "openssl x509 -noout -ext keyUsage,extendedKeyUsage -in "+pemOf("member", n)+" 2>&1; true")
		if strings.Contains(usage, "X509v3 Key Usage") || !strings.Contains(usage, "Web Server") || !strings.Contains(usage, "Web Client") {
			t.Errorf("%s: usages of etcd's new certificate:\n%s", n.Name, usage)
		}
		for _, port := range []string{"2379", "2380"} {
			const offered = "timeout 10 openssl s_client -connect %s:%s </dev/null 2>/dev/null | openssl x509 -noout -serial"
			if got := strings.TrimSpace(s.ssh(t, n.Name, fmt.Sprintf(offered, n.IP, port))); got != s.pemSerial(t, n.Name) {
				t.Errorf("%s: port %s serves %s, on disk is %s", n.Name, port, got, s.pemSerial(t, n.Name))
			}
		}
	}
	if p, _ := d.plan(t); len(p.nodes()) > 0 {
		t.Errorf("after the renewal there is still work on %v", p.nodes())
	}
	t.Run("everything has expired", func(t *testing.T) {
		s.expireEverything(t, kubesprayLeaves)
		// What is old in memory serves on; a host that restarts etcd is how operators learn of it.
		for _, n := range s.lab.Nodes {
			s.ssh(t, n.Name, "systemctl restart --no-block etcd.service")
		}
		s.dark(t)
		s.bringBack(t, s.servesEverywhere)
	})
}

// servesEverywhere waits until every API server and every node is ready, and asks for no static pod of etcd.
func (s *suite) servesEverywhere(t *testing.T) {
	t.Helper()
	s.until(t, 6*time.Minute, "API servers and nodes that are ready", func(ctx context.Context) error {
		for _, n := range s.lab.Nodes {
			kubectl := "kubectl --kubeconfig /etc/kubernetes/admin.conf --server https://" + n.IP + ":6443 --request-timeout=5s "
			if _, err := s.lab.SSH(ctx, n.Name, kubectl+"get --raw /readyz"); err != nil {
				return err
			}
			waited := kubectl + "wait --for=condition=Ready --timeout=1s node/" + n.Name
			if _, err := s.lab.SSH(ctx, n.Name, waited); err != nil {
				return err
			}
		}
		return nil
	})
}

// kubesprayLeaves are the certificates of a node whose etcd is a service.
func kubesprayLeaves(n lab.Node) []leaf {
	out := []leaf{{pemOf("member", n), "etcd/ca"}, {pemOf("admin", n), "etcd/ca"}, {pemOf("node", n), "etcd/ca"}}
	for _, l := range leaves {
		if l.authority != "etcd/ca" {
			out = append(out, l)
		}
	}
	return out
}

func pemOf(kind string, n lab.Node) string {
	return "/etc/ssl/etcd/ssl/" + kind + "-" + n.Name + ".pem"
}

func (s *suite) pemSerial(t *testing.T, node string) string {
	t.Helper()
	return strings.TrimSpace(s.ssh(t, node, "openssl x509 -noout -serial -in /etc/ssl/etcd/ssl/member-"+node+".pem"))
}

// makeKubespray turns one control plane into one of kubespray's, and back when the part ends. The other members of etcd go on.
func (s *suite) makeKubespray(t *testing.T, n lab.Node) {
	t.Helper()
	const kept = "/root/before-kubespray"
	// What kubespray's manifests started is ended by hand: a kubelet that starts anew ends no pod that it does not know before it
	// reaches the API, and the port is taken meanwhile.
	s.undo(t, n.Name, `if [ -d `+kept+` ]; then
  systemctl stop kubelet etcd.service || true
  pkill -KILL -f '^kube-(apiserver|controller-manager) ' || true
  rm -rf /etc/systemd/system/etcd.service /etc/etcd.env /etc/ssl/etcd /usr/local/bin/k8s-certs-renew.sh /etc/systemd/system/k8s-certs-renew.timer /etc/systemd/system/timers.target.wants/k8s-certs-renew.timer
  rm -rf /etc/kubernetes && mv `+kept+` /etc/kubernetes
  systemctl daemon-reload; systemctl start kubelet
fi`)
	ca := s.signer(t, n.Name, "etcd/ca")
	s.ssh(t, n.Name, `set -e
rm -rf `+kept+`; cp -a /etc/kubernetes `+kept+`
cp /proc/$(pgrep -xo etcd)/exe /usr/local/bin/etcd; chmod 0755 /usr/local/bin/etcd
mkdir -p -m 0700 /etc/ssl/etcd/ssl
cp -p /etc/kubernetes/pki/etcd/ca.crt /etc/ssl/etcd/ssl/ca.pem
cp -p /etc/kubernetes/pki/etcd/ca.key /etc/ssl/etcd/ssl/ca-key.pem
mv /etc/kubernetes/pki /etc/kubernetes/ssl; ln -s ssl /etc/kubernetes/pki`)
	for _, kind := range []string{"member", "admin", "node"} {
		cert, key := etcdPEM(t, ca, kind, n)
		s.sshInput(t, n.Name, "cat >"+pemOf(kind, n), cert)
		s.sshInput(t, n.Name, "umask 077; cat >"+strings.TrimSuffix(pemOf(kind, n), ".pem")+"-key.pem", key)
	}
	s.sshInput(t, n.Name, "umask 077; cat >/etc/etcd.env", etcdEnv(n))
	s.sshInput(t, n.Name, "cat >/etc/systemd/system/etcd.service", etcdService)
	s.sshInput(t, n.Name, "cat >/usr/local/bin/k8s-certs-renew.sh", "#!/bin/bash\nkubeadm certs renew all\n# residualTime\n")
	s.sshInput(t, n.Name, "cat >/etc/systemd/system/k8s-certs-renew.timer", "[Timer]\nOnCalendar=Mon *-*-1,2,3,4,5,6,7 03:00:00\n\n[Install]\nWantedBy=timers.target\n")
	s.ssh(t, n.Name, `set -e
mkdir -p /etc/systemd/system/timers.target.wants
ln -sf ../k8s-certs-renew.timer /etc/systemd/system/timers.target.wants/k8s-certs-renew.timer
mv /etc/kubernetes/manifests/etcd.yaml /root/etcd.yaml.stacked
i=0; while pgrep -x etcd >/dev/null; do i=$((i+1)); [ $i -lt 600 ] || exit 1; sleep 0.1; done
systemctl daemon-reload; systemctl start etcd.service
cd /etc/kubernetes/manifests
sed -i -e 's#/etc/kubernetes/pki/etcd/ca.crt#/etc/ssl/etcd/ssl/ca.pem#; s#/etc/kubernetes/pki/apiserver-etcd-client.crt#`+pemOf("node", n)+`#' \
  -e 's#/etc/kubernetes/pki/apiserver-etcd-client.key#`+strings.TrimSuffix(pemOf("node", n), ".pem")+`-key.pem#' \
  -e 's#/etc/kubernetes/pki#/etc/kubernetes/ssl#g' kube-controller-manager.yaml kube-apiserver.yaml
sed -i -e '/^    volumeMounts:/a\    - mountPath: /etc/ssl/etcd/ssl\n      name: etcd-ssl\n      readOnly: true' \
  -e '/^  volumes:/a\  - hostPath:\n      path: /etc/ssl/etcd/ssl\n    name: etcd-ssl' kube-apiserver.yaml`)
	s.until(t, 3*time.Minute, "an API server that uses kubespray's etcd", func(ctx context.Context) error {
		line := "pgrep -af etcd-certfile=/etc/ssl/etcd >/dev/null && kubectl --kubeconfig /etc/kubernetes/admin.conf --server https://" +
			n.IP + ":6443 --request-timeout=5s get --raw /readyz"
		_, err := s.lab.SSH(ctx, n.Name, line)
		return err
	})
}

// configureKubespray says in the cluster's own configuration what was done to the nodes.
func (s *suite) configureKubespray(t *testing.T) {
	t.Helper()
	first := s.lab.Nodes[0]
	const kubectl = "kubectl --kubeconfig /etc/kubernetes/admin.conf -n kube-system "
	s.ssh(t, first.Name, kubectl+"get configmap kubeadm-config -o yaml | grep -v resourceVersion >/root/kubeadm-config.yaml")
	s.undo(t, first.Name, kubectl+"replace -f /root/kubeadm-config.yaml; rm -f /root/kubeadm-config.yaml")
	s.ssh(t, first.Name, `set -e
`+kubectl+`get configmap kubeadm-config -o yaml | grep -v resourceVersion |
  sed -e 's#certificatesDir: /etc/kubernetes/pki#certificatesDir: /etc/kubernetes/ssl#' \
    -e 's#^\( *\)  local:#\1  external:#' -e 's#^\( *\)dataDir: /var/lib/etcd#\1endpoints: ["https://`+first.IP+`:2379"]#' |
  `+kubectl+`replace -f -
`+kubectl+`get configmap kubeadm-config -o yaml | grep -q 'external:'`)
	// kubespray leaves what it gave to kubeadm on every control plane.
	text := s.ssh(t, first.Name, kubectl+"get configmap kubeadm-config -o jsonpath='{.data.ClusterConfiguration}'")
	for _, n := range s.lab.Nodes {
		s.put(t, n.Name, "/etc/kubernetes/kubeadm-config.yaml", "640", []byte(text))
	}
}

// etcdPEM makes a certificate as kubespray's make-ssl-etcd.sh does, of which a day is left.
func etcdPEM(t *testing.T, ca signer, kind string, n lab.Node) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "etcd-" + kind + "-" + n.Name},
		NotBefore: time.Now().AddDate(0, 0, -300), NotAfter: time.Now().AddDate(0, 0, 1),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost", n.Name}, IPAddresses: []net.IP{net.ParseIP(n.IP), net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.certificate, private.Public(), ca.key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: text}))
}

// etcdEnv is /etc/etcd.env: the data directory has what the static pod left.
func etcdEnv(n lab.Node) string {
	member, key := pemOf("member", n), strings.TrimSuffix(pemOf("member", n), ".pem")+"-key.pem"
	admin, adminKey := pemOf("admin", n), strings.TrimSuffix(pemOf("admin", n), ".pem")+"-key.pem"
	return strings.Join([]string{
		"ETCD_NAME=" + n.Name, "ETCD_DATA_DIR=/var/lib/etcd", "ETCD_INITIAL_CLUSTER_STATE=existing",
		"ETCD_ADVERTISE_CLIENT_URLS=https://" + n.IP + ":2379", "ETCD_INITIAL_ADVERTISE_PEER_URLS=https://" + n.IP + ":2380",
		"ETCD_INITIAL_CLUSTER=" + n.Name + "=https://" + n.IP + ":2380",
		"ETCD_LISTEN_CLIENT_URLS=https://" + n.IP + ":2379,https://127.0.0.1:2379", "ETCD_LISTEN_PEER_URLS=https://" + n.IP + ":2380",
		"ETCD_TRUSTED_CA_FILE=/etc/ssl/etcd/ssl/ca.pem", "ETCD_CERT_FILE=" + member, "ETCD_KEY_FILE=" + key, "ETCD_CLIENT_CERT_AUTH=true",
		"ETCD_PEER_TRUSTED_CA_FILE=/etc/ssl/etcd/ssl/ca.pem", "ETCD_PEER_CERT_FILE=" + member, "ETCD_PEER_KEY_FILE=" + key,
		"ETCD_PEER_CLIENT_CERT_AUTH=true", "ETCDCTL_ENDPOINTS=https://127.0.0.1:2379", "ETCDCTL_CACERT=/etc/ssl/etcd/ssl/ca.pem",
		"ETCDCTL_CERT=" + admin, "ETCDCTL_KEY=" + adminKey, "",
	}, "\n")
}

const etcdService = `[Unit]
Description=etcd
After=network.target

[Service]
Type=notify
EnvironmentFile=/etc/etcd.env
ExecStart=/usr/local/bin/etcd
Restart=always
RestartSec=2

[Install]
WantedBy=multi-user.target
`
