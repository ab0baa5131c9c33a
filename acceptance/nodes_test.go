package acceptance

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"upkeep/acceptance/lab"
)

// operatorKubeconfig makes the kubeconfig that upkeep reads the cluster with, as an operator would: with a certificate of its own, made by
// kubeadm, that none of the tests makes due.
func (s *suite) operatorKubeconfig(t *testing.T) string {
	t.Helper()
	text := s.ssh(t, s.lab.Nodes[0].Name, `set -e; umask 077; f=$(mktemp); trap 'rm -f "$f"' EXIT
kubectl --kubeconfig /etc/kubernetes/admin.conf -n kube-system get configmap kubeadm-config -o 'jsonpath={.data.ClusterConfiguration}' > "$f"
kubeadm kubeconfig user --config "$f" --client-name operator --org kubeadm:cluster-admins --validity-period 43800h`)
	text = withServer(t, text, "https://"+s.lab.Bastion.IP+":6443")
	path := filepath.Join(t.TempDir(), "operator.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// withServer replaces the one server of a kubeconfig.
func withServer(t *testing.T, text, server string) string {
	t.Helper()
	lines := strings.Split(text, "\n")
	replaced := 0
	for i, line := range lines {
		if before, _, ok := strings.Cut(line, "server: "); ok {
			lines[i] = before + "server: " + server
			replaced++
		}
	}
	if replaced != 1 {
		t.Fatalf("a kubeconfig names %d servers, expected 1", replaced)
	}
	return strings.Join(lines, "\n")
}

// kubeconfig is what the tests compare of a kubeconfig.
type kubeconfig struct {
	Server      string
	Authorities int // certificates in the CA bundle
	Bundle      string
	Client      string // the client certificate, PEM
	Key         string
}

func parseKubeconfig(t *testing.T, text string) kubeconfig {
	t.Helper()
	var file struct {
		Clusters []struct {
			Cluster struct {
				Server string `json:"server"`
				CA     []byte `json:"certificate-authority-data"`
			} `json:"cluster"`
		} `json:"clusters"`
		Users []struct {
			User struct {
				Certificate []byte `json:"client-certificate-data"`
				Key         []byte `json:"client-key-data"`
			} `json:"user"`
		} `json:"users"`
	}
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Clusters) != 1 || len(file.Users) != 1 {
		t.Fatalf("a kubeconfig with %d clusters and %d users, expected one each", len(file.Clusters), len(file.Users))
	}
	ca := file.Clusters[0].Cluster.CA
	return kubeconfig{
		Server: file.Clusters[0].Cluster.Server, Authorities: strings.Count(string(ca), "BEGIN CERTIFICATE"), Bundle: string(ca),
		Client: string(file.Users[0].User.Certificate), Key: string(file.Users[0].User.Key),
	}
}

// withSecondAuthority adds a CA to the bundle of a kubeconfig, as in the middle of a change of CA.
func withSecondAuthority(t *testing.T, text string) string {
	t.Helper()
	var file map[string]any
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		t.Fatal(err)
	}
	clusters, _ := file["clusters"].([]any)
	if len(clusters) != 1 {
		t.Fatalf("admin.conf with %d clusters, expected 1", len(clusters))
	}
	first, _ := clusters[0].(map[string]any)
	cluster, _ := first["cluster"].(map[string]any)
	bundle := []byte(parseKubeconfig(t, text).Bundle)
	cluster["certificate-authority-data"] = append(bundle, otherAuthority(t)...)
	out, err := yaml.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// otherAuthority is a CA certificate, PEM, that signed nothing of this cluster.
func otherAuthority(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "the next authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// container is one running container of a static pod, as containerd has it.
type container struct{ component, id string }

// containers lists the static pods' running containers, in the components' order.
func (s *suite) containers(t *testing.T, node string) []container {
	t.Helper()
	text := s.ssh(t, node, `for id in $(ctr -n k8s.io tasks ls | awk '$3 == "RUNNING" { print $1 }'); do ctr -n k8s.io containers info "$id"; done`)
	var all []container
	for decoder := json.NewDecoder(strings.NewReader(text)); ; {
		var info struct {
			ID     string            `json:"ID"`
			Labels map[string]string `json:"Labels"`
		}
		if err := decoder.Decode(&info); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("ctr containers info on %s: %v", node, err)
		}
		if info.Labels["io.cri-containerd.kind"] == "container" && info.Labels["io.kubernetes.pod.namespace"] == "kube-system" {
			all = append(all, container{info.Labels["io.kubernetes.container.name"], info.ID})
		}
	}
	slices.SortFunc(all, func(a, b container) int { return strings.Compare(a.component, b.component) })
	var names []string
	for _, c := range all {
		names = append(names, c.component)
	}
	if want := []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}; !slices.Equal(names, want) {
		t.Fatalf("containers of static pods on %s: %v, want %v", node, names, want)
	}
	return all
}

