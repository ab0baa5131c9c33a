package renew

import (
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"strings"

	"upkeep/providers/node/agent/pki"
)

// repairs refuses a certificate that was made anew, unless it has what the old one lacked and loses no name: a name that only the
// old one has may be one that clients use.
func repairs(it item, cert *x509.Certificate) error {
	for _, name := range it.sans {
		if !hasSAN(cert, name) {
			return fmt.Errorf("it still lacks %s: the cluster's configuration does not name it for this node", name)
		}
	}
	names := slices.Clone(it.old.DNSNames)
	for _, ip := range it.old.IPAddresses {
		names = append(names, ip.String())
	}
	for _, name := range names {
		if !hasSAN(cert, name) {
			return fmt.Errorf("it would lose the name %s, which the cluster's configuration does not give it: add the name to certSANs first", name)
		}
	}
	return nil
}

func hasSAN(cert *x509.Certificate, name string) bool {
	if ip := net.ParseIP(name); ip != nil {
		return slices.ContainsFunc(cert.IPAddresses, ip.Equal)
	}
	return slices.ContainsFunc(cert.DNSNames, func(s string) bool { return strings.EqualFold(s, name) })
}

// withNamesOf returns a certificate with the names of another one, for a comparison of everything else.
func withNamesOf(old, names *x509.Certificate) *x509.Certificate {
	c := *old
	c.DNSNames, c.IPAddresses = names.DNSNames, names.IPAddresses
	return &c
}

// registeredName is the name by which the cluster knows this node, which kubeadm writes into new certificates: the one in the
// kubelet's client certificate.
func (r *Renewer) registeredName() (string, error) {
	entry, _ := r.layout.Lookup("kubelet-client")
	text, _, err := pki.ReadKubelet(r.Disk, entry)
	if err != nil {
		return "", fmt.Errorf("the name of this node: %w", err)
	}
	certs, err := pki.ParseCertificates(text)
	if err != nil {
		return "", fmt.Errorf("the name of this node: %s: %w", entry.Path, err)
	}
	name, ok := strings.CutPrefix(certs[0].Subject.CommonName, "system:node:")
	if !ok || name == "" {
		return "", fmt.Errorf("the name of this node: %s is not a kubelet's client certificate", entry.Path)
	}
	return name, nil
}
