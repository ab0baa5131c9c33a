package state

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
)

// Key is 32 random bytes. It prints as "(key)" under every verb and has no JSON form; only Encode writes it.
type Key struct{ secret [32]byte }

func newKey() Key {
	var k Key
	rand.Read(k.secret[:]) // never fails: crypto/rand ends the process instead (Go 1.24)
	return k
}

// MAC returns a hexadecimal HMAC-SHA256 of value. Purpose keeps equal secrets in different places apart.
func (k Key) MAC(purpose string, value []byte) string {
	mac := hmac.New(sha256.New, k.secret[:])
	fmt.Fprintf(mac, "%d:%s", len(purpose), purpose)
	mac.Write(value)
	return hex.EncodeToString(mac.Sum(nil))
}

// Equal reports whether both keys are the same, in constant time.
func (k Key) Equal(other Key) bool { return hmac.Equal(k.secret[:], other.secret[:]) }

// Format implements fmt.Formatter: no verb shows the key.
func (k Key) Format(f fmt.State, _ rune) { io.WriteString(f, "(key)") }

// MarshalText implements encoding.TextMarshaler, and so JSON: the key is not shown.
func (k Key) MarshalText() ([]byte, error) { return []byte("(key)"), nil }

// newLineage returns a random UUID (RFC 9562, version 4).
func newLineage() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
