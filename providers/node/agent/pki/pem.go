package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"strings"

	"upkeep/providers/facts"
)

// MaxFile is how many bytes of one certificate, key, kubeconfig or manifest file are read at most. The largest that
// kubeadm writes is below 10 KiB; etcd's limit for an object is 1.5 MiB.
const MaxFile = 1 << 20

// ParseCertificates returns every certificate of a PEM file, in order. Blocks of other types (a key next to its
// certificate, as the kubelet writes) are passed over. A file without any certificate is an error, and so is one with a
// broken one, or with something that begins like PEM and is not.
func ParseCertificates(data []byte) ([]*x509.Certificate, error) {
	var found []*x509.Certificate
	rest := data
	for {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d cannot be parsed: %w", len(found)+1, err)
		}
		found = append(found, cert)
	}
	if bytes.HasPrefix(data, byteOrderMark) {
		return nil, errors.New("it begins with a byte order mark, which hides the first PEM block")
	}
	if begun := strings.Count(string(data), "-----BEGIN CERTIFICATE-----"); begun > len(found) {
		return nil, fmt.Errorf("%d PEM certificates begin and only %d are complete", begun, len(found))
	}
	if len(found) == 0 {
		return nil, errors.New(without("certificate", data))
	}
	return found, nil
}

// byteOrderMark is what some editors write before a text in UTF-8; a PEM block must begin a line.
var byteOrderMark = []byte("\xef\xbb\xbf")

// without says what a file holds that has not the PEM block that it should have.
func without(wanted string, data []byte) string {
	switch {
	case len(data) == 0:
		return "the file is empty"
	case bytes.HasPrefix(data, byteOrderMark):
		return "it begins with a byte order mark, which hides the first PEM block"
	case bytes.Contains(data, []byte("PRIVATE KEY-----")) && wanted == "certificate":
		return "it holds a private key and no certificate"
	case bytes.Contains(data, []byte("-----BEGIN CERTIFICATE-----")):
		return "it holds a certificate and no " + wanted
	}
	if _, err := x509.ParseCertificate(data); err == nil {
		return "it holds a certificate in DER, and Kubernetes reads PEM alone"
	}
	if parseKey(data) != nil {
		return "it holds a private key in DER, and Kubernetes reads PEM alone"
	}
	return "no PEM " + wanted + " in it"
}

// ParseKey returns the first private key of a PEM file. Its errors never hold what was read.
func ParseKey(data []byte) (crypto.Signer, error) {
	for rest := data; ; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			return nil, errors.New(without("private key", data))
		}
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		// PKCS #8 says so in the block's type (RFC 5958), older PEM in a header (RFC 1421).
		if strings.HasPrefix(block.Type, "ENCRYPTED") || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return nil, errors.New("the private key is encrypted, and Kubernetes reads no encrypted keys")
		}
		if key := parseKey(block.Bytes); key != nil {
			return key, nil
		}
		return nil, errors.New("the private key cannot be parsed")
	}
}

func parseKey(der []byte) crypto.Signer {
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key
	}
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		if signer, ok := key.(crypto.Signer); ok {
			return signer
		}
	}
	return nil
}

// KeyMatches reports whether a private key belongs to a certificate.
func KeyMatches(cert *x509.Certificate, key crypto.Signer) bool {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(cert.PublicKey)
}

// Describe returns the facts of one certificate.
func Describe(cert *x509.Certificate) facts.Certificate {
	c := facts.Certificate{
		Serial:    Serial(cert),
		SHA256:    Fingerprint(cert),
		Subject:   cert.Subject.String(),
		Issuer:    cert.Issuer.String(),
		NotBefore: cert.NotBefore.UTC(),
		NotAfter:  cert.NotAfter.UTC(),
		IsCA:      cert.IsCA,
		DNSNames:  cert.DNSNames,
		Algorithm: algorithm(cert.PublicKey),
	}
	if cert.IsCA {
		c.KeyID = KeyID(cert.RawSubjectPublicKeyInfo)
	}
	for _, ip := range cert.IPAddresses {
		c.IPAddresses = append(c.IPAddresses, ip.String())
	}
	return c
}

// Serial returns a certificate's serial number as facts have it: upper-case hexadecimal, as `openssl x509 -serial` prints
// it, an even number of digits.
func Serial(cert *x509.Certificate) string {
	s := fmt.Sprintf("%X", cert.SerialNumber)
	if len(s)%2 == 1 {
		s = "0" + s
	}
	return s
}

// Fingerprint returns the lower-case hexadecimal SHA-256 of a certificate's DER bytes.
func Fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return hex.EncodeToString(sum[:])
}

// KeyID returns the lower-case hexadecimal SHA-256 of a public key's DER bytes (SubjectPublicKeyInfo, RFC 5280).
func KeyID(spki []byte) string {
	sum := sha256.Sum256(spki)
	return hex.EncodeToString(sum[:])
}

func algorithm(public any) string {
	switch key := public.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA-%d", key.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA-" + strings.ReplaceAll(key.Curve.Params().Name, "-", "")
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return fmt.Sprintf("%T", public)
}

// SameNames reports whether two certificates have the same subject, subject alternative names and extended key usages:
// what a renewal must keep.
func SameNames(a, b *x509.Certificate) error {
	ips := func(list []net.IP) []string {
		var out []string
		for _, ip := range list {
			out = append(out, ip.String())
		}
		return out
	}
	switch {
	case !sameSubject(a, b):
		return fmt.Errorf("its subject was %q and would become %q", a.Subject, b.Subject)
	case !sameSet(a.DNSNames, b.DNSNames):
		return fmt.Errorf("its DNS names were %v and would become %v", a.DNSNames, b.DNSNames)
	case !sameSet(ips(a.IPAddresses), ips(b.IPAddresses)):
		return fmt.Errorf("its IP addresses were %v and would become %v", a.IPAddresses, b.IPAddresses)
	case !sameSet(a.ExtKeyUsage, b.ExtKeyUsage):
		return errors.New("its extended key usages would change")
	}
	return nil
}

func sameSubject(a, b *x509.Certificate) bool {
	return a.Subject.CommonName == b.Subject.CommonName && sameSet(a.Subject.Organization, b.Subject.Organization)
}

func sameSet[T comparable](a, b []T) bool {
	set := map[T]bool{}
	for _, v := range a {
		set[v] = true
	}
	for _, v := range b {
		if !set[v] {
			return false
		}
		delete(set, v)
	}
	return len(set) == 0
}
