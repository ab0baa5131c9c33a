package certificates_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/fixtures/worlds"
	"upkeep/providers"
	"upkeep/providers/certificates"
	"upkeep/providers/facts"
)

// darkness is a cluster of which neither the API nor etcd answers, since all certificates have expired.
func darkness() facts.World {
	w := worlds.ControlPlanes(3, now)
	for _, n := range w.Nodes {
		worlds.Pod(n, "kube-apiserver").Image = "registry.k8s.io/kube-apiserver:v1.35.4"
		worlds.Pod(n, "etcd").Flags = map[string]string{"data-dir": "/var/lib/etcd"}
	}
	expire(&w, false, leavesOf...)
	w.Etcd = facts.Etcd{Unknown: "no member answered: connection refused"}
	w.Kubernetes.ClusterConfiguration, w.Kubernetes.ClusterConfigurationUnknown = "", "API: expired; etcd: connection refused"
	return w
}

// TestTheConfigurationIsFoundInTheDark: a file that agrees with the certificates is used, one that does not is not, and what is
// put together from manifests needs a person's word for every value.
func TestTheConfigurationIsFoundInTheDark(t *testing.T) {
	const made = `apiVersion: kubeadm.k8s.io/v1beta4
certificateValidityPeriod: 8760h0m0s
encryptionAlgorithm: RSA-2048
certificatesDir: /etc/kubernetes/pki
controlPlaneEndpoint: cp.example.net:6443
etcd:
  local:
    dataDir: /var/lib/etcd
kind: ClusterConfiguration
kubernetesVersion: v1.35.4
networking:
  dnsDomain: cluster.local
`
	file := func(change, to string) []facts.ConfigurationFile {
		text := strings.Replace(worlds.ClusterConfiguration, change, to, 1)
		return []facts.ConfigurationFile{{Node: "cp1", Path: "/etc/kubernetes/kubeadm-config.yaml", Text: text}}
	}
	tests := []struct {
		name    string
		change  func(w *facts.World)
		want    string
		consent bool
	}{
		{name: "nothing but manifests and certificates", change: func(*facts.World) {}, want: made, consent: true},
		{name: "a file that agrees", change: func(w *facts.World) {
			w.Kubernetes.ClusterConfigurationFiles = file("", "")
		}, want: worlds.ClusterConfiguration},
		{name: "a file of another life", change: func(w *facts.World) {
			w.Kubernetes.ClusterConfigurationFiles = file("certificateValidityPeriod: 8760h0m0s", "certificateValidityPeriod: 87600h0m0s")
		}, want: made, consent: true},
		{name: "a file of another release", change: func(w *facts.World) {
			w.Kubernetes.ClusterConfigurationFiles = file("v1.35.4", "v1.29.1")
		}, want: made, consent: true},
		{name: "a file with other keys", change: func(w *facts.World) {
			w.Kubernetes.ClusterConfigurationFiles = file("RSA-2048", "ECDSA-P256")
		}, want: made, consent: true},
		{name: "members of etcd that do not agree", change: func(w *facts.World) {
			w.Kubernetes.ClusterConfiguration = worlds.ClusterConfiguration
			w.Kubernetes.ClusterConfigurationFrom = "etcd"
			w.Kubernetes.ClusterConfigurationDoubts = []string{"the etcd member of cp3 holds another one"}
		}, want: worlds.ClusterConfiguration, consent: true},
		{name: "an image without a version", change: func(w *facts.World) {
			for _, n := range w.Nodes {
				worlds.Pod(n, "kube-apiserver").Image = "registry.k8s.io/kube-apiserver@sha256:1234"
			}
		}},
		{name: "a node that writes its own YAML", change: func(w *facts.World) {
			for _, n := range w.Nodes {
				worlds.File(n, "admin.conf").Server = "https://x\ncertificatesDir: /tmp"
			}
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := darkness()
			test.change(&w)
			out := spec().Diff(input(w, 3))
			got, consents := "", 0
			for _, s := range out.Steps {
				if s.Operation != certificates.OperationRenew {
					continue
				}
				args, err := providers.ArgsOf[struct {
					ClusterConfiguration string `json:"cluster_configuration"`
				}](s)
				if err != nil {
					t.Fatal(err)
				}
				got = args.ClusterConfiguration
				consents += len(s.Consents)
			}
			if d := cmp.Diff(test.want, got); d != "" {
				t.Error(d)
			}
			if want := map[bool]int{true: 3}[test.consent]; consents != want {
				t.Errorf("%d consents, want %d", consents, want)
			}
			down := slices.ContainsFunc(out.Findings, func(f providers.Finding) bool { return f.ID == "CERT_CLUSTER_DOWN" })
			if !down || (out.Outage != "") != (test.want != "") {
				t.Errorf("CERT_CLUSTER_DOWN: %t, the first line: %q", down, out.Outage)
			}
		})
	}
}

// TestKubespraysConfigurationIsPutTogether: without a file, from the flags of kube-apiserver, and with a person's word.
func TestKubespraysConfigurationIsPutTogether(t *testing.T) {
	w := worlds.Kubespray(1, now)
	expire(&w, false, kubespraysLeaves...)
	w.Etcd = facts.Etcd{Unknown: "no member answered: connection refused"}
	inKubespraysFile(&w)
	w.Kubernetes.ClusterConfigurationFiles = nil
	const want = `apiVersion: kubeadm.k8s.io/v1beta4
certificateValidityPeriod: 8760h0m0s
encryptionAlgorithm: RSA-2048
certificatesDir: /etc/kubernetes/ssl
controlPlaneEndpoint: cp.example.net:6443
etcd:
  external:
    caFile: /etc/ssl/etcd/ssl/ca.pem
    certFile: /etc/ssl/etcd/ssl/node-cp1.pem
    keyFile: /etc/ssl/etcd/ssl/node-cp1-key.pem
    endpoints:
    - https://10.0.0.11:2379
kind: ClusterConfiguration
kubernetesVersion: v1.35.4
networking:
  dnsDomain: cluster.local
`
	for _, s := range spec().Diff(input(w, 1)).Steps {
		if s.Operation != certificates.OperationRenew {
			continue
		}
		args, err := providers.ArgsOf[struct {
			ClusterConfiguration string `json:"cluster_configuration"`
		}](s)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, args.ClusterConfiguration); d != "" || len(s.Consents) != 1 {
			t.Errorf("%d consents, want 1 %s", len(s.Consents), d)
		}
		return
	}
	t.Error("nothing is renewed")
}

// TestTheRealConfigurationMayComeBack: once the API answers, a step that was planned with a configuration from elsewhere goes on
// where the cluster's own says the same of certificates, and not where it says something else.
func TestTheRealConfigurationMayComeBack(t *testing.T) {
	in := input(darkness(), 3)
	steps, befores := fold(t, in, spec().Diff(in).Steps)
	i := slices.IndexFunc(steps, func(s providers.Step) bool { return s.Node == "cp3" })
	for text, want := range map[string]providers.ReadyState{
		worlds.ClusterConfiguration: providers.Holds,
		strings.Replace(worlds.ClusterConfiguration, "RSA-2048", "ECDSA-P256", 1): providers.Moved,
	} {
		now := befores[i]
		now.World = worlds.Clone(now.World)
		now.World.Kubernetes.Unknown, now.World.Kubernetes.ClusterConfiguration, now.World.Kubernetes.ClusterConfigurationUnknown = "", text, ""
		if r := ready(now, steps[i]); r.State != want {
			t.Errorf("%+v, want %s", r, want)
		}
	}
}
