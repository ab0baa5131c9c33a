package facts

import (
	"net/netip"
	"slices"
	"time"
)

// Certificates are the certificates found on one node.
type Certificates struct {
	// Unknown: nobody asked, or the layout could not be determined.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// Layout is the layout that was found: "kubeadm". Because is what told it, where nobody had named it.
	Layout  string `json:"layout,omitempty"`
	Because string `json:"because,omitempty"`
	// Dir is the directory of the certificates, where that is not kubeadm's default.
	Dir string `json:"dir,omitempty"`
	// Files are sorted by path. A file that could not be read is there, with its reason.
	Files []CertificateFile `json:"files,omitempty"`
	// Served is what the TLS ports of the control plane present, sorted by port.
	Served []Served `json:"served,omitempty"`
	// ServiceAccount is the pair that signs the tokens of service accounts; nil: nobody asked, or no control plane.
	ServiceAccount *ServiceAccount `json:"service_account,omitempty"`
	// Foreign is another program on the node that renews certificates; nil: there is none.
	Foreign *ForeignRenewal `json:"foreign,omitempty"`
	// Unfinished are the intents that an interrupted renewal left behind.
	Unfinished []Unfinished `json:"unfinished,omitempty"`
}

// File returns the file with a name of the layout ("apiserver", "controller-manager.conf"), and whether there is one.
func (c Certificates) File(name string) (CertificateFile, bool) {
	for _, f := range c.Files {
		if f.Name == name {
			return f, true
		}
	}
	return CertificateFile{}, false
}

// The kinds of a CertificateFile.
const (
	Authority  = "authority"  // a CA of the layout
	Leaf       = "leaf"       // a certificate with a key file next to it
	Kubeconfig = "kubeconfig" // a client certificate inside a kubeconfig
	Kubelet    = "kubelet"    // a certificate that the kubelet rotates itself
)

// CertificateFile is one file that holds certificates: a PEM file, or a kubeconfig with an embedded client certificate.
type CertificateFile struct {
	// Name is kubeadm's name for it ("apiserver", "etcd-server", "admin.conf", "ca", "etcd-ca"), "kubelet-client" and
	// "kubelet-server" for the kubelet's own, and the path for a kubeconfig that the operator named.
	Name string `json:"name"`
	Kind string `json:"kind"`
	Path string `json:"path"`
	// KeyPath is the private key's file; empty where the key is in the same file.
	KeyPath string `json:"key_path,omitempty"`
	// Authority is the name of the CA that must have signed it; empty for a CA.
	Authority string `json:"authority,omitempty"`

	// Missing: the file is not there. Unknown: it is there and could not be read or parsed; why.
	Missing bool   `json:"missing,omitempty"`
	Unknown string `json:"unknown,omitempty" plain:"said"`
	Mode    string `json:"mode,omitempty"` // "0600"
	// KeyMode is the mode of the file at KeyPath; empty where the key is in the same file, or its mode is unknown.
	KeyMode string `json:"key_mode,omitempty"`
	Owner   string `json:"owner,omitempty"` // "0:0", numeric uid:gid
	// KeyOwner is the owner of the file with the private key, where that is not the user who runs upkeep-node (root).
	KeyOwner string    `json:"key_owner,omitempty"`
	Modified time.Time `json:"modified,omitzero"`

	// Blocks are all certificates of the file in order; the first is the leaf.
	Blocks []Certificate `json:"blocks,omitempty"`
	// Key is "match", "mismatch", "missing" or "unreadable: WHY".
	Key string `json:"key,omitempty"`
	// Chain is empty when the leaf chains to its CA as found on this node; else why it does not.
	Chain string `json:"chain,omitempty"`
	// Usage is what the leaf must be good for and is not: "servers", "clients" or both, by its extended key usages.
	Usage []string `json:"usage,omitempty"`

	// Server and Authorities are a kubeconfig's server URL and the SHA-256 fingerprints of its CA bundle.
	Server      string   `json:"server,omitempty"`
	Authorities []string `json:"authorities,omitempty"`
	// AuthorityKeys are the KeyIDs of that bundle, in its order.
	AuthorityKeys []string `json:"authority_keys,omitempty"`
	// Insecure is why anybody on the way to a kubeconfig's server could take its place or read along; empty: nobody could.
	Insecure string `json:"insecure,omitempty"`
}

