package node

import (
	"strings"

	"upkeep/providers/plain"
)

// lineLimit is the longest line from a node that is shown, in bytes.
const lineLimit = 2000

// oneLine makes one printable line of a node's text, of bounded length.
func oneLine(s string) string {
	return plain.Bound(strings.Join(strings.Fields(plain.Line(s)), " "), lineLimit)
}

// said quotes what ssh, sudo or a node wrote on standard error, so that it cannot be read as a sentence of upkeep's own.
func said(s string) string { return plain.Said(oneLine(s)) }
