package kube

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// A CA that was issued again with its old key is known by that key, in the cluster's identity and in the kubeconfig.
func TestTheAuthorityIsItsKey(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	client := func(serial int64) *Client {
		template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
		return &Client{path: t.TempDir(), config: &rest.Config{TLSClientConfig: rest.TLSClientConfig{CAData: text}}}
	}
	before, now := client(1), client(2)
	beforeIs, beforeKey := before.authority()
	nowIs, nowKey := now.authority()
	if beforeIs == nowIs || beforeKey == "" || beforeKey != nowKey {
		t.Errorf("fingerprints %.8s and %.8s, keys %.8s and %.8s", beforeIs, nowIs, beforeKey, nowKey)
	}
	if keys := now.kubeconfigFacts().AuthorityKeys; len(keys) != 1 || keys[0] != beforeKey {
		t.Errorf("the kubeconfig has the keys %v", keys)
	}
}
