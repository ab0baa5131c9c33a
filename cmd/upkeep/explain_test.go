package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPlain: however a page is written, its lines are those of the terminal.
func TestPlain(t *testing.T) {
	const text = "A paragraph that was\nwritten on two lines.\n\n" +
		"1. an item that is too long for a line\n2. `a command that is not broken` here\n- and\n  this\n\n    as it is,    whatever its length\n\nEnd."
	want := []string{
		"A paragraph that was", "written on two", "lines.", "",
		"1. an item that is", "   too long for a", "   line",
		"2. `a command that is not broken`", "   here",
		"- and this", "",
		"    as it is,    whatever its length", "",
		"End.",
	}
	if diff := cmp.Diff(want, folded(text, 20)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestNarrowTerminal: every page fits, but for what cannot be broken.
func TestNarrowTerminal(t *testing.T) {
	pages, err := explanations(domains(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		var out strings.Builder
		if err := writeExplanation(&out, page, 60); err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(out.String(), "\n") {
			words := strings.Fields(codeSpan.ReplaceAllString(strings.TrimSpace(line), "x"))
			words = slices.DeleteFunc(words, func(word string) bool { return listItem.MatchString(word + " ") })
			if len(line) > 60 && len(words) > 1 {
				t.Errorf("%s: %d wide: %s", page.ID, len(line), line)
			}
		}
	}
}
