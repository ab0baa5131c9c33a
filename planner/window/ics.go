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

// ICS returns openings of windows as a calendar file that a person can subscribe to: of those that allow, without what
// a window denies for everything. What a window denies for some blocks is told with the opening. The same openings
// give the same bytes, except for the time at which the file was made.
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
	var all, some []*Window
	for _, w := range windows {
		switch {
		case w.Deny && w.AppliesTo.Empty():
			all = append(all, w)
		case w.Deny:
			some = append(some, w)
		}
	}
	for _, w := range windows {
		what, calendar, beside := "Maintenance window", Calendar{Allow: []*Window{w}, Deny: all}, some
		if w.Deny {
			what, calendar.Deny, beside = "No maintenance", nil, nil
		}
		for _, o := range calendar.Next(made, next) {
			line("BEGIN:VEVENT")
			line("UID:%s-%s@upkeep", icsText(w.Name), o.From.UTC().Format(icsTime))
			line("DTSTAMP:%s", made.UTC().Format(icsTime))
			line("DTSTART:%s", o.From.UTC().Format(icsTime))
			line("DTEND:%s", o.Until.UTC().Format(icsTime))
			line("SUMMARY:%s: %s", icsText(what), icsText(w.Name))
			if notes := icsNotes(w, beside, o); len(notes) > 0 {
				line("DESCRIPTION:%s", icsText(strings.Join(notes, "\n")))
			}
			line("END:VEVENT")
		}
	}
	line("END:VCALENDAR")
	return b.String()
}

// icsNotes says what of a window holds for some blocks alone, and what is denied for some during an opening.
func icsNotes(w *Window, beside []*Window, o Opening) (notes []string) {
	if !w.AppliesTo.Empty() {
		notes = append(notes, "Holds for "+w.AppliesTo.String()+".")
	}
	for _, d := range beside {
		if len(d.Openings(o.From, o.Until)) > 0 {
			notes = append(notes, d.Name+" denies it for "+d.AppliesTo.String()+".")
		}
	}
	return notes
}

// icsText escapes text (RFC 5545, 3.3.11).
func icsText(s string) string {
	return strings.NewReplacer("\\", "\\\\", ";", "\\;", ",", "\\,", "\n", "\\n", "\r", "").Replace(s)
}
