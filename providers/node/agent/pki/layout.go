// Package pki knows the certificates of a Kubernetes node: where a layout keeps them (a table, pure, for every floor to
// read), and how to read them off a disk into facts.
//
// It changes nothing and holds no private key longer than it takes to compare it with its certificate. What is renewed
// and how is in package renew; what a certificate's age means is for the certificates domain to decide.
package pki

import (
	"crypto/x509"
	"slices"

	"upkeep/providers/facts"
)

// Entry is one line of a layout: where a certificate is, who signed it and who uses it.
type Entry struct {
	// Name is the layout's own name for it; for kubeadm what `kubeadm certs renew` takes: "apiserver", "admin.conf".
	Name string
	// Kind is facts.Authority, facts.Leaf, facts.Kubeconfig or facts.Kubelet.
	Kind string
	// Path and KeyPath are absolute. KeyPath is empty where the key is in the same file.
	Path, KeyPath string
	// Authority is the Name of the CA that signs it; empty for a CA, and where it signs itself.
	Authority string
	// Usage is the extended key usage it must be good for; unused for a CA.
	Usage x509.ExtKeyUsage
	// Port is the TLS port that serves it, 0 where none does; Component the process behind that port.
	Port      int
	Component string
	// Restart is the static pod that keeps the old certificate until it is started again; empty where everything that
	// uses the certificate reads it again by itself.
	Restart string
	// Optional: not every node has it, and a node without it is healthy.
	Optional bool
}

// Renewable reports whether the layout's own tool renews it: leaves and kubeconfigs, never CAs, and never what the
// kubelet rotates itself.
func (e Entry) Renewable() bool { return e.Kind == facts.Leaf || e.Kind == facts.Kubeconfig }

// Layout is where one way of installing Kubernetes keeps its certificates.
type Layout struct {
	Name string
	// Dir is the directory of the certificates.
	Dir     string
	entries []Entry
}

// Entries returns all entries, in the order in which they are listed to people: CAs first, then by name.
func (l Layout) Entries() []Entry { return slices.Clone(l.entries) }

// Lookup returns the entry with a name, and whether there is one.
func (l Layout) Lookup(name string) (Entry, bool) {
	i := slices.IndexFunc(l.entries, func(e Entry) bool { return e.Name == name })
	if i < 0 {
		return Entry{}, false
	}
	return l.entries[i], true
}

// Renewable returns the names of all entries that can be renewed.
func (l Layout) Renewable() []string {
	var names []string
	for _, e := range l.entries {
		if e.Renewable() {
			names = append(names, e.Name)
		}
	}
	return names
}

// Directories and files of a kubeadm node that are no certificates.
const (
	KubernetesDir = "/etc/kubernetes"
	ManifestDir   = "/etc/kubernetes/manifests"
	KubeletDir    = "/var/lib/kubelet"
)

// Kubeadm is kubeadm's layout with stacked etcd and its default certificatesDir.
//
// Names, paths and signers: cmd/kubeadm/app/phases/certs/certlist.go and renewal/manager.go of Kubernetes 1.35. Who
// reads its certificates again by itself: kube-apiserver since 1.17 (dynamic serving and client certificates), etcd
// since 3.2 (on every handshake). kube-controller-manager and kube-scheduler keep the client certificate of their
// kubeconfig until they are started again. The kubelet's own certificates: kubelet's --cert-dir, rotated by the kubelet.
var Kubeadm = Layout{
	Name: "kubeadm",
	Dir:  "/etc/kubernetes/pki",
	entries: []Entry{
		authority("ca", "ca"),
		authority("etcd-ca", "etcd/ca"),
		authority("front-proxy-ca", "front-proxy-ca"),
		{
			Name: "admin.conf", Kind: facts.Kubeconfig, Path: "/etc/kubernetes/admin.conf",
			Authority: "ca", Usage: x509.ExtKeyUsageClientAuth,
		},
		serving("apiserver", "apiserver", "ca", 6443, "kube-apiserver"),
		client("apiserver-etcd-client", "apiserver-etcd-client", "etcd-ca"),
		client("apiserver-kubelet-client", "apiserver-kubelet-client", "ca"),
		{
			Name: "controller-manager.conf", Kind: facts.Kubeconfig, Path: "/etc/kubernetes/controller-manager.conf",
			Authority: "ca", Usage: x509.ExtKeyUsageClientAuth, Restart: "kube-controller-manager",
		},
		client("etcd-healthcheck-client", "etcd/healthcheck-client", "etcd-ca"),
		serving("etcd-peer", "etcd/peer", "etcd-ca", 2380, "etcd"),
		serving("etcd-server", "etcd/server", "etcd-ca", 2379, "etcd"),
		client("front-proxy-client", "front-proxy-client", "front-proxy-ca"),
		{
			Name: "kubelet-client", Kind: facts.Kubelet, Path: "/var/lib/kubelet/pki/kubelet-client-current.pem",
			Authority: "ca", Usage: x509.ExtKeyUsageClientAuth,
		},
		{
			// With serverTLSBootstrap the kubelet keeps kubelet-server-current.pem instead, signed by the cluster.
			Name: "kubelet-server", Kind: facts.Kubelet, Path: "/var/lib/kubelet/pki/kubelet.crt",
			KeyPath: "/var/lib/kubelet/pki/kubelet.key", Usage: x509.ExtKeyUsageServerAuth, Port: 10250, Component: "kubelet",
		},
		{
			Name: "scheduler.conf", Kind: facts.Kubeconfig, Path: "/etc/kubernetes/scheduler.conf",
			Authority: "ca", Usage: x509.ExtKeyUsageClientAuth, Restart: "kube-scheduler",
		},
		{
			// Only on the node where kubeadm init ran, since 1.29.
			Name: "super-admin.conf", Kind: facts.Kubeconfig, Path: "/etc/kubernetes/super-admin.conf",
			Authority: "ca", Usage: x509.ExtKeyUsageClientAuth, Optional: true,
		},
	},
}

func authority(name, base string) Entry {
	return Entry{
		Name: name, Kind: facts.Authority,
		Path: "/etc/kubernetes/pki/" + base + ".crt", KeyPath: "/etc/kubernetes/pki/" + base + ".key",
	}
}

func client(name, base, ca string) Entry {
	return Entry{
		Name: name, Kind: facts.Leaf, Authority: ca, Usage: x509.ExtKeyUsageClientAuth,
		Path: "/etc/kubernetes/pki/" + base + ".crt", KeyPath: "/etc/kubernetes/pki/" + base + ".key",
	}
}

func serving(name, base, ca string, port int, component string) Entry {
	e := client(name, base, ca)
	e.Usage, e.Port, e.Component = x509.ExtKeyUsageServerAuth, port, component
	return e
}
