package pki

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"testing"
)

func TestMatchRSAAgreesWithParsing(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{PublicKey: &key.PublicKey}
	form := func(der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: der}) }
	change := func(f func(*rsaKey)) []byte {
		var k rsaKey
		if _, err := asn1.Unmarshal(x509.MarshalPKCS1PrivateKey(key), &k); err != nil {
			t.Fatal(err)
		}
		f(&k)
		der, err := asn1.Marshal(struct {
			Version      int
			N            *big.Int
			E            int
			D, P, Q      *big.Int
			Dp, Dq, Qinv *big.Int
		}{k.Version, k.N, k.E, k.D, k.P, k.Q, k.Dp, k.Dq, k.Qinv})
		if err != nil {
			t.Fatal(err)
		}
		return form(der)
	}
	whole := form(x509.MarshalPKCS1PrivateKey(key))
	for _, c := range []struct {
		name          string
		text          []byte
		matches, told bool
		want          string
	}{
		{"its key", whole, true, true, KeyMatch},
		{"another key", form(x509.MarshalPKCS1PrivateKey(other)), false, true, KeyMismatch},
		{"its modulus with another private exponent", change(func(k *rsaKey) { k.D = other.D }), false, false, "unreadable: the private key cannot be parsed"},
		{"its modulus with other primes", change(func(k *rsaKey) { k.P, k.Q = other.Primes[0], other.Primes[1] }), false, false, "unreadable: the private key cannot be parsed"},
		{"cut off", form(x509.MarshalPKCS1PrivateKey(key)[:300]), false, false, "unreadable: the private key cannot be parsed"},
		{"no PEM", []byte("x"), false, false, "unreadable: no PEM private key in it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if matches, told := matchRSA(cert, c.text); matches != c.matches || told != c.told {
				t.Errorf("matches %t, told %t", matches, told)
			}
			if got := match(cert, c.text); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
