package renew

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"

	"upkeep/providers/node/agent/pki"
)

// backdate is how far a new certificate is dated back, as kubeadm does: the clocks of nodes differ.
const backdate = 5 * time.Minute

// issue signs an item again with the key of its CA, for the key that the item has: subject, names, usages and the
// length of its life stay. It never ends after its CA.
func (r *Renewer) issue(it item) (renewed, error) {
	key, err := pki.ParseKey(it.key.data)
	if err != nil {
		return renewed{}, fmt.Errorf("%s: %w", it.key.path, err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return renewed{}, err
	}
	old, now := it.old, r.Now()
	ends := now.Add(old.NotAfter.Sub(old.NotBefore))
	if ends.After(it.authority.NotAfter) {
		ends = it.authority.NotAfter
	}
	template := &x509.Certificate{
		SerialNumber: serial, RawSubject: old.RawSubject,
		NotBefore: now.Add(-backdate), NotAfter: ends,
		KeyUsage: old.KeyUsage, ExtKeyUsage: old.ExtKeyUsage, UnknownExtKeyUsage: old.UnknownExtKeyUsage,
		DNSNames: old.DNSNames, IPAddresses: old.IPAddresses, EmailAddresses: old.EmailAddresses, URIs: old.URIs,
		BasicConstraintsValid: old.BasicConstraintsValid,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, it.authority, key.Public(), it.signer)
	if err != nil {
		return renewed{}, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	cert, err := verify(it, text, it.key.data, now)
	if err != nil {
		return renewed{}, fmt.Errorf("what was signed is refused: %w", err)
	}
	return renewed{it.entry.Name, pki.Serial(cert), cert.NotAfter.UTC(), []newFile{{it.key, it.key.data}, {it.cert,
		text}}}, nil
}
