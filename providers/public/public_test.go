package public_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/facts"
	"upkeep/providers/public"
)

var now = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

const host = "provider.example.com"

// served makes a certificate for hosts that signs itself.
func served(t *testing.T, until time.Time, hosts ...string) (tls.Certificate, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "it"}, DNSNames: hosts, IsCA: true, BasicConstraintsValid: true,
		NotBefore: until.Add(-90 * 24 * time.Hour), NotAfter: until,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}, cert
}

// listen serves one certificate to whoever names the host and another one to all others, as a provider's gateway does.
func listen(t *testing.T, named, unnamed tls.Certificate) string {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if hello.ServerName == host {
			return &named, nil
		}
		return &unnamed, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.(*tls.Conn).Handshake()
			conn.Close()
		}
	}()
	return l.Addr().String()
}

func TestAsk(t *testing.T) {
	mtls, ofMTLS := served(t, now.Add(time.Hour), "other")
	web, ofWeb := served(t, now.Add(time.Hour), host)
	old, ofOld := served(t, now.Add(-time.Hour), host)
	roots := x509.NewCertPool()
	roots.AddCert(ofWeb)
	roots.AddCert(ofOld)
	found := func(c *x509.Certificate, untrusted string) facts.Public {
		return facts.Public{Addresses: []string{"127.0.0.1"}, Blocks: []facts.Certificate{facts.CertificateOf(c)}, Untrusted: untrusted}
	}
	here := func(context.Context, string) ([]string, error) { return []string{"127.0.0.1"}, nil }
	tests := []struct {
		name           string
		named, unnamed tls.Certificate
		question       facts.PublicQuestion
		lookup         func(context.Context, string) ([]string, error)
		closed         bool
		want           facts.Public
	}{
		{"by name", web, mtls, facts.PublicQuestion{Host: host}, here, false, found(ofWeb, "")},
		{"without a name", web, mtls, facts.PublicQuestion{Host: host, Anonymous: true}, here, false, found(ofMTLS, "")},
		{"another name", mtls, mtls, facts.PublicQuestion{Host: host}, here, false,
			found(ofMTLS, "x509: certificate is valid for other, not provider.example.com")},
		{"a certificate that ended is trusted but for that", old, mtls, facts.PublicQuestion{Host: host}, here, false, found(ofOld, "")},
		{"no such name", web, mtls, facts.PublicQuestion{Host: host}, func(context.Context, string) ([]string, error) {
			return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		}, false, facts.Public{NoSuchName: true, Unknown: "the name has no address"}},
		{"a name service that does not answer", web, mtls, facts.PublicQuestion{Host: host}, func(context.Context, string) ([]string, error) {
			return nil, errors.New("time\x1b[31mout")
		}, false, facts.Public{Unknown: `the name service: time\u001b[31mout`}},
		{"a closed port", web, mtls, facts.PublicQuestion{Host: host}, here, true,
			facts.Public{Addresses: []string{"127.0.0.1"}, Unknown: "connection refused"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			address := listen(t, test.named, test.unnamed)
			ports := public.Ports{Lookup: test.lookup, Roots: roots, Now: func() time.Time { return now },
				Dial: func(ctx context.Context, network, asked string) (net.Conn, error) {
					if asked != host+":0" {
						t.Errorf("asked %s", asked)
					}
					if test.closed {
						return nil, errors.New("connection refused")
					}
					return (&net.Dialer{}).DialContext(ctx, network, address)
				}}
			got := ports.Ask(t.Context(), test.question)
			if d := cmp.Diff(test.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// reader is a connection that says when it is read from.
type reader struct {
	net.Conn
	read func()
}

func (r reader) Read(p []byte) (int, error) {
	r.read()
	return r.Conn.Read(p)
}

// A port that takes the connection and says nothing does not hold up the look for ever.
func TestASilentPort(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ports := public.Ports{Now: func() time.Time { return now },
		Lookup: func(context.Context, string) ([]string, error) { return []string{"127.0.0.1"}, nil },
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, l.Addr().String())
			return reader{conn, cancel}, err
		}}
	want := facts.Public{Addresses: []string{"127.0.0.1"}, Unknown: "context canceled"}
	if d := cmp.Diff(want, ports.Ask(ctx, facts.PublicQuestion{Host: host, Port: 8443})); d != "" {
		t.Error(d)
	}
}