// Leaf returns the first certificate of the file, and whether there is one.
func (f CertificateFile) Leaf() (Certificate, bool) {
	if len(f.Blocks) == 0 {
		return Certificate{}, false
	}
	return f.Blocks[0], true
}

// Certificate is one X.509 certificate.
type Certificate struct {
	// Serial is upper-case hexadecimal without colons; SHA256 the lower-case hexadecimal fingerprint of its DER bytes.
	Serial    string    `json:"serial"`
	SHA256    string    `json:"sha256"`
	Subject   string    `json:"subject"`
	Issuer    string    `json:"issuer"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	IsCA      bool      `json:"is_ca,omitempty"`
	// KeyID is the SHA-256 of a CA's public key (SubjectPublicKeyInfo). A CA issued again with its old key keeps it.
	KeyID string `json:"key_id,omitempty"`
	// DNSNames and IPAddresses are its subject alternative names, in the certificate's order.
	DNSNames    []string `json:"dns_names,omitempty"`
	IPAddresses []string `json:"ip_addresses,omitempty"`
	// Algorithm is the public key's: "RSA-2048", "ECDSA-P256".
	Algorithm string `json:"algorithm,omitempty"`
}

// WithSANs returns the names of a certificate with more of them.
func WithSANs(c Certificate, more []string) (names, addresses []string) {
	names, addresses = c.DNSNames, c.IPAddresses
	for _, name := range more {
		if _, err := netip.ParseAddr(name); err == nil {
			addresses = append(slices.Clone(addresses), name)
		} else {
			names = append(slices.Clone(names), name)
		}
	}
	return names, addresses
}

// Served is the leaf that one TLS port presents.
type Served struct {
	// Name is the name of the certificate file that the port should serve: "apiserver", "etcd-server", "etcd-peer",
	// "kubelet-server".
	Name string `json:"name"`
	// Component is the process behind the port: "kube-apiserver", "etcd", "kubelet".
	Component string `json:"component"`
	// Address is host:port as dialled on the node.
	Address string `json:"address"`
	// Unknown: the port did not answer TLS; why.
	Unknown  string    `json:"unknown,omitempty" plain:"said"`
	Serial   string    `json:"serial,omitempty"`
	SHA256   string    `json:"sha256,omitempty"`
	NotAfter time.Time `json:"not_after,omitzero"`
}

// Unfinished is an intent record that a renewal wrote before it changed files, and did not clear.
type Unfinished struct {
	// ID is the intent's directory name; Step the step that was running.
	ID      string    `json:"id"`
	Step    string    `json:"step,omitempty"`
	Started time.Time `json:"started,omitzero"`
	// Installed and Remaining are the names of the certificates already in place and not yet.
	Installed []string `json:"installed,omitempty"`
	Remaining []string `json:"remaining,omitempty"`
	Unknown   string   `json:"unknown,omitempty" plain:"said"`
}

// ServiceAccount is the key pair that kube-controller-manager signs tokens with, and kube-apiserver checks them with.
type ServiceAccount struct {
	// Path and PublicPath are the files of the private and of the public key.
	Path       string `json:"path"`
	PublicPath string `json:"public_path"`
	// Missing: the private key is not there. Unknown: the private key could not be read; why.
	Missing bool   `json:"missing,omitempty"`
	Unknown string `json:"unknown,omitempty" plain:"said"`
	Mode    string `json:"mode,omitempty"` // of the private key, "0600"
	// KeyOwner is the private key's owner, where that is not the user who runs upkeep-node (root).
	KeyOwner string `json:"key_owner,omitempty"`
	// KeyID and PublicKeyID are the SHA-256 of the public half of either file.
	KeyID       string `json:"key_id,omitempty"`
	PublicKeyID string `json:"public_key_id,omitempty"`
	// PublicUnknown says why the public key could not be read, also where its file is missing.
	PublicUnknown string `json:"public_unknown,omitempty" plain:"said"`
}
