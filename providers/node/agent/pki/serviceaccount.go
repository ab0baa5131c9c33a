package pki

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
)

// serviceAccount reads the pair that signs tokens of service accounts (cmd/kubeadm/app/constants:
// ServiceAccountPrivateKeyName, ServiceAccountPublicKeyName). Of both halves it keeps the digest of the public key
// alone. An empty path of the public half: there is no such file.
func (c *collector) serviceAccount(private, public string) *facts.ServiceAccount {
	s := &facts.ServiceAccount{Path: private, PublicPath: public}
	data, info, err := c.disk.Read(s.Path, MaxFile)
	if info != (disk.Info{}) {
		s.Mode, s.KeyOwner = info.Permissions(), foreignOwner(info)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.Missing = true
	case err != nil:
		s.Unknown = err.Error()
	default:
		key, err := ParseKey(data)
		if err != nil {
			s.Unknown = err.Error()
			break
		}
		s.KeyID = publicKeyID(key.Public())
	}
	if public == "" {
		return s
	}
	data, _, err = c.disk.Read(s.PublicPath, MaxFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.PublicUnknown = "the file is missing"
	case err != nil:
		s.PublicUnknown = err.Error()
	default:
		if s.PublicKeyID = parsePublicKey(data); s.PublicKeyID == "" {
			s.PublicUnknown = "the file holds no PEM public key"
		}
	}
	return s
}

// parsePublicKey returns the KeyID of the first public key of a PEM file; empty where there is none. kubeadm writes
// PKIX; older tools wrote PKCS #1.
func parsePublicKey(data []byte) string {
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return ""
		}
		if key, err := x509.ParsePKIXPublicKey(block.Bytes); err == nil {
			return publicKeyID(key)
		}
		if key, err := x509.ParsePKCS1PublicKey(block.Bytes); err == nil {
			return publicKeyID(key)
		}
	}
}

func publicKeyID(key crypto.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return ""
	}
	return KeyID(der)
}
