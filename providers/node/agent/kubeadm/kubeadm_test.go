package kubeadm

import "testing"

func TestClusterConfiguration(t *testing.T) {
	const cluster = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\ncertificatesDir: /etc/kubernetes/pki\n"
	for name, test := range map[string]struct{ text, want string }{
		"alone":               {cluster, cluster},
		"kubespray's four":    {"apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\nbootstrapTokens:\n- token: secret\n---\n" + cluster + "---\nkind: KubeProxyConfiguration\n---\nkind: KubeletConfiguration\n", cluster},
		"two":                 {cluster + "---\n" + cluster, ""},
		"none":                {"kind: InitConfiguration\n", ""},
		"a leading separator": {"---\n" + cluster, cluster},
		"no YAML":             {"{", ""},
	} {
		if got := ClusterConfiguration([]byte(test.text)); got != test.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
