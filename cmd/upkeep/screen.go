package main

import (
	"bytes"
	"io"
	"regexp"
	"sync"
	"unicode/utf8"

	"upkeep/providers/plain"
)

// screen is the one way to standard output and standard error. Whatever a command writes, no character leaves that drives
// a terminal, hides text or reorders it: such a character is replaced by its escape as JSON and HCL write it, so that JSON
// still means the same.
//
// Line breaks and tabs pass. Colours pass only where the stream wants colour, and only those that upkeep itself uses.
type screen struct {
	to io.Writer

	mu      sync.Mutex
	colours bool
	kept    []byte // the beginning of a character whose end has not been written yet
	written bool   // something has been
}

// colours are the sequences that upkeep paints with: bold, dim, underlined, red, green, yellow, and back.
var colours = regexp.MustCompile(`^\x1b\[(?:0|1|2|4|31|32|33|90)m`)

// longestColour is as long as the longest of them.
const longestColour = len("\x1b[00m")

// Write implements io.Writer.
func (s *screen) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written = s.written || len(text) > 0
	clean, kept := s.clean(append(s.kept, text...))
	s.kept = append([]byte(nil), kept...)
	if _, err := s.to.Write(clean); err != nil {
		return 0, err
	}
	return len(text), nil
}

// clean returns what may leave of a text, and the beginning of a character at its end.
func (s *screen) clean(text []byte) (clean, kept []byte) {
	var out bytes.Buffer
	for len(text) > 0 {
		if !utf8.FullRune(text) {
			return out.Bytes(), text
		}
		if text[0] == '\x1b' && s.colours {
			if colour := colours.Find(text[:min(len(text), longestColour)]); colour != nil {
				out.Write(colour)
				text = text[len(colour):]
				continue
			}
		}
		r, size := utf8.DecodeRune(text)
		switch {
		case plain.Safe(r) || r == '\n' || r == '\t':
			out.Write(text[:size])
		case r == '\r' && size < len(text) && text[size] == '\n': // the line ends of a file that was quoted
		default:
			out.WriteString(plain.Escape(r))
		}
		text = text[size:]
	}
	return out.Bytes(), nil
}

// rewrite lets the line that is shown be written over: "\r", and the sequence that clears it. Only where somebody watches.
func (s *screen) rewrite() {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = io.WriteString(s.to, "\r\x1b[K") // what is written next says whether anybody reads
}

// paint says whether colours may leave.
func (s *screen) paint(colours bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.colours = colours
}

// printed reports whether anything was written.
func (s *screen) printed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.written
}

// end lets out what is left of an unfinished character.
func (s *screen) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.kept) > 0 {
		_, _ = io.WriteString(s.to, plain.Escape(utf8.RuneError))
		s.kept = nil
	}
}

// behind returns what a stream writes to in the end.
func behind(w io.Writer) io.Writer {
	if s, ok := w.(*screen); ok {
		return s.to
	}
	return w
}
