package kube

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"upkeep/providers/bounded"
	"upkeep/state/durable"
)

// Signer has a client certificate signed that takes the place of an old one: for a request, PKCS #10 in DER, with the
// old key's signature over it. It returns the new certificate, PEM.
type Signer func(ctx context.Context, old, request, proof []byte) ([]byte, error)

// RenewClient renews the client certificate of a kubeconfig's user: a new key is made here and never leaves the file.
// The old file is kept next to it, under the name that is returned. Server, CA, contexts and other users stay as they
// were. The certificate and key are embedded also where the old ones were files.
func RenewClient(ctx context.Context, path, name string, now time.Time, sign Signer) (kept string, err error) {
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return "", err
	}
	client, err := Open(path, name)
	if err != nil {
		return "", err
	}
	raw, err := clientcmd.LoadFromFile(path) // with the paths of files as they are written there
	if err != nil {
		return "", fmt.Errorf("reading kubeconfig %s: %w", path, err)
	}
	if name == "" {
		name = raw.CurrentContext
	}
	chosen := raw.Contexts[name]
	if chosen == nil || raw.AuthInfos[chosen.AuthInfo] == nil {
		return "", fmt.Errorf("kubeconfig %s names no user", path)
	}
	old, key, err := client.clientPair()
	if err != nil {
		return "", fmt.Errorf("kubeconfig %s: %w", path, err)
	}
	certificate, fresh, err := renewPair(ctx, old, key, sign)
	if err != nil {
		return "", err
	}
	before, err := bounded.File(path, bounded.Text)
	if err != nil {
		return "", err
	}
	owner, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	user := raw.AuthInfos[chosen.AuthInfo]
	user.ClientCertificate, user.ClientCertificateData = "", certificate
	user.ClientKey, user.ClientKeyData = "", fresh
	text, err := clientcmd.Write(*raw)
	if err != nil {
		return "", fmt.Errorf("kubeconfig %s: %w", path, err)
	}
	kept = path + ".old-" + now.UTC().Format("20060102T150405Z")
	if err := replace(kept, before, owner); err != nil {
		return "", fmt.Errorf("keeping the old kubeconfig: %w", err)
	}
	if err := replace(path, text, owner); err != nil {
		return "", fmt.Errorf("writing the kubeconfig: %w", err)
	}
	return kept, nil
}

// clientPair returns the client certificate and key of the kubeconfig's user, PEM.
func (c *Client) clientPair() (certificate, key []byte, err error) {
	certificate, key = c.config.CertData, c.config.KeyData
	if len(certificate) == 0 && c.config.CertFile != "" {
		if certificate, err = bounded.File(c.config.CertFile, bounded.Keys); err != nil {
			return nil, nil, err
		}
	}
	if len(key) == 0 && c.config.KeyFile != "" {
		if key, err = bounded.File(c.config.KeyFile, bounded.Keys); err != nil {
			return nil, nil, err
		}
	}
	if len(certificate) == 0 || len(key) == 0 {
		return nil, nil, errors.New("its user has no client certificate with a key")
	}
	return certificate, key, nil
}

// renewPair makes a new key of the old one's kind, and has a certificate signed for it.
func renewPair(ctx context.Context, old, oldKey []byte, sign Signer) (certificate, key []byte, err error) {
	pair, err := tls.X509KeyPair(old, oldKey)
	if err != nil {
		return nil, nil, fmt.Errorf("the client certificate and its key: %w", err)
	}
	holder, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, nil, fmt.Errorf("a key of type %T cannot sign", pair.PrivateKey)
	}
	fresh, err := another(holder)
	if err != nil {
		return nil, nil, err
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, fresh)
	if err != nil {
		return nil, nil, err
	}
	proof, err := prove(holder, request)
	if err != nil {
		return nil, nil, err
	}
	leaf := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})
	if certificate, err = sign(ctx, leaf, request, proof); err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(fresh)
	if err != nil {
		return nil, nil, err
	}
	key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	made, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, nil, fmt.Errorf("what was signed is refused: %w", err)
	}
	return certificate, key, sameClient(pair.Certificate[0], made.Certificate[0])
}

// sameClient refuses a certificate that is another client's than the old one, or does not end later.
func sameClient(old, made []byte) error {
	was, err := x509.ParseCertificate(old)
	if err != nil {
		return err
	}
	is, err := x509.ParseCertificate(made)
	switch {
	case err != nil:
		return err
	case string(was.RawSubject) != string(is.RawSubject):
		return fmt.Errorf("what was signed is refused: it is for %s, and the old one for %s", is.Subject, was.Subject)
	case !is.NotAfter.After(was.NotAfter):
		return fmt.Errorf("what was signed is refused: it ends %s, not later than the old one",
			is.NotAfter.UTC().Format(time.RFC3339))
	}
	return nil
}

// another makes a key of the same kind.
func another(old crypto.Signer) (crypto.Signer, error) {
	switch key := old.(type) {
	case *rsa.PrivateKey:
		return rsa.GenerateKey(rand.Reader, max(key.N.BitLen(), 2048))
	case ed25519.PrivateKey:
		_, fresh, err := ed25519.GenerateKey(rand.Reader)
		return fresh, err
	case *ecdsa.PrivateKey:
		if key.Params().BitSize >= 256 {
			return ecdsa.GenerateKey(key.Curve, rand.Reader)
		}
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

// prove signs a request with the old key.
func prove(holder crypto.Signer, request []byte) ([]byte, error) {
	if _, is := holder.(ed25519.PrivateKey); is {
		return holder.Sign(rand.Reader, request, crypto.Hash(0))
	}
	sum := sha256.Sum256(request)
	return holder.Sign(rand.Reader, sum[:], crypto.SHA256)
}

// replace writes a file with its owner's rights alone. It belongs to whom the kubeconfig belongs: upkeep may run as
// root for somebody.
func replace(path string, data []byte, owner fs.FileInfo) error {
	if err := durable.Replace(path, data, 0o600, nil); err != nil {
		return err
	}
	if of, ok := owner.Sys().(*syscall.Stat_t); ok && int(of.Uid) != os.Geteuid() {
		return os.Chown(path, int(of.Uid), int(of.Gid))
	}
	return nil
}
