package text

import (
	"fmt"
	"strings"

	"upkeep/providers"
)

// shownFields is how many fields of one object are shown where not all are asked for.
const shownFields = 8

// object writes what happens to a Kubernetes object, with its fields as a diff.
func (p *page) object(c providers.Change, deep string, width int) {
	text := c.Object
	switch {
	case c.Object == "keep":
		text = "keep; the release no longer has the object"
	case len(c.Fields)+c.More > 0:
		text += ", " + plural(len(c.Fields)+c.More, "field")
	}
	p.wrapped("", deep+pad(c.What, width)+"  ", text)
	shown := c.Fields
	if !p.Verbose && len(shown) > shownFields+1 {
		shown = shown[:shownFields]
	}
	for _, f := range shown {
		p.field(f, deep+"  ")
	}
	if more := len(c.Fields) - len(shown); more > 0 {
		p.line(deep, "  ", plural(more+c.More, "more field"), ", shown by -verbose")
	} else if c.More > 0 {
		p.line(deep, "  ", plural(c.More, "more field"))
	}
}

// field writes one field: a line with the old value, and one with the new.
func (p *page) field(f providers.FieldChange, deep string) {
	if f.Sensitive {
		p.wrapped(yellow, deep+"~ ", f.Path+": (sensitive)")
		return
	}
	if f.Before != "" {
		p.wrapped(red, deep+"- ", fmt.Sprintf("%s: %s", f.Path, strings.TrimSpace(f.Before)))
	}
	if f.After != "" {
		p.wrapped(green, deep+"+ ", fmt.Sprintf("%s: %s", f.Path, strings.TrimSpace(f.After)))
	}
}
