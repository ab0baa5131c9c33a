package pki

import (
	"path"
	"strings"

	"upkeep/providers/layout"
)

// KubeletConf is the kubelet's kubeconfig, which says which client certificate the kubelet uses.
const KubeletConf = "/etc/kubernetes/kubelet.conf"

// kubeletClient returns the entry of the client certificate that the kubelet uses. kubelet.conf may name another file
// than the usual one, or embed a certificate, which no rotation reaches (kubernetes/kubeadm#1317). Without a readable
// kubelet.conf, and where the path is outside the node's Kubernetes directories, the usual file stands.
func (c *collector) kubeletClient(usual layout.Entry) layout.Entry {
	text, _, err := c.disk.Read(KubeletConf, MaxFile)
	if err != nil {
		return usual
	}
	config, _ := ParseKubeconfig(text)
	switch {
	case len(config.Certificate) > 0:
		usual.Path = KubeletConf
	case ofKubelet(config.CertificatePath) && config.CertificatePath != usual.Path:
		usual.Path = config.CertificatePath
		if ofKubelet(config.KeyPath) && config.KeyPath != config.CertificatePath {
			usual.KeyPath = config.KeyPath
		}
	}
	return usual
}

// ofKubelet reports whether a path that kubelet.conf names is one that may be read: clean, and in the directories of the kubelet
// or of Kubernetes.
func ofKubelet(p string) bool {
	return path.Clean(p) == p && (strings.HasPrefix(p, layout.KubeletDir+"/") || strings.HasPrefix(p,
		layout.KubernetesDir+"/"))
}
