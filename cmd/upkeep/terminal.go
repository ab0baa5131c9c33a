package main

import (
	"io"
	"os"

	"github.com/mattn/go-isatty"
	"golang.org/x/term"
)

// terminal says how a stream may be written to.
type terminal struct {
	// Live: somebody watches; lines may be rewritten.
	Live   bool
	Colour bool
	Width  int
}

// fallbackWidth is the width of text that goes to a file or a pipe.
const fallbackWidth = 120

// terminalOf applies the conventions of no-color.org and bixense.com/clicolors: -no-color and NO_COLOR switch colour
// off, CLICOLOR_FORCE switches it on where it would be off, CI and TERM=dumb mean that nobody watches.
// A stream whose terminal wants no colour lets none out.
func terminalOf(env environment, w io.Writer, noColour bool) terminal {
	t := terminal{Width: fallbackWidth}
	if file, ok := behind(w).(*os.File); ok && isatty.IsTerminal(file.Fd()) {
		t.Live = env.lookup("CI") == "" && env.lookup("TERM") != "dumb"
		t.Colour = env.lookup("TERM") != "dumb"
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
			t.Width = width
		}
	}
	if force := env.lookup("CLICOLOR_FORCE"); force != "" && force != "0" {
		t.Colour = true
	}
	if noColour || env.lookup("NO_COLOR") != "" {
		t.Colour = false
	}
	if s, ok := w.(*screen); ok {
		s.paint(t.Colour)
	}
	return t
}
