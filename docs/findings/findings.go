// Package findings holds the pages of all findings: what each means and what to do about it, as Markdown that people also
// read in a browser.
//
// The files next to this one are the source; nothing else in the program says what a finding means. A page has one form:
//
//	# ID
//
//	One sentence.
//
//	## What it means
//
//	Text.
//
//	## What to do
//
//	Text.
//
// The package is pure. It does not know which domain reports a finding, nor when: package providers has what code needs of
// an id. README.md is the index and no page.
package findings

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed *.md
var files embed.FS

const (
	extension = ".md"
	index     = "README"

	meaningHeading = "## What it means"
	remedyHeading  = "## What to do"
)

// Document is one page.
type Document struct {
	ID string
	// Title is one sentence, with its full stop.
	Title string
	// Meaning says what was seen and why it matters; Remedy what upkeep does, or what to do by hand. Both are Markdown.
	Meaning, Remedy string
	// Markdown is the page as it was written.
	Markdown string
}

// IDs returns the ids that have a page, sorted.
func IDs() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	var ids []string
	for _, entry := range entries {
		if id := strings.TrimSuffix(entry.Name(), extension); id != index {
			ids = append(ids, id)
		}
	}
	return ids
}

// Page returns the page of a finding. The error names the page that does not exist, or that does not have the form of a page.
func Page(id string) (Document, error) {
	if id == index {
		return Document{}, fmt.Errorf("%s%s is the index and no page of a finding", index, extension)
	}
	text, err := files.ReadFile(id + extension)
	if err != nil {
		return Document{}, fmt.Errorf("page of finding %q: %w", id, err)
	}
	document, err := parse(id, string(text))
	if err != nil {
		return Document{}, fmt.Errorf("page %s%s: %w", id, extension, err)
	}
	return document, nil
}

// parse reads a page. Nothing may stand outside of its sections.
func parse(id, text string) (Document, error) {
	d := Document{ID: id, Markdown: text}
	heading, rest, _ := strings.Cut(text, "\n")
	if want := "# " + id; heading != want {
		return d, fmt.Errorf("the first line is %q, not %q", heading, want)
	}
	title, rest, found := strings.Cut(rest, "\n"+meaningHeading+"\n")
	if !found {
		return d, fmt.Errorf("there is no line %q", meaningHeading)
	}
	meaning, remedy, found := strings.Cut(rest, "\n"+remedyHeading+"\n")
	if !found {
		return d, fmt.Errorf("there is no line %q after %q", remedyHeading, meaningHeading)
	}
	d.Title, d.Meaning, d.Remedy = strings.TrimSpace(title), strings.TrimSpace(meaning), strings.TrimSpace(remedy)
	for _, part := range []struct{ name, text string }{
		{"title", d.Title}, {"section " + meaningHeading, d.Meaning}, {"section " + remedyHeading, d.Remedy},
	} {
		switch {
		case part.text == "":
			return d, fmt.Errorf("the %s is empty", part.name)
		case strings.HasPrefix(part.text, "#") || strings.Contains(part.text, "\n#"):
			return d, fmt.Errorf("the %s holds a heading", part.name)
		}
	}
	if !strings.HasSuffix(d.Title, ".") || strings.Contains(d.Title, ". ") || strings.Contains(d.Title, "\n") {
		return d, fmt.Errorf("the title %q is not one sentence on one line", d.Title)
	}
	return d, nil
}
