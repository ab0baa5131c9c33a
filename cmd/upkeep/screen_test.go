package main

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode"
)

func written(t testing.TB, colours bool, parts ...string) string {
	t.Helper()
	var out bytes.Buffer
	s := &screen{to: &out, colours: colours}
	for _, part := range parts {
		if n, err := s.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
	}
	s.end()
	return out.String()
}

func TestScreen(t *testing.T) {
	for _, test := range []struct {
		name    string
		colours bool
		parts   []string
		want    string
	}{
		{"text", false, []string{"cp1\tok ü\n"}, "cp1\tok ü\n"},
		{"a character in two parts", false, []string{"\xc3", "\xbc"}, "ü"},
		{"half a character", false, []string{"a\xc3"}, `a\ufffd`},
		{"no UTF-8", false, []string{"a\xffb"}, `a\ufffdb`},
		{"our colours where none are wanted", false, []string{"\x1b[31mred\x1b[0m"}, `\u001b[31mred\u001b[0m`},
		{"our colours", true, []string{"\x1b[31mred\x1b[0m"}, "\x1b[31mred\x1b[0m"},
		{"concealed text", true, []string{"\x1b[8mhidden"}, `\u001b[8mhidden`},
		{"a cleared screen", true, []string{"\x1b[2J\x1b]0;title\x07"}, `\u001b[2J\u001b]0;title\u0007`},
		{"a line that is written over", true, []string{"refused\rdone"}, `refused\u000ddone`},
		{"the line ends of a file", false, []string{"a\r\nb"}, "a\nb"},
		{"reordered", false, []string{"a\u202eb"}, `a\u202eb`},
		{"C1", true, []string{"\u009b31m"}, `\u009b31m`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := written(t, test.colours, test.parts...); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// No control byte leaves, however a text is cut into parts; JSON means what it meant.
func FuzzScreen(f *testing.F) {
	for _, text := range []string{"", "a\x1b[31mb", "\u202e", "\xff", "\r\n", "\x1b[", "\U000e0041", "\u009b"} {
		f.Add(text, 1, true)
		f.Add(text, 0, false)
	}
	f.Fuzz(func(t *testing.T, text string, cut int, paint bool) {
		cut = max(0, min(cut, len(text)))
		got := written(t, paint, text[:cut], text[cut:])
		for i, r := range got {
			switch {
			case r == '\n', r == '\t', paint && r == '\x1b' && colours.MatchString(got[i:]):
			case unicode.IsControl(r), unicode.Is(unicode.Cf, r), !unicode.IsPrint(r):
				t.Fatalf("%q lets %U out", got, r)
			}
		}
		want, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		var before, after string
		if json.Unmarshal(want, &before) != nil || json.Unmarshal([]byte(written(t, false, string(want))), &after) != nil || before != after {
			t.Fatalf("%q became %q in JSON", before, after)
		}
	})
}