// print is a fingerprint of everything that upkeep may change on the nodes: files with content, mode and time, and containers.
func (s *suite) print(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, n := range s.lab.Nodes {
		out[n.Name] = s.ssh(t, n.Name, `set -e; cd /
for d in etc/kubernetes root/.kube var/lib/kubelet/pki var/lib/upkeep/archive var/lib/upkeep/intents; do
	if [ -d $d ]; then find $d -type f -printf '%p %m %T@ ' -exec sh -c 'sha256sum < "$1"' _ {} \; ; fi
done | sort`) + fmt.Sprint(s.containers(t, n.Name))
	}
	return out
}

// makeDue raises the cluster's own certificateValidityPeriod far above what any certificate still has, and returns that period and a
// renew_before between the two: everything is due, and what is renewed with the cluster's configuration is not.
func (s *suite) makeDue(t *testing.T) (renewBefore, validity time.Duration) {
	t.Helper()
	var longest time.Duration
	for _, n := range s.lab.Nodes {
		for _, c := range s.expiration(t, n.Name).Certificates {
			longest = max(longest, time.Until(c.Expires))
		}
	}
	longest = longest.Round(time.Hour)
	renewBefore, validity = longest+24*time.Hour, longest+552*time.Hour
	first := s.lab.Nodes[0].Name
	const kubectl = "kubectl --kubeconfig /etc/kubernetes/admin.conf -n kube-system "
	var configMap map[string]any
	if err := json.Unmarshal([]byte(s.ssh(t, first, kubectl+"get configmap kubeadm-config -o json")), &configMap); err != nil {
		t.Fatal(err)
	}
	data, _ := configMap["data"].(map[string]any)
	text, _ := data["ClusterConfiguration"].(string)
	var configuration map[string]any
	if err := yaml.Unmarshal([]byte(text), &configuration); err != nil {
		t.Fatal(err)
	}
	configuration["certificateValidityPeriod"] = validity.String()
	changed, err := yaml.Marshal(configuration)
	if err != nil {
		t.Fatal(err)
	}
	data["ClusterConfiguration"] = string(changed)
	changed, err = json.Marshal(configMap)
	if err != nil {
		t.Fatal(err)
	}
	s.sshInput(t, first, kubectl+"replace -f - >/dev/null", string(changed))
	return renewBefore, validity
}

// expiration asks kubeadm on a node.
func (s *suite) expiration(t *testing.T, node string) lab.Expiration {
	t.Helper()
	all, err := s.lab.CheckExpiration(s.ctx, node)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// expires says when each certificate of a node that kubeadm renews ends.
func (s *suite) expires(t *testing.T, node string) map[string]time.Time {
	t.Helper()
	out := map[string]time.Time{}
	for _, c := range s.expiration(t, node).Certificates {
		if !c.Missing {
			out[c.Name] = c.Expires
		}
	}
	return out
}

// quiet waits until the cluster is ready again, a while after something was done to it.
func (s *suite) quiet(t *testing.T) {
	t.Helper()
	s.until(t, 3*time.Minute, "a cluster that is ready", func(ctx context.Context) error { return s.lab.Ready(ctx, time.Time{}) })
}
