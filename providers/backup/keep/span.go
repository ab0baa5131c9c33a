package keep

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Span is a stretch of the calendar in restic's grammar: "2y5m7d3h" is two years, five months, seven days and three
// hours. m is months, and there is no w; a duration of the rest of the language is another thing.
type Span struct {
	Years, Months, Days, Hours int
}

// limit bounds each number of a span, far beyond every use, so that no calendar arithmetic overflows.
const limit = 100_000

// ParseSpan reads a span. Units come in any order and at most once; the span must not be empty or zero.
func ParseSpan(text string) (Span, error) {
	var s Span
	refuse := func(why string) (Span, error) {
		return Span{}, fmt.Errorf("%q is not a span: %s; write numbers with y, m (months), d or h, such as \"2y5m7d3h\" or \"30d\"", text, why)
	}
	seen := ""
	for rest := text; rest != ""; {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		if digits == 0 {
			return refuse("a number is missing")
		}
		n, err := strconv.Atoi(rest[:digits])
		if err != nil || n > limit {
			return refuse("a number is too large")
		}
		if rest = rest[digits:]; rest == "" {
			return refuse("the last number has no unit")
		}
		into := map[byte]*int{'y': &s.Years, 'm': &s.Months, 'd': &s.Days, 'h': &s.Hours}[rest[0]]
		switch {
		case into == nil && rest[0] == 'w':
			return refuse("weeks are written as days")
		case into == nil:
			return refuse("a unit is unknown")
		case strings.IndexByte(seen, rest[0]) >= 0:
			return refuse("a unit stands twice")
		}
		*into = n
		seen += rest[:1]
		rest = rest[1:]
	}
	if s.Zero() {
		return refuse("it is empty")
	}
	return s, nil
}

// Zero reports whether the span is no span.
func (s Span) Zero() bool { return s == Span{} }

// IsZero is Zero, under the name that encoding/json's omitzero looks for.
func (s Span) IsZero() bool { return s.Zero() }

// Before returns the time that lies the span before t, by the calendar of t's zone.
func (s Span) Before(t time.Time) time.Time {
	return t.AddDate(-s.Years, -s.Months, -s.Days).Add(-time.Duration(s.Hours) * time.Hour)
}

// String returns the span as ParseSpan reads it.
func (s Span) String() string {
	var b strings.Builder
	for _, part := range []struct {
		n    int
		unit string
	}{{s.Years, "y"}, {s.Months, "m"}, {s.Days, "d"}, {s.Hours, "h"}} {
		if part.n != 0 {
			b.WriteString(strconv.Itoa(part.n) + part.unit)
		}
	}
	return b.String()
}

// MarshalText writes the span as String does.
func (s Span) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote; nothing is the zero span.
func (s *Span) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*s = Span{}
		return nil
	}
	parsed, err := ParseSpan(string(text))
	if err != nil {
		return err
	}
	*s = parsed
	return nil
}
