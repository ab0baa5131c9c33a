package text

import (
	"fmt"
	"io"
	"strings"
	"time"

	"upkeep/planner/forecast"
	"upkeep/providers"
)

// Forecast writes the time ahead, month by month. Zone is the one that times are told in.
func Forecast(w io.Writer, f forecast.Forecast, zone *time.Location, style Style) error {
	p := &page{Style: style}
	p.wrapped(bold, "", fmt.Sprintf("Forecast from %s to %s",
		f.From.In(zone).Format(time.DateOnly), f.Until.In(zone).Format("2006-01-02 (MST)")))
	p.wrapped(dim, "", "The forecast supposes that `upkeep apply` runs when a step is due and a window is open. "+
		"Every step succeeds, and nothing else changes.")
	for _, u := range f.Unknown {
		p.say(red, "UNKNOWN", clean(u.Name)+": "+clean(u.Why)+". Nothing is forecast for "+clean(u.Name)+".")
	}
	if len(f.Repeats) > 0 {
		p.line()
		p.line(p.paint(bold, "Again and again"))
	}
	for _, r := range f.Repeats {
		p.wrapped("", "  ", fmt.Sprintf("%s: %s. About every %s, %s.",
			clean(r.Address), clean(r.Summary), span(seconds(r.Every)), plural(r.Times, "time")))
	}
	for _, month := range f.Months {
		p.line()
		p.line(p.paint(bold, month.Name))
		for _, e := range month.Entries {
			p.entry(f, e, zone)
		}
	}
	if len(f.Months) == 0 {
		p.line()
		p.line("No month has other work.")
	}
	if len(f.Missed) > 0 {
		p.line()
		p.line(p.paint(bold, "Not in time"))
	}
	for _, m := range f.Missed {
		when := "due since " + m.Due.In(zone).Format("2006-01-02 15:04")
		if !m.Late.IsZero() {
			when = "too late at " + m.Late.In(zone).Format("2006-01-02 15:04")
		}
		on := ""
		if len(m.Nodes) > 0 {
			on = " on " + clean(few(m.Nodes, ", ", 5, p.Verbose))
		}
		p.say(red, "LATE", fmt.Sprintf("%s%s: %s, %s. Reason: %s.",
			clean(m.Address), on, clean(m.What), when, clean(m.Why)))
	}
	if len(f.Unused) > 0 {
		p.line()
		p.wrapped("", "", "Windows that nothing uses in this time: "+clean(strings.Join(f.Unused, ", "))+".")
	}
	return p.flush(w)
}

// entry writes one thing that happens in a month.
func (p *page) entry(f forecast.Forecast, e forecast.Entry, zone *time.Location) {
	at := e.At.In(zone).Format("Mon 02 15:04")
	if !e.At.After(f.From) {
		at = "now"
	}
	head := "  " + pad(at, len("Mon 02 15:04")) + "  "
	below := strings.Repeat(" ", len("  Mon 02 15:04  UPKEEP  "))
	on := ""
	if len(e.Nodes) > 0 {
		on = " on " + clean(few(e.Nodes, ", ", 5, p.Verbose))
	}
	switch e.Kind {
	case forecast.Upkeep:
		window := "no window"
		if e.Window != "" {
			window = "window " + e.Window
		}
		p.wrapped("", head+"UPKEEP  ", fmt.Sprintf("%s%s, about %s, %s",
			clean(e.Address), on, span(e.Ends.Sub(e.At)), clean(window)))
		for i, what := range e.What {
			if i == 3 && len(e.What) > 4 && !p.Verbose {
				p.wrapped("", below, fmt.Sprintf("and %d more", len(e.What)-i))
				break
			}
			p.wrapped("", below, clean(what))
		}
	case forecast.Person:
		code := yellow
		if e.Severity == providers.SeverityError {
			code = red
		}
		objects := ""
		if len(e.Objects) > 0 {
			objects = ": " + clean(few(e.Objects, ", ", 5, p.Verbose))
		}
		p.wrapped(code, head+"YOU     ", fmt.Sprintf("%s%s%s", e.Finding, objects, on))
		p.wrapped("", below, clean(strings.Join(e.What, "; ")))
		if e.Hint != "" {
			p.wrapped(dim, below, clean(e.Hint))
		}
	case forecast.Ends:
		p.wrapped(yellow, head+"YOU     ", clean(strings.Join(e.What, "; "))+on)
		if e.Source != "" {
			p.wrapped(dim, below, "See https://"+e.Source)
		}
	}
}
