package sign

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"upkeep/fixtures/pki"
	"upkeep/providers/node/protocol"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const year = 365 * 24 * time.Hour

// holder is a client with a certificate that has expired.
type holder struct {
	caPEM, caKey []byte
	ca           *x509.Certificate
	key          crypto.Signer
	old          *x509.Certificate
}

func newHolder(t *testing.T, key crypto.Signer, change func(ca, leaf *x509.Certificate)) holder {
	t.Helper()
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kubernetes"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: now.Add(-3 * year), NotAfter: now.Add(7 * year), KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "kubernetes-admin", Organization: []string{"kubeadm:cluster-admins"}},
		NotBefore: now.Add(-year - time.Hour - backdate), NotAfter: now.Add(-time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	change(ca, leaf)
	h := holder{key: key, ca: issue(t, ca, ca, signer.Public(), signer)}
	h.old = issue(t, leaf, h.ca, key.Public(), signer)
	h.caPEM = pki.CertificatePEM(h.ca)
	if h.caKey, err = pki.KeyPEM(signer); err != nil {
		t.Fatal(err)
	}
	return h
}

func issue(t *testing.T, template, parent *x509.Certificate, public crypto.PublicKey, signer crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// asks is what the holder of the old key asks for a new one.
func (h holder) asks(t *testing.T, fresh crypto.Signer) protocol.SignRequest {
	t.Helper()
	request, err := x509.CreateCertificateRequest(rand.Reader,
		&x509.CertificateRequest{Subject: pkix.Name{CommonName: "root", Organization: []string{"system:masters"}}}, fresh)
	if err != nil {
		t.Fatal(err)
	}
	sum, hash := request, crypto.Hash(0)
	if _, is := h.key.(ed25519.PrivateKey); !is {
		digest := sha256.Sum256(request)
		sum, hash = digest[:], crypto.SHA256
	}
	proof, err := h.key.Sign(rand.Reader, sum, hash)
	if err != nil {
		t.Fatal(err)
	}
	return protocol.SignRequest{Certificate: pki.CertificatePEM(h.old), Request: request, Proof: proof}
}

func ecKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// What is signed is the old certificate's client, for the new key: of the request's own subject nothing is taken.
func TestWith(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		key    crypto.Signer
		change func(ca, leaf *x509.Certificate)
		ends   time.Time
	}{
		"ECDSA":   {ecKey(t), func(_, _ *x509.Certificate) {}, now.Add(year)},
		"RSA":     {rsaKey, func(_, _ *x509.Certificate) {}, now.Add(year)},
		"Ed25519": {edKey, func(_, _ *x509.Certificate) {}, now.Add(year)},
		"not after the authority": {
			ecKey(t), func(ca, _ *x509.Certificate) { ca.NotAfter = now.Add(30 * 24 * time.Hour) }, now.Add(30 * 24 * time.Hour),
		},
		"dated back to the authority, as older releases did": {
			ecKey(t), func(ca, leaf *x509.Certificate) { leaf.NotBefore = ca.NotBefore }, now.Add(year),
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHolder(t, test.key, test.change)
			fresh := ecKey(t)
			result, err := With(h.caPEM, h.caKey, h.asks(t, fresh), now)
			if err != nil {
				t.Fatal(err)
			}
			block, _ := pem.Decode(result.Certificate)
			made, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			if err := made.CheckSignatureFrom(h.ca); err != nil {
				t.Error(err)
			}
			if string(made.RawSubject) != string(h.old.RawSubject) || made.IsCA || len(made.ExtKeyUsage) != 1 ||
				made.ExtKeyUsage[0] != x509.ExtKeyUsageClientAuth || !made.NotAfter.Equal(test.ends) {
				t.Errorf("%s until %s, usages %v", made.Subject, made.NotAfter, made.ExtKeyUsage)
			}
			if public := fresh.Public().(*ecdsa.PublicKey); !public.Equal(made.PublicKey) {
				t.Error("it is for another key than the new one")
			}
		})
	}
}

func TestRefused(t *testing.T) {
	good := func(_, _ *x509.Certificate) {}
	h := newHolder(t, ecKey(t), good)
	other := newHolder(t, ecKey(t), good)
	weak, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	with := func(change func(*protocol.SignRequest)) protocol.SignRequest {
		q := h.asks(t, ecKey(t))
		change(&q)
		return q
	}
	for name, test := range map[string]struct {
		holder holder
		q      protocol.SignRequest
		want   string
	}{
		"of another authority":    {h, other.asks(t, ecKey(t)), "was not signed by this cluster's authority"},
		"without the old key":     {h, with(func(q *protocol.SignRequest) { q.Proof = other.asks(t, ecKey(t)).Proof }), "does not come from who has"},
		"proof of another":        {h, with(func(q *protocol.SignRequest) { q.Request = h.asks(t, ecKey(t)).Request }), "does not come from who has"},
		"an authority as client":  {h, with(func(q *protocol.SignRequest) { q.Certificate = h.caPEM }), "is not a client's alone"},
		"no certificate":          {h, with(func(q *protocol.SignRequest) { q.Certificate = nil }), "the old certificate"},
		"no request":              {h, with(func(q *protocol.SignRequest) { q.Request = nil }), "the request"},
		"a weak key":              {h, h.asks(t, weak), "fewer than 256"},
		"the key of another CA":   {holder{caPEM: h.caPEM, caKey: other.caKey}, h.asks(t, ecKey(t)), "is not that of the authority"},
		"a CA that has expired":   refusedOf(t, func(ca, _ *x509.Certificate) { ca.NotAfter = now.Add(-time.Minute) }, "the authority is valid from"),
		"a server's certificate":  refusedOf(t, serverAuth, "is not a client's alone"),
		"one that never was used": refusedOf(t, func(_, leaf *x509.Certificate) { leaf.NotAfter = leaf.NotBefore.Add(time.Minute) }, "ended before it began"),
	} {
		t.Run(name, func(t *testing.T) {
			result, err := With(test.holder.caPEM, test.holder.caKey, test.q, now)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
			if len(result.Certificate) > 0 {
				t.Error("a certificate came back all the same")
			}
		})
	}
}

func serverAuth(_, leaf *x509.Certificate) {
	leaf.ExtKeyUsage = append(leaf.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
}

func refusedOf(t *testing.T, change func(ca, leaf *x509.Certificate), want string) struct {
	holder holder
	q      protocol.SignRequest
	want   string
} {
	h := newHolder(t, ecKey(t), change)
	return struct {
		holder holder
		q      protocol.SignRequest
		want   string
	}{h, h.asks(t, ecKey(t)), want}
}
