// Package sign issues an operator's client certificate again, for a new key, with the authority of the cluster that
// lies on this node.
//
// It gives nobody more than they had: the new certificate has the subject, the usages and the length of life of an old
// one that this authority signed, and only who has the old one's private key gets it. That the old one has expired is
// no obstacle, since that is when it is needed. It writes nothing, and no private key leaves the node or comes to it.
package sign

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/pki"
	"upkeep/providers/node/protocol"
)

// Authorities are the names, in the layouts, of what signs the client certificates of the API: kubeadm's and
// kubespray's, and that of k3s and RKE2.
func Authorities() []string { return []string{"ca", "client-ca"} }

// Run signs a request with the authority of this node.
func Run(d *disk.Disk, q protocol.SignRequest, now time.Time) (protocol.SignResult, error) {
	found, err := pki.Find(d, "auto")
	if err != nil {
		return protocol.SignResult{}, fmt.Errorf("sign a client certificate: %w", err)
	}
	for _, name := range Authorities() {
		entry, ok := found.Lookup(name)
		if !ok || entry.KeyPath == "" {
			continue
		}
		certificate, _, err := d.Read(entry.Path, pki.MaxFile)
		if err != nil {
			return protocol.SignResult{}, fmt.Errorf("sign a client certificate: %w", err)
		}
		key, _, err := d.Read(entry.KeyPath, pki.MaxFile)
		if err != nil {
			return protocol.SignResult{}, fmt.Errorf("sign a client certificate: the key of the authority: %w", err)
		}
		return With(certificate, key, q, now)
	}
	return protocol.SignResult{}, errors.New("sign a client certificate: this node has no authority of the API's clients")
}

// With signs a request with an authority: one or more certificates of it, and the key of one of these, both PEM.
func With(authority, key []byte, q protocol.SignRequest, now time.Time) (protocol.SignResult, error) {
	made, err := with(authority, key, q, now)
	if err != nil {
		return protocol.SignResult{}, fmt.Errorf("sign a client certificate: %w", err)
	}
	return protocol.SignResult{Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made})}, nil
}

func with(authority, key []byte, q protocol.SignRequest, now time.Time) ([]byte, error) {
	authorities, err := pki.ParseCertificates(authority)
	if err != nil {
		return nil, fmt.Errorf("the authority: %w", err)
	}
	signer, err := pki.ParseKey(key)
	if err != nil {
		return nil, fmt.Errorf("the key of the authority: %w", err)
	}
	i := slices.IndexFunc(authorities, func(c *x509.Certificate) bool { return c.IsCA && pki.KeyMatches(c, signer) })
	if i < 0 {
		return nil, errors.New("the key on this node is not that of the authority")
	}
	ca := authorities[i]
	if now.After(ca.NotAfter) || now.Before(ca.NotBefore) {
		return nil, fmt.Errorf("the authority is valid from %s to %s, and it is %s", ca.NotBefore.UTC().Format(time.RFC3339),
			ca.NotAfter.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	if len(q.Certificate) > pki.MaxFile {
		return nil, errors.New("the old certificate is too long")
	}
	given, err := pki.ParseCertificates(q.Certificate)
	if err != nil {
		return nil, fmt.Errorf("the old certificate: %w", err)
	}
	old := given[0]
	request, err := x509.ParseCertificateRequest(q.Request)
	if err != nil {
		return nil, fmt.Errorf("the request: %w", err)
	}
	if err := mayReplace(ca, old, request, q); err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	ends := now.Add(life(ca, old))
	if ends.After(ca.NotAfter) {
		ends = ca.NotAfter
	}
	return x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial, RawSubject: old.RawSubject,
		NotBefore: now.Add(-backdate), NotAfter: ends,
		KeyUsage: old.KeyUsage, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}, ca, request.PublicKey, signer)
}

// backdate is how far a certificate is dated back, as kubeadm does it, for nodes whose clocks are late.
const backdate = 5 * time.Minute

// usual is kubeadm's default life of a certificate (constants.CertificateValidityPeriod).
const usual = 365 * 24 * time.Hour

// life is how long the old certificate was issued for. Older releases of kubeadm date a certificate back to the
// beginning of its authority, and issued every one for a year.
func life(ca, old *x509.Certificate) time.Duration {
	if old.NotBefore.Equal(ca.NotBefore) {
		return usual
	}
	return old.NotAfter.Sub(old.NotBefore) - backdate
}

// mayReplace says why a request gets no certificate in place of an old one; nil where it does.
func mayReplace(ca, old *x509.Certificate, request *x509.CertificateRequest, q protocol.SignRequest) error {
	if err := old.CheckSignatureFrom(ca); err != nil {
		return fmt.Errorf("the old certificate was not signed by this cluster's authority: %w", err)
	}
	if old.IsCA || !slices.Equal(old.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}) {
		return errors.New("the old certificate is not a client's alone")
	}
	if life(ca, old) <= 0 {
		return errors.New("the old certificate ended before it began")
	}
	if err := request.CheckSignature(); err != nil {
		return fmt.Errorf("the request was not signed by its own key: %w", err)
	}
	if err := strong(request.PublicKey); err != nil {
		return err
	}
	algorithm, err := algorithm(old.PublicKey)
	if err != nil {
		return err
	}
	if err := old.CheckSignature(algorithm, q.Request, q.Proof); err != nil {
		return fmt.Errorf("the request does not come from who has the old certificate's key: %w", err)
	}
	return nil
}

func algorithm(public any) (x509.SignatureAlgorithm, error) {
	switch public.(type) {
	case *rsa.PublicKey:
		return x509.SHA256WithRSA, nil
	case *ecdsa.PublicKey:
		return x509.ECDSAWithSHA256, nil
	case ed25519.PublicKey:
		return x509.PureEd25519, nil
	}
	return 0, fmt.Errorf("the old certificate has a key of an unknown type, %T", public)
}

// shortest is the length of the shortest RSA key that a certificate is signed for, in bits (kubeadm's default).
const shortest = 2048

func strong(public any) error {
	switch key := public.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() < shortest {
			return fmt.Errorf("the new key has %d bits, fewer than %d", key.N.BitLen(), shortest)
		}
	case *ecdsa.PublicKey:
		if key.Curve.Params().BitSize < 256 {
			return fmt.Errorf("the new key has %d bits, fewer than 256", key.Curve.Params().BitSize)
		}
	case ed25519.PublicKey:
	default:
		return fmt.Errorf("the new key is of an unknown type, %T", public)
	}
	return nil
}
