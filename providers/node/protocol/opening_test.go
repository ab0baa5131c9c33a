package protocol_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/node/protocol"
)

const nonce = "0123456789abcdef0123456789abcdef"

func TestOpeningFindsTheSession(t *testing.T) {
	mark := "upkeep-session " + nonce + " "
	for _, test := range []struct {
		name, stream string
		want         protocol.Signal
		rest         string
	}{
		{"at once", "\n" + mark + "ready\n\x00\x00", protocol.Signal{Word: "ready"}, "\x00\x00"},
		{"after a banner", "Welcome\nto cp1\n\n" + mark + "ready\nrest", protocol.Signal{Word: "ready"}, "rest"},
		{"after a banner without an end of line", "$ \n" + mark + "want x86_64\n", protocol.Signal{Word: "want", Text: "x86_64"}, ""},
		{"after the marker of another session", "upkeep-session " + strings.Repeat("f", 32) + " ready\n\n" + mark + "fail a b\n",
			protocol.Signal{Word: "fail", Text: "a b"}, ""},
		{"not inside a line", "echo " + mark + "ready\n" + mark + "fail\r\n", protocol.Signal{Word: "fail"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := bufio.NewReader(strings.NewReader(test.stream))
			got, err := protocol.NewOpening(r, nonce).Next()
			if err != nil {
				t.Fatal(err)
			}
			rest, _ := io.ReadAll(r)
			if diff := cmp.Diff(test.want, got); diff != "" || string(rest) != test.rest {
				t.Errorf("signal (-want +got):\n%s\nrest %q, want %q", diff, rest, test.rest)
			}
		})
	}
}

func TestOpeningGivesUp(t *testing.T) {
	endless := strings.Repeat("noise\n", protocol.BannerLimit)
	for _, test := range []struct {
		name, stream string
		want         error
	}{
		{"an endless banner", endless, protocol.ErrBanner},
		{"an endless line", strings.Repeat("x", protocol.BannerLimit+1), protocol.ErrBanner},
		{"no session", "bye\n", io.EOF},
		{"a line that is cut", "upkeep-session " + nonce + " rea", io.EOF},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := protocol.NewOpening(bufio.NewReader(strings.NewReader(test.stream)), nonce).Next(); !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
		})
	}
}

func TestSignalsAreOneLine(t *testing.T) {
	var b bytes.Buffer
	if err := protocol.WriteSignal(&b, nonce, protocol.Signal{Word: "fail", Text: "a\nupkeep-session x\tb"}); err != nil {
		t.Fatal(err)
	}
	if want := "\nupkeep-session " + nonce + " fail a upkeep-session x b\n"; b.String() != want {
		t.Errorf("wrote %q, want %q", b.String(), want)
	}
}

func TestNonces(t *testing.T) {
	a, b := protocol.NewNonce(), protocol.NewNonce()
	if a == b {
		t.Error("two nonces are the same")
	}
	if err := protocol.CheckNonce(a); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "0123", strings.ToUpper(nonce), nonce + "0", strings.Repeat("g", 32)} {
		if protocol.CheckNonce(bad) == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func FuzzOpening(f *testing.F) {
	mark := "upkeep-session " + nonce + " "
	for _, seed := range []string{"", "\n", mark, mark + "ready\n", "a\n" + mark + "want x\nb", mark + "\n", "\r\n" + mark + "fail \xff\r\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		o := protocol.NewOpening(bufio.NewReader(bytes.NewReader(stream)), nonce)
		for {
			s, err := o.Next()
			if err != nil {
				if err != io.EOF && !errors.Is(err, protocol.ErrBanner) {
					t.Fatalf("error %v is neither io.EOF nor ErrBanner", err)
				}
				return
			}
			if strings.ContainsRune(s.Word+s.Text, '\n') || !bytes.Contains(stream, []byte(mark+s.Word)) {
				t.Fatalf("signal %q is not a line of %q", s, stream)
			}
		}
	})
}
