package protocol

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

// BannerLimit is the most bytes that may come before the session starts: what login shells and their profiles print.
const BannerLimit = 64 << 10

// marker opens each line that belongs to the opening of a session; the nonce follows.
const marker = "upkeep-session"

// The words of the opening. The side that runs on the node says them; upkeep reads them.
const (
	// SignalReady: from the next byte on the stream holds frames (or a tunnel's bytes).
	SignalReady = "ready"
	// SignalWant: the helper is not there; the text is the machine as uname -m prints it. upkeep answers with the size
	// in bytes as a decimal line and then the bytes.
	SignalWant = "want"
	// SignalFail: the session cannot start; the text says why.
	SignalFail = "fail"
)

// ErrBanner is wrapped by the error about a peer that talks without end before the session starts.
var ErrBanner = errors.New("the session did not start")

// Signal is one line of the opening.
type Signal struct {
	Word, Text string
}

// NewNonce returns a fresh nonce: 128 random bits in lower-case hexadecimal.
func NewNonce() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand, Go 1.24)
	return hex.EncodeToString(b[:])
}

// CheckNonce refuses what NewNonce cannot have made.
func CheckNonce(nonce string) error {
	if b, err := hex.DecodeString(nonce); err != nil || len(b) != 16 || strings.ToLower(nonce) != nonce {
		return fmt.Errorf("%q is not a nonce: 32 lower-case hexadecimal digits are wanted", nonce)
	}
	return nil
}

// WriteSignal writes one line of the opening. It begins with a line break, so that a banner that does not end its last
// line cannot hide it.
func WriteSignal(w io.Writer, nonce string, s Signal) error {
	text := strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, s.Text)
	_, err := io.WriteString(w, "\n"+strings.TrimRight(marker+" "+nonce+" "+s.Word+" "+text, " ")+"\n")
	return err
}

// Opening reads the opening of one session.
type Opening struct {
	r      *bufio.Reader
	prefix string
	left   int
}

// NewOpening returns the opening of the session with the given nonce. After SignalReady the caller goes on reading from
// the same reader.
func NewOpening(r *bufio.Reader, nonce string) *Opening {
	return &Opening{r: r, prefix: marker + " " + nonce + " ", left: BannerLimit}
}

// Next returns the next signal and discards everything before it, at most BannerLimit bytes over the complete opening. It
// returns io.EOF when the stream ends first.
func (o *Opening) Next() (Signal, error) {
	var line []byte
	for {
		b, err := o.r.ReadByte()
		if err != nil {
			return Signal{}, err
		}
		if o.left--; o.left < 0 {
			return Signal{}, fmt.Errorf("%w: more than %d bytes came before it", ErrBanner, BannerLimit)
		}
		if b != '\n' {
			line = append(line, b)
			continue
		}
		if rest, ok := strings.CutPrefix(strings.TrimRight(string(line), "\r"), o.prefix); ok {
			word, text, _ := strings.Cut(rest, " ")
			return Signal{Word: word, Text: text}, nil
		}
		line = line[:0]
	}
}
