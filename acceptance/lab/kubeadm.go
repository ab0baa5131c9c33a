package lab

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// joining is what a control plane needs to join, besides the cluster's address. It is made anew for every cluster.
type joining struct {
	token          string // a bootstrap token: [a-z0-9]{6}.[a-z0-9]{16}
	certificateKey string // 32 bytes in hex, encrypts the uploaded PKI
	caHash         string // of the CA's public key, "sha256:..."
}

func newJoining() joining {
	text := func(bytes int) string {
		b := make([]byte, bytes)
		_, _ = rand.Read(b) // never fails, see crypto/rand
		return hex.EncodeToString(b)
	}
	return joining{token: text(3) + "." + text(8), certificateKey: text(32)}
}

// document is one part of a kubeadm configuration file.
type document = map[string]any

func marshalDocuments(all ...document) (string, error) {
	var parts []string
	for _, d := range all {
		text, err := yaml.Marshal(d) // sorts keys
		if err != nil {
			return "", err
		}
		parts = append(parts, string(text))
	}
	return strings.Join(parts, "---\n"), nil
}

const kubeadmAPI = "kubeadm.k8s.io/v1beta4"

func registration(n Node) document {
	return document{
		"name":      n.Name,
		"criSocket": "unix:///run/containerd/containerd.sock",
		// kubeadm refuses cgroup v1 in its system check, whatever the kubelet is told.
		"ignorePreflightErrors": []string{"SystemVerification"},
	}
}

// timeouts: without it a kubeadm init that cannot succeed says so only after four minutes.
func timeouts() document { return document{"controlPlaneComponentHealthCheck": "1m30s"} }

// patientEtcd and patientElection: three control planes share a machine that may do other work. With the defaults
// (etcd: 100 ms and 1 s; the others: 15 s, 10 s and 2 s) a pause of it is an election, or a component that ends itself
// and is counted as restarted by what is tested. The timeout is ten heartbeats (etcd, "Tuning", time parameters).
func patientEtcd() []document {
	return []document{{"name": "heartbeat-interval", "value": "500"}, {"name": "election-timeout", "value": "5000"}} // milliseconds
}

func patientElection() []document {
	return []document{
		{"name": "leader-elect-lease-duration", "value": "40s"},
		{"name": "leader-elect-renew-deadline", "value": "30s"},
		{"name": "leader-elect-retry-period", "value": "3s"},
	}
}

// initConfig is the configuration for kubeadm init on the first node. validity is how long every certificate of the
// cluster but the CAs' lives, now and after each renewal.
func initConfig(n Node, j joining, validity time.Duration) (string, error) {
	return marshalDocuments(
		document{
			"apiVersion":       kubeadmAPI,
			"kind":             "InitConfiguration",
			"bootstrapTokens":  []document{{"token": j.token, "ttl": "24h0m0s", "usages": []string{"signing", "authentication"}, "groups": []string{"system:bootstrappers:kubeadm:default-node-token"}}},
			"certificateKey":   j.certificateKey,
			"localAPIEndpoint": document{"advertiseAddress": n.IP},
			"nodeRegistration": registration(n),
			"skipPhases":       []string{"addon/coredns", "addon/kube-proxy"},
			"timeouts":         timeouts(),
		},
		document{
			"apiVersion":                kubeadmAPI,
			"kind":                      "ClusterConfiguration",
			"kubernetesVersion":         KubernetesVersion,
			"controlPlaneEndpoint":      endpointName + ":6443",
			"certificateValidityPeriod": validity.String(),
			"networking":                document{"podSubnet": "10.244.0.0/16"},
			// The machine itself does not know the name cp.lab.
			"apiServer":         document{"certSANs": []string{bastion.IP}},
			"etcd":              document{"local": document{"extraArgs": patientEtcd()}},
			"controllerManager": document{"extraArgs": patientElection()},
			"scheduler":         document{"extraArgs": patientElection()},
		},
		document{
			"apiVersion":         "kubelet.config.k8s.io/v1beta1",
			"kind":               "KubeletConfiguration",
			"cgroupDriver":       "cgroupfs",
			"failCgroupV1":       false,
			"failSwapOn":         false,
			"rotateCertificates": true,
			// The lab has no registry: an image that the kubelet collects is gone. What fills the disk of a machine that also
			// builds is not the lab, so neither images nor pods are to go for it.
			"imageGCHighThresholdPercent": 100,
			"evictionHard":                document{"memory.available": "100Mi", "nodefs.available": "1%", "nodefs.inodesFree": "1%", "imagefs.available": "1%"},
		},
	)
}

