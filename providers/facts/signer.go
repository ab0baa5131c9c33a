package facts

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"time"
)

// Signature is a statement's Ed25519 signature (RFC 8032) and the public key that checks it.
type Signature struct {
	Key   string `json:"key"`   // as PublicKey writes it
	Value string `json:"value"` // 64 bytes in base64
}

// IsZero reports whether there is none.
func (s Signature) IsZero() bool { return s == Signature{} }

// Signs reports whether this is the signature of a statement by its key.
func (s Signature) Signs(statement []byte) bool {
	key, err := ParsePublicKey(s.Key)
	if err != nil {
		return false
	}
	value, err := base64.StdEncoding.Strict().DecodeString(s.Value)
	return err == nil && len(value) == ed25519.SignatureSize && ed25519.Verify(key, statement, value)
}

// Signer is a key that signs bundles, by its public half.
type Signer struct {
	Key string `json:"key"` // as PublicKey writes it
	// Since and Until are when the key was taken into use and out of it; zero: from the beginning, and still in use.
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
}

const publicKeyPrefix = "ed25519:"

// PublicKey writes the public half of a key: "ed25519:" and 32 bytes in base64.
func PublicKey(key ed25519.PublicKey) string {
	return publicKeyPrefix + base64.StdEncoding.EncodeToString(key)
}

// ParsePublicKey reads what PublicKey wrote.
func ParsePublicKey(text string) (ed25519.PublicKey, error) {
	encoded, ok := strings.CutPrefix(text, publicKeyPrefix)
	key, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if !ok || err != nil || len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%.80q is not a public key: write it as `upkeep state public-key` prints it (%s...)", text, publicKeyPrefix)
	}
	return key, nil
}

// KeyFingerprint is short enough to compare two public keys by eye, in the spelling of OpenSSH: "SHA256:" and base64.
func KeyFingerprint(publicKey string) string {
	key, err := ParsePublicKey(publicKey)
	if err != nil {
		return "no key"
	}
	sum := sha256.Sum256(key)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}
