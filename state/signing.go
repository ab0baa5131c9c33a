package state

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"time"

	"upkeep/providers/facts"
)

// SigningKey is the private half of the key that signs bundles. It prints as "(signing key)" under every verb and has
// no JSON form; only Encode writes it.
type SigningKey struct{ seed [ed25519.SeedSize]byte }

func newSigningKey() SigningKey {
	var k SigningKey
	rand.Read(k.seed[:]) // never fails
	return k
}

// firstSigningKey is the signing key of a state from before states had one. It follows from the state's key, so that
// every reader finds the same one before anybody has written the state anew.
func firstSigningKey(key Key) SigningKey {
	mac := hmac.New(sha256.New, key.secret[:])
	io.WriteString(mac, "signing key of bundles")
	return SigningKey{[ed25519.SeedSize]byte(mac.Sum(nil))}
}

// Public returns the public half, as facts.PublicKey writes it.
func (k SigningKey) Public() string {
	return facts.PublicKey(ed25519.NewKeyFromSeed(k.seed[:]).Public().(ed25519.PublicKey))
}

// Sign signs a statement.
func (k SigningKey) Sign(statement []byte) facts.Signature {
	value := ed25519.Sign(ed25519.NewKeyFromSeed(k.seed[:]), statement)
	return facts.Signature{Key: k.Public(), Value: base64.StdEncoding.EncodeToString(value)}
}

// Equal reports whether both keys are the same, in constant time.
func (k SigningKey) Equal(other SigningKey) bool { return hmac.Equal(k.seed[:], other.seed[:]) }

// IsZero reports whether there is none.
func (k SigningKey) IsZero() bool { return k == SigningKey{} }

// Format implements fmt.Formatter: no verb shows the key.
func (k SigningKey) Format(f fmt.State, _ rune) { io.WriteString(f, "(signing key)") }

// MarshalText implements encoding.TextMarshaler, and so JSON: the key is not shown.
func (k SigningKey) MarshalText() ([]byte, error) { return []byte("(signing key)"), nil }

// withSigningKey returns a state that signs with a key from a time on. The public half of the key before stays, with
// the time at which it was taken out of use.
func (s State) withSigningKey(k SigningKey, at time.Time) State {
	signers := slices.Clone(s.Memory.Signers)
	if n := len(signers); n > 0 {
		signers[n-1].Until = at
	}
	s.Signing, s.Memory.Signers = k, append(signers, facts.Signer{Key: k.Public(), Since: at})
	return s
}

// Rotated returns a state with a new signing key.
func (s State) Rotated(now time.Time) State {
	return s.withSigningKey(newSigningKey(), now.UTC().Truncate(time.Second))
}

// signs reports whether the signing key is the one that the memory has as the one in use.
func (s State) signs() bool {
	n := len(s.Memory.Signers)
	return n > 0 && s.Memory.Signers[n-1].Key == s.Signing.Public()
}