// joinConfig is the configuration for kubeadm join on the other nodes. Without a certificate key a node joins as a worker.
func joinConfig(n Node, j joining) (string, error) {
	join := document{
		"apiVersion": kubeadmAPI,
		"kind":       "JoinConfiguration",
		"discovery": document{"bootstrapToken": document{
			"apiServerEndpoint": endpointName + ":6443",
			"token":             j.token,
			"caCertHashes":      []string{j.caHash},
		}},
		"nodeRegistration": registration(n),
		"timeouts":         timeouts(),
	}
	if j.certificateKey != "" {
		join["controlPlane"] = document{
			"certificateKey":   j.certificateKey,
			"localAPIEndpoint": document{"advertiseAddress": n.IP},
		}
	}
	return marshalDocuments(join)
}

// publicKeyHash is the pin of a CA in kubeadm's notation: SHA-256 of its SubjectPublicKeyInfo (RFC 7469, 2.4).
func publicKeyHash(caPEM string) (string, error) {
	block, _ := pem.Decode([]byte(caPEM))
	if block == nil {
		return "", errors.New("the cluster's ca.crt holds no PEM block")
	}
	ca, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return "", fmt.Errorf("the cluster's ca.crt: %w", err)
	}
	sum := sha256.Sum256(ca.RawSubjectPublicKeyInfo)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// kubeadm runs kubeadm on a node with a configuration that is gone from the node afterwards: it holds the token.
func (l *Lab) kubeadm(ctx context.Context, n Node, configuration, arguments string) error {
	const line = `set -e; umask 077; f=$(mktemp); trap 'rm -f "$f"' EXIT; cat > "$f"; kubeadm %s --config "$f"`
	_, err := l.SSHInput(ctx, n.Name, fmt.Sprintf(line, arguments), configuration)
	return err
}

// form makes one cluster of the three running nodes.
func (l *Lab) form(ctx context.Context, validity time.Duration) error {
	first := controlPlanes[0]
	j := newJoining()
	configuration, err := initConfig(first, j, validity)
	if err != nil {
		return err
	}
	l.say("kubeadm init on %s", first.Name)
	if err := l.kubeadm(ctx, first, configuration, "init --upload-certs"); err != nil {
		return err
	}
	ca, err := l.SSH(ctx, first.Name, "cat /etc/kubernetes/pki/ca.crt")
	if err != nil {
		return err
	}
	if j.caHash, err = publicKeyHash(ca); err != nil {
		return err
	}
	for _, n := range controlPlanes[1:] {
		if configuration, err = joinConfig(n, j); err != nil {
			return err
		}
		l.say("kubeadm join on %s", n.Name)
		if err := l.kubeadm(ctx, n, configuration, "join"); err != nil {
			return err
		}
	}
	return l.fetchKubeconfig(ctx)
}

// fetchKubeconfig copies admin.conf of the first node to the machine, with an address that works from there.
func (l *Lab) fetchKubeconfig(ctx context.Context) error {
	text, err := l.SSH(ctx, controlPlanes[0].Name, "cat /etc/kubernetes/admin.conf")
	if err != nil {
		return err
	}
	const from = "https://" + endpointName + ":6443"
	if !strings.Contains(text, from) {
		return fmt.Errorf("admin.conf on %s does not name %s", controlPlanes[0].Name, from)
	}
	return os.WriteFile(l.Kubeconfig(), []byte(strings.ReplaceAll(text, from, "https://"+bastion.IP+":6443")), 0o600)
}
