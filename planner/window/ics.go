package window

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Calendar file, RFC 5545: lines end in CRLF, none is longer than 75 bytes, times are UTC.
const (
	icsTime    = "20060102T150405Z"
	icsLongest = 75
)

// ICS returns openings of windows as a calendar file that a person can subscribe to. The same openings give the same bytes, except for the time at which the file was made.
func ICS(made time.Time, windows []*Window, next int) string {
	var b strings.Builder
	line := func(format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		for len(text) > icsLongest {
			cut := icsLongest
			for !utf8.RuneStart(text[cut]) {
				cut--
			}
			b.WriteString(text[:cut] + "\r\n")
			text = " " + text[cut:]
		}
		b.WriteString(text + "\r\n")
	}
	line("BEGIN:VCALENDAR")
	line("VERSION:2.0")
	line("PRODID:-//upkeep//maintenance windows//EN")
	for _, w := range windows {
		what := "Maintenance window"
		if w.Deny {
			what = "No maintenance"
		}
		for _, o := range (Calendar{Allow: []*Window{w}}).Next(made, next) {
			line("BEGIN:VEVENT")
			line("UID:%s-%s@upkeep", icsText(w.Name), o.From.UTC().Format(icsTime))
			line("DTSTAMP:%s", made.UTC().Format(icsTime))
			line("DTSTART:%s", o.From.UTC().Format(icsTime))
			line("DTEND:%s", o.Until.UTC().Format(icsTime))
			line("SUMMARY:%s: %s", icsText(what), icsText(w.Name))
			line("END:VEVENT")
		}
	}
	line("END:VCALENDAR")
	return b.String()
}

// icsText escapes text (RFC 5545, 3.3.11).
func icsText(s string) string {
	return strings.NewReplacer("\\", "\\\\", ";", "\\;", ",", "\\,", "\n", "\\n", "\r", "").Replace(s)
}
