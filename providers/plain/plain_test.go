package plain_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"upkeep/providers/plain"
)

func TestLineAndText(t *testing.T) {
	for _, test := range []struct{ name, in, line, text string }{
		{"plain", "cp1 ünï 日本", "cp1 ünï 日本", "cp1 ünï 日本"},
		{"colour", "a\x1b[31mb", `a\u001b[31mb`, `a\u001b[31mb`},
		{"one byte sequences of C1", "a\u009b31m", `a\u009b31m`, `a\u009b31m`},
		{"a line of our own", "a\r\nupkeep: done", "a  upkeep: done", "a\nupkeep: done"},
		{"back to the start", "a\rb", "a b", "a b"},
		{"right to left", "a\u202eb\u2066", `a\u202eb\u2066`, `a\u202eb\u2066`},
		{"invisible", "a\u200bb\ufeff\u00ad", `a\u200bb\ufeff\u00ad`, `a\u200bb\ufeff\u00ad`},
		{"a tag character", "a\U000e0041", `a\udb40\udc41`, `a\udb40\udc41`},
		{"no UTF-8", "a\xff", `a\ufffd`, `a\ufffd`},
		{"delete", "a\x7f\x00", `a\u007f\u0000`, `a\u007f\u0000`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff([]string{test.line, test.text}, []string{plain.Line(test.in), plain.Text(test.in)}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// In quotes of JSON a cleaned text means what it meant.
func TestEscapesAreThoseOfJSON(t *testing.T) {
	want := "a\u202eb\U000e0041\u007f"
	var got string
	if err := json.Unmarshal([]byte(`"`+plain.Text(want)+`"`), &got); err != nil || got != want {
		t.Errorf("%q, %v", got, err)
	}
}

func TestIn(t *testing.T) {
	type inner struct{ Name string }
	type fields struct {
		Text    string
		Raw     string `plain:"-"`
		Bytes   []byte
		Names   []string
		Labels  map[string]string
		Inner   *inner
		ByName  map[string]inner
		Any     any
		Tree    map[string]any
		At      time.Time
		Nothing *inner
	}
	at := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	bad, good := "a\x1b\u202e", `a\u001b\u202e`
	got := fields{bad, bad, []byte(bad), []string{bad}, map[string]string{bad: bad}, &inner{bad}, map[string]inner{bad: {bad}}, bad,
		map[string]any{bad: []any{bad, 1.0, nil}}, at, nil}
	plain.In(&got, plain.Text)
	want := fields{good, bad, []byte(bad), []string{good}, map[string]string{good: good}, &inner{good}, map[string]inner{good: {good}}, good,
		map[string]any{good: []any{good, 1.0, nil}}, at, nil}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	long := strings.Repeat("ü", plain.Longest)
	plain.In(&long, plain.Line)
	if len(long) != plain.Longest+len("...") {
		t.Errorf("%d bytes are left", len(long))
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"", "a\x1b[2J", "\u202e", "\xff\xfe", "a\r\nb", "\U000e0001", `\u001b`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, got := range []string{plain.Line(s), plain.Text(s)} {
			for _, r := range got {
				if (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) && r != '\n' && r != '\t' {
					t.Fatalf("%q keeps %U", got, r)
				}
			}
			if plain.Text(got) != got {
				t.Fatalf("%q is another one when it is cleaned again", got)
			}
		}
		if strings.ContainsAny(plain.Line(s), "\n\t\r") {
			t.Fatalf("%q has several lines", plain.Line(s))
		}
	})
}

func TestInLeavesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.MapOf(rapid.String(), rapid.SliceOf(rapid.String())).Draw(t, "value")
		plain.In(&value, plain.Text)
		for key, list := range value {
			for _, s := range append(list, key) {
				if s != plain.Text(s) {
					t.Fatalf("%q was not cleaned", s)
				}
			}
		}
	})
}
