package node

import (
	"strings"
	"unicode"
)

// lineLimit is the longest line from a node that is shown.
const lineLimit = 2000

// printable takes everything out of a node's text that could drive a terminal; line breaks stay.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\t':
			return ' '
		case r == unicode.ReplacementChar || !unicode.IsPrint(r):
			return -1
		default:
			return r
		}
	}, strings.ToValidUTF8(s, ""))
}

// oneLine makes one printable line of a node's text, of bounded length.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(printable(s)), " ")
	if len(s) > lineLimit {
		s = strings.ToValidUTF8(s[:lineLimit], "") + "..."
	}
	return s
}
