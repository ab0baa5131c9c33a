package bundle

import (
	"bufio"
	"bytes"
	"fmt"
	"slices"
	"strings"

	"filippo.io/age"
)

// Recipients are for whom a bundle is encrypted.
type Recipients struct {
	names []string
	keys  []age.Recipient
}

// ParseRecipients reads age's native recipients: "age1…" (X25519) and "age1pq1…" (post-quantum). None is fine: the bundle
// is then not encrypted. The two kinds do not mix in one bundle (age refuses to weaken the second by the first).
func ParseRecipients(names []string) (Recipients, error) {
	r := Recipients{names: append([]string(nil), names...)}
	kinds := map[bool]bool{}
	for _, name := range names {
		if strings.HasPrefix(strings.ToUpper(name), "AGE-SECRET-KEY-") {
			return Recipients{}, fmt.Errorf("a recipient is a public key (age1…), and this is a secret key. The secret key is not printed here, and must not be in a configuration")
		}
		var key age.Recipient
		var err error
		hybrid := strings.HasPrefix(name, "age1pq1")
		if hybrid {
			key, err = age.ParseHybridRecipient(name)
		} else {
			key, err = age.ParseX25519Recipient(name)
		}
		if err != nil {
			return Recipients{}, fmt.Errorf("%.80q is not an age recipient (age1…, as age-keygen prints it): %w", name, err)
		}
		r.keys = append(r.keys, key)
		kinds[hybrid] = true
	}
	if len(kinds) > 1 {
		return Recipients{}, fmt.Errorf("recipients of the kinds age1… and age1pq1… cannot share a bundle: the first would undo what the second is for")
	}
	return r, nil
}

// Identities open encrypted bundles. They print as nothing but how many there are.
type Identities struct{ keys []age.Identity }

// ParseIdentities reads the text of an identity file: one secret key a line, comments with "#". Errors name lines, never
// what is in them.
func ParseIdentities(text []byte) (Identities, error) {
	var ids Identities
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		var key age.Identity
		var err error
		if strings.HasPrefix(line, "AGE-SECRET-KEY-PQ-1") {
			key, err = age.ParseHybridIdentity(line)
		} else {
			key, err = age.ParseX25519Identity(line)
		}
		if err != nil { // whose text may hold a piece of the key
			return Identities{}, fmt.Errorf("line %d is no age identity (AGE-SECRET-KEY-…, as age-keygen writes it)", n)
		}
		ids.keys = append(ids.keys, key)
	}
	if lines.Err() != nil {
		return Identities{}, fmt.Errorf("a line is too long for an age identity")
	}
	if len(ids.keys) == 0 {
		return Identities{}, fmt.Errorf("there is no age identity in it (AGE-SECRET-KEY-…, as age-keygen writes it)")
	}
	return ids, nil
}

// Among reports whether one of the identities belongs to one of these recipients.
func (i Identities) Among(recipients []string) bool {
	return slices.ContainsFunc(i.keys, func(key age.Identity) bool {
		switch key := key.(type) {
		case *age.X25519Identity:
			return slices.Contains(recipients, key.Recipient().String())
		case *age.HybridIdentity:
			return slices.Contains(recipients, key.Recipient().String())
		}
		return false
	})
}

// Empty reports whether there is none.
func (i Identities) Empty() bool { return len(i.keys) == 0 }

// Format implements fmt.Formatter for every verb.
func (i Identities) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "(%s)", count(len(i.keys), "identity", "identities"))
}

// MarshalJSON always fails.
func (i Identities) MarshalJSON() ([]byte, error) {
	return nil, fmt.Errorf("identities are not written down")
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
