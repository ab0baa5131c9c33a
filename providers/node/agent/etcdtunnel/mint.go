package etcdtunnel

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"

	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/pki"
)

// mintedLife is how long a minted certificate is valid: long enough for a snapshot of the largest database that etcd
// supports, too short to be worth stealing. It is never written anywhere.
const mintedLife = 15 * time.Minute

// mint signs a client certificate with etcd's own authority, in memory: where every certificate of a client has ended, etcd
// could neither be looked at nor backed up before they are renewed, and they are not renewed without a backup.
func (p place) mint(d *disk.Disk, now time.Time, life time.Duration) (tls.Certificate, error) {
	if p.rootsKey == "" {
		return tls.Certificate{}, errors.New("the key of its authority is not on this node")
	}
	text, _, err := d.Read(p.roots, pki.MaxFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	authorities, err := pki.ParseCertificates(text)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%s: %w", p.roots, err)
	}
	text, _, err = d.Read(p.rootsKey, pki.MaxFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	signer, err := parseKey(text)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%s: %w", p.rootsKey, err)
	}
	for _, ca := range authorities {
		public, ok := ca.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
		if ok && public.Equal(signer.Public()) && now.Before(ca.NotAfter) && now.After(ca.NotBefore) {
			return sign(ca, signer, now, life)
		}
	}
	return tls.Certificate{}, fmt.Errorf("%s is not the key of a valid authority in %s", p.rootsKey, p.roots)
}

func sign(ca *x509.Certificate, signer crypto.Signer, now time.Time, life time.Duration) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "upkeep"},
		NotBefore: now.Add(-time.Minute), NotAfter: now.Add(life),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca, key.Public(), signer)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// parseKey reads the private key of an authority, as kubeadm and openssl write it. Its error holds no piece of it.
func parseKey(text []byte) (crypto.Signer, error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
			return key, nil
		}
		if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
			return key, nil
		}
		if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			if signer, ok := key.(crypto.Signer); ok {
				return signer, nil
			}
		}
	}
	return nil, errors.New("it holds no private key that can be read")
}

// verify checks that a server is what etcd's authority signed. A certificate that has ended is taken: whose it is does
// not change with the clock, its end is reported where certificates are, and refusing it would keep its renewal from
// being backed up.
//
// On the node's own address, a certificate that lacks the address is taken, too.
func verify(roots *x509.CertPool, host string, own bool) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		leaf := state.PeerCertificates[0]
		options := x509.VerifyOptions{Roots: roots, DNSName: host, Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
		if own && leaf.VerifyHostname(host) != nil {
			options.DNSName = ""
		}
		for _, c := range state.PeerCertificates[1:] {
			options.Intermediates.AddCert(c)
		}
		_, err := leaf.Verify(options)
		var invalid x509.CertificateInvalidError
		if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
			options.CurrentTime = leaf.NotAfter.Add(-time.Second)
			_, err = leaf.Verify(options)
		}
		return err
	}
}
