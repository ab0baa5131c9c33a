package layout

import (
	"crypto/x509"
	"slices"

	"upkeep/providers/facts"
)

// Way is how a certificate is renewed.
type Way string

// The ways.
const (
	// ByNobody: upkeep watches the certificate, and somebody else renews it: a CA's owner, the kubelet.
	ByNobody Way = ""
	// ByKubeadm: `kubeadm certs renew NAME`, with the cluster's own configuration.
	ByKubeadm Way = "kubeadm"
	// ByAuthority: upkeep issues the certificate again with the key of its CA, for the key that it has.
	ByAuthority Way = "authority"
	// ByService: the service renews its certificates when it starts, where they end soon.
	ByService Way = "service"
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
	// Usage is the extended key usage it must be good for; unused for a CA. Both: for servers and clients, since a member
	// of etcd shows the same certificate when it is called and when it calls.
	Usage x509.ExtKeyUsage
	Both  bool
	// Port is the TLS port that serves it, 0 where none does; Component the process behind that port.
	Port      int
	Component string
	// Restart is the static pod that keeps the old certificate until it is started again; empty where everything that
	// uses the certificate reads it again by itself.
	Restart string
	// Renewed is how it is renewed.
	Renewed Way
	// Optional: not every node has it, and a node without it is healthy.
	Optional bool
}

// Renewable reports whether a renewal of upkeep's can name it: never a CA, nor what the kubelet or a service renews.
func (e Entry) Renewable() bool { return e.Renewed == ByKubeadm || e.Renewed == ByAuthority }

// Usages are the extended key usages that a certificate must be good for; none for a CA.
func (e Entry) Usages() []x509.ExtKeyUsage {
	switch {
	case e.Kind == facts.Authority:
		return nil
	case e.Both:
		return []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	}
	return []x509.ExtKeyUsage{e.Usage}
}

// Layout is where one way of installing Kubernetes keeps its certificates.
type Layout struct {
	Name string
	// Dir is the directory of the certificates.
	Dir string
	// Roots are the directories that hold everything of the layout. A link in one of them is followed where it leads to
	// one of them.
	Roots []string
	// Archive are the directories that are kept as they were before anything is renewed.
	Archive []string
	// Service is the service that renews the certificates and is restarted for that; empty where none does. Etcd is the
	// service of the node's member of etcd, where that is no static pod.
	Service, Etcd string
	entries       []Entry
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

// At returns the layout with every path changed by a function: what a link stands for is what is meant.
func (l Layout) At(resolve func(path string) string) Layout {
	l.entries = slices.Clone(l.entries)
	for i := range l.entries {
		e := &l.entries[i]
		e.Path = resolve(e.Path)
		if e.KeyPath != "" {
			e.KeyPath = resolve(e.KeyPath)
		}
	}
	l.Dir, l.Archive = resolve(l.Dir), slices.Clone(l.Archive)
	for i := range l.Archive {
		l.Archive[i] = resolve(l.Archive[i])
	}
	return l
}

// Only returns the layout with those of its entries that a function keeps.
func (l Layout) Only(keep func(Entry) bool) Layout {
	l.entries = slices.DeleteFunc(slices.Clone(l.entries), func(e Entry) bool { return !keep(e) })
	return l
}

// OfEtcd reports whether a certificate is etcd's own or one of its clients'.
func (e Entry) OfEtcd() bool { return e.Name == etcdAuthority || e.Authority == etcdAuthority }

// etcdAuthority is the name of etcd's CA in every layout.
const etcdAuthority = "etcd-ca"

// leafOf is a certificate with its key in a file of its own.
func leafOf(name, cert, key, ca string, usage x509.ExtKeyUsage, way Way) Entry {
	return Entry{Name: name, Kind: facts.Leaf, Path: cert, KeyPath: key, Authority: ca, Usage: usage, Renewed: way}
}

// Clients returns the name of the CA that signs the clients of the API server, and so the kubeconfigs.
func (l Layout) Clients() string {
	if l.Service != "" {
		return "client-ca"
	}
	return "ca"
}

// Cluster returns the names of the CA that tells which cluster a node is of, the best first: the one that signs what
// the API server serves.
func (l Layout) Cluster() []string {
	if l.Service != "" {
		return []string{"server-ca", "agent/server-ca"}
	}
	return []string{"ca"}
}

// both is an entry of a member of etcd, which is a server and a client with one certificate.
func both(e Entry) Entry {
	e.Both = true
	return e
}
