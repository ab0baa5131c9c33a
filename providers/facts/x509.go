package facts

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"strings"
)

// CertificateOf returns the facts of a parsed certificate.
func CertificateOf(c *x509.Certificate) Certificate {
	f := Certificate{
		Serial:    strings.ToUpper(c.SerialNumber.Text(16)),
		SHA256:    Fingerprint(c.Raw),
		Subject:   c.Subject.String(),
		Issuer:    c.Issuer.String(),
		NotBefore: c.NotBefore.UTC(),
		NotAfter:  c.NotAfter.UTC(),
		IsCA:      c.IsCA,
		DNSNames:  c.DNSNames,
	}
	for _, ip := range c.IPAddresses {
		f.IPAddresses = append(f.IPAddresses, ip.String())
	}
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		f.Algorithm = fmt.Sprintf("RSA-%d", key.N.BitLen())
	case *ecdsa.PublicKey:
		f.Algorithm = fmt.Sprintf("ECDSA-P%d", key.Curve.Params().BitSize)
	case ed25519.PublicKey:
		f.Algorithm = "Ed25519"
	}
	return f
}

// Fingerprint returns the lower-case hexadecimal SHA-256 of a certificate's DER bytes.
func Fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}
