package etcdtunnel

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"testing"
	"time"
)

func issue(t *testing.T, name string, parent *x509.Certificate, signer crypto.Signer, until time.Time, usage x509.ExtKeyUsage) (*x509.Certificate, crypto.Signer) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: until.Add(-2000 * time.Hour), NotAfter: until,
		ExtKeyUsage: []x509.ExtKeyUsage{usage}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	if parent == nil {
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage, template.ExtKeyUsage = true, true, x509.KeyUsageCertSign, nil
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c, key
}

// A server whose certificate has ended is still etcd; one of another authority, of another name or without the right to
// serve is not, ended or not.
func TestVerify(t *testing.T) {
	now := time.Now()
	ca, key := issue(t, "etcd-ca", nil, nil, now.Add(1000*time.Hour), 0)
	other, otherKey := issue(t, "etcd-ca", nil, nil, now.Add(1000*time.Hour), 0)
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	for name, test := range map[string]struct {
		ca     *x509.Certificate
		signer crypto.Signer
		until  time.Time
		usage  x509.ExtKeyUsage
		host   string
		own    bool
		good   bool
	}{
		"valid":                     {ca, key, now.Add(time.Hour), x509.ExtKeyUsageServerAuth, "127.0.0.1", false, true},
		"ended":                     {ca, key, now.Add(-time.Hour), x509.ExtKeyUsageServerAuth, "127.0.0.1", false, true},
		"of another CA":             {other, otherKey, now.Add(time.Hour), x509.ExtKeyUsageServerAuth, "127.0.0.1", false, false},
		"of another CA, and ended":  {other, otherKey, now.Add(-time.Hour), x509.ExtKeyUsageServerAuth, "127.0.0.1", false, false},
		"of another name":           {ca, key, now.Add(time.Hour), x509.ExtKeyUsageServerAuth, "127.0.0.2", false, false},
		"of another name and ended": {ca, key, now.Add(-time.Hour), x509.ExtKeyUsageServerAuth, "127.0.0.2", false, false},
		"a client's":                {ca, key, now.Add(time.Hour), x509.ExtKeyUsageClientAuth, "127.0.0.1", false, false},
		"a client's, and ended":     {ca, key, now.Add(-time.Hour), x509.ExtKeyUsageClientAuth, "127.0.0.1", false, false},
		"of another name, at the node's own member":    {ca, key, now.Add(time.Hour), x509.ExtKeyUsageServerAuth, "127.0.0.2", true, true},
		"of another name and ended, at the own member": {ca, key, now.Add(-time.Hour), x509.ExtKeyUsageServerAuth, "127.0.0.2", true, true},
		"of another name and CA, at the own member":    {other, otherKey, now.Add(time.Hour), x509.ExtKeyUsageServerAuth, "127.0.0.2", true, false},
		"a client's of another name, at the own one":   {ca, key, now.Add(time.Hour), x509.ExtKeyUsageClientAuth, "127.0.0.2", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			leaf, _ := issue(t, "etcd", test.ca, test.signer, test.until, test.usage)
			err := verify(roots, test.host, test.own)(tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}})
			if (err == nil) != test.good {
				t.Error(err)
			}
		})
	}
}

func TestMintedCertificate(t *testing.T) {
	now := time.Now()
	ca, key := issue(t, "etcd-ca", nil, nil, now.Add(1000*time.Hour), 0)
	minted, err := sign(ca, key, now, mintedLife)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(minted.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Error(err)
	}
	if leaf.IsCA || leaf.NotAfter.Sub(now) > mintedLife+time.Second || leaf.Subject.String() != "CN=upkeep" {
		t.Errorf("%+v", leaf)
	}
}
