package pki

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
)

// rsaKey is RSAPrivateKey of RFC 8017, appendix A.1.2, as far as it takes to tell whose it is.
type rsaKey struct {
	Version int
	N       *big.Int
	E       int
	D, P, Q *big.Int
	// The rest follows from these.
	Dp, Dq, Qinv *big.Int
	More         asn1.RawValue `asn1:"optional"`
}

// matchRSA compares an RSA key in PKCS#1 form with a certificate without the tests of primality that parsing it for use
// costs: they are most of the time that looking at a node's certificates takes. It answers whether it could tell.
//
// The key belongs to the certificate if its modulus and exponent are the certificate's and its private part undoes that
// exponent for both factors of that modulus.
func matchRSA(cert *x509.Certificate, keyPEM []byte) (matches, told bool) {
	public, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok {
		return false, false
	}
	block, _ := pem.Decode(keyPEM)
	if block == nil || block.Type != "RSA PRIVATE KEY" {
		return false, false
	}
	var key rsaKey
	if rest, err := asn1.Unmarshal(block.Bytes, &key); err != nil || len(rest) > 0 || key.Version != 0 {
		return false, false
	}
	if key.N.Cmp(public.N) != 0 || key.E != public.E {
		return false, true
	}
	if err := key.consistent(); err != nil {
		return false, false // parsing it in earnest says what is wrong with it
	}
	return true, true
}

func (k rsaKey) consistent() error {
	one := big.NewInt(1)
	if k.P.Cmp(one) <= 0 || k.Q.Cmp(one) <= 0 || new(big.Int).Mul(k.P, k.Q).Cmp(k.N) != 0 {
		return errors.New("its primes do not make its modulus")
	}
	de := new(big.Int).Mul(k.D, big.NewInt(int64(k.E)))
	for _, prime := range []*big.Int{k.P, k.Q} {
		if new(big.Int).Mod(de, new(big.Int).Sub(prime, one)).Cmp(one) != 0 {
			return errors.New("its exponents do not belong together")
		}
	}
	return nil
}
