package layout

import (
	"crypto/x509"

	"upkeep/providers/facts"
)

// Directories and files of a kubeadm node that are no certificates.
const (
	KubernetesDir = "/etc/kubernetes"
	ManifestDir   = "/etc/kubernetes/manifests"
	KubeletDir    = "/var/lib/kubelet"
	// KubeadmDir is kubeadm's default certificatesDir.
	KubeadmDir = "/etc/kubernetes/pki"
)

// Kubeadm returns kubeadm's layout with stacked etcd, for a certificatesDir.
//
// Names, paths and signers: cmd/kubeadm/app/phases/certs/certlist.go and renewal/manager.go of Kubernetes 1.35. Who
// reads its certificates again by itself: kube-apiserver since 1.17 (dynamic serving and client certificates), etcd
// since 3.2 (on every handshake). kube-controller-manager and kube-scheduler keep the client certificate of their
// kubeconfig until they are started again. The kubelet's own certificates: kubelet's --cert-dir, rotated by the
// kubelet.
func Kubeadm(dir string) Layout {
	t := kubeadmTree(dir)
	return Layout{
		Name: "kubeadm", Dir: dir, Roots: roots(dir), Archive: []string{dir},
		entries: []Entry{
			t.authority("ca", "ca"),
			t.authority(etcdAuthority, "etcd/ca"),
			t.authority("front-proxy-ca", "front-proxy-ca"),
			kubeconfig("admin.conf", ""),
			t.serving("apiserver", "apiserver", "ca", 6443, "kube-apiserver"),
			t.client("apiserver-etcd-client", "apiserver-etcd-client", etcdAuthority),
			t.client("apiserver-kubelet-client", "apiserver-kubelet-client", "ca"),
			kubeconfig("controller-manager.conf", "kube-controller-manager"),
			t.client("etcd-healthcheck-client", "etcd/healthcheck-client", etcdAuthority),
			both(t.serving("etcd-peer", "etcd/peer", etcdAuthority, 2380, "etcd")),
			both(t.serving("etcd-server", "etcd/server", etcdAuthority, 2379, "etcd")),
			t.client("front-proxy-client", "front-proxy-client", "front-proxy-ca"),
			kubeletClient,
			kubeletServer,
			kubeconfig("scheduler.conf", "kube-scheduler"),
			superAdmin(),
		},
	}
}

// roots are the directories that links of a kubeadm node may lead to.
func roots(dir string) []string {
	out := []string{KubernetesDir}
	if !within(dir, KubernetesDir) {
		out = append(out, dir)
	}
	return out
}

var kubeletClient = Entry{
	Name: "kubelet-client", Kind: facts.Kubelet, Path: KubeletDir + "/pki/kubelet-client-current.pem",
	Authority: "ca", Usage: x509.ExtKeyUsageClientAuth,
}

// With serverTLSBootstrap the kubelet keeps kubelet-server-current.pem instead, signed by the cluster.
var kubeletServer = Entry{
	Name: "kubelet-server", Kind: facts.Kubelet, Path: KubeletDir + "/pki/kubelet.crt",
	KeyPath: KubeletDir + "/pki/kubelet.key",
	Usage:   x509.ExtKeyUsageServerAuth, Port: 10250, Component: "kubelet",
}

func kubeconfig(name, restart string) Entry {
	return Entry{
		Name: name, Kind: facts.Kubeconfig, Path: KubernetesDir + "/" + name, Authority: "ca",
		Usage: x509.ExtKeyUsageClientAuth, Restart: restart, Renewed: ByKubeadm,
	}
}

// superAdmin is only on the node where kubeadm init ran, since 1.29.
func superAdmin() Entry {
	e := kubeconfig("super-admin.conf", "")
	e.Optional = true
	return e
}

// kubeadmTree is a certificatesDir.
type kubeadmTree string

func (t kubeadmTree) authority(name, base string) Entry {
	return Entry{Name: name, Kind: facts.Authority, Path: string(t) + "/" + base + ".crt",
		KeyPath: string(t) + "/" + base + ".key"}
}

func (t kubeadmTree) client(name, base, ca string) Entry {
	return leafOf(name, string(t)+"/"+base+".crt", string(t)+"/"+base+".key", ca, x509.ExtKeyUsageClientAuth, ByKubeadm)
}

func (t kubeadmTree) serving(name, base, ca string, port int, component string) Entry {
	e := t.client(name, base, ca)
	e.Usage, e.Port, e.Component = x509.ExtKeyUsageServerAuth, port, component
	return e
}
