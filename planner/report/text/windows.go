package text

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"upkeep/planner"
	"upkeep/planner/report"
	"upkeep/planner/window"
)

// weeks is how many weeks the calendar of windows shows.
const weeks = 5

// Windows writes what is open, why, and what comes.
func Windows(w io.Writer, r report.WindowsJSON, style Style) error {
	p := &page{Style: style}
	if len(r.Windows) == 0 {
		p.line("There is no maintenance_window block.")
	}
	for _, one := range r.Windows {
		p.window(one)
	}
	if len(r.Windows) > 0 {
		p.line()
		p.calendar(r)
	}
	if len(r.Blocks) > 0 {
		p.line()
		p.line(p.paint(bold, "When disruptive steps may begin:"))
	}
	widest := 0
	for _, b := range r.Blocks {
		widest = max(widest, length(b.Address))
	}
	for _, b := range r.Blocks {
		state := p.paint(green, "now  ")
		if !b.Open {
			state = p.paint(yellow, "later")
		}
		why := b.Why
		if b.Window == window.Always {
			why = "at any time (window = \"always\", or no window)"
		}
		p.wrapped("", "  "+pad(clean(b.Address), widest)+"  "+state+"  ", clean(why))
	}
	return p.flush(w)
}

func (p *page) window(w report.Window) {
	word, color := "closed", dim
	switch {
	case w.Open && w.Kind == "deny":
		word, color = "DENIES", red
	case w.Open:
		word, color = "OPEN", green
	case w.Kind == "deny":
		word = "denies nothing now"
	}
	p.line(p.paint(bold, clean(w.Address)), " ", w.Kind, ", ", clean(w.Opens), ", ", w.Timezone, "  ", p.paint(color, word))
	p.wrapped("", "    ", clean(w.Why))
	zone := zoneOf(w)
	for _, o := range w.Comes {
		denied := ""
		if len(o.DeniedBy) > 0 {
			denied = p.paint(yellow, "  denied by "+clean(strings.Join(o.DeniedBy, ", ")))
		}
		p.line("    ", o.From.In(zone).Format("Mon 2006-01-02 15:04"), " - ", end(o.Opening, zone), denied)
	}
}

// end tells the end of an opening; of one that ends on the day on which it began, the time alone.
func end(o window.Opening, zone *time.Location) string {
	from, until := o.From.In(zone), o.Until.In(zone)
	if from.Format(time.DateOnly) == until.Format(time.DateOnly) {
		return until.Format("15:04 MST")
	}
	return until.Format("Mon 2006-01-02 15:04 MST")
}

// zoneOf is the zone of a window. It was loaded before, or the window would not be there.
func zoneOf(w report.Window) *time.Location {
	if zone, err := time.LoadLocation(w.Timezone); err == nil {
		return zone
	}
	return time.UTC
}

// calendar writes the coming weeks, a line each, in the zone of the first window. A day on which something opens
// has a "+", one on which something denies a "-".
func (p *page) calendar(r report.WindowsJSON) {
	zone := zoneOf(r.Windows[0])
	now := r.Timestamp.In(zone)
	monday := now.AddDate(0, 0, -(int(now.Weekday())+6)%7)
	p.line(p.paint(bold, "           Mo  Tu  We  Th  Fr  Sa  Su"))
	for week := range weeks {
		first := monday.AddDate(0, 0, 7*week)
		line := []string{first.Format("2006-01-02")}
		for i := range 7 {
			day := first.AddDate(0, 0, i)
			line = append(line, p.day(r, day, day.Format(time.DateOnly) == now.Format(time.DateOnly)))
		}
		p.line(strings.Join(line, " "))
	}
	p.line(p.paint(dim, "+ a window opens   - nothing disruptive may begin"))
	p.line(p.paint(dim, fmt.Sprintf("days begin at midnight in %s", zone)))
}

func (p *page) day(r report.WindowsJSON, day time.Time, today bool) string {
	from := time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, day.Location())
	until := from.AddDate(0, 0, 1)
	mark, color := " ", ""
	for _, w := range slices.SortedFunc(slices.Values(r.Windows), func(a, b report.Window) int { return cmp.Compare(a.Kind, b.Kind) }) {
		switch {
		case w.Kind == "deny" && slices.ContainsFunc(w.Days, func(o window.Opening) bool { return o.From.Before(until) && o.Until.After(from) }):
			mark, color = "-", red
		case w.Kind == "allow" && slices.ContainsFunc(w.Days, func(o window.Opening) bool { return !o.From.Before(from) && o.From.Before(until) }):
			mark, color = "+", green
		}
	}
	text := fmt.Sprintf("%2d%s", day.Day(), mark)
	if today {
		return p.paint(bold, text)
	}
	return p.paint(color, text)
}

// windows says of each window of a plan whether it is open, and whether the plan fits.
func (p *page) windows(uses []planner.WindowUse, now time.Time) {
	for _, use := range uses {
		color := ""
		if use.Fit < use.Steps {
			color = yellow
		}
		p.say(color, "WINDOW", use.Why+". "+fits(use, now))
	}
}

// fits says how far a plan gets in the first opening that is long enough for something.
func fits(use planner.WindowUse, now time.Time) string {
	steps, fit := plural(use.Steps, "disruptive step"), "fit"
	if use.Steps == 1 {
		fit = "fits"
	}
	switch {
	case use.Opening == (window.Opening{}):
		return steps + " cannot begin."
	case use.Fit == 0:
		return "No opening is long enough for a disruptive step. Make the window longer."
	}
	first := ""
	if begins := use.Opening.From; begins.After(now) && (use.Open || begins.After(use.Next.From)) {
		first = fmt.Sprintf("The first opening that is long enough begins %s. ", begins.UTC().Format("Mon 2006-01-02 15:04 UTC"))
	}
	switch {
	case use.Fit < use.Steps:
		reaches := use.Last
		if use.LastNode != "" {
			reaches += " on " + use.LastNode
		}
		return fmt.Sprintf("%s%d of %s fit into it. The last one is: %s. The rest waits for the next opening.", first, use.Fit,
			steps, reaches)
	case use.Opening.From.After(now):
		return fmt.Sprintf("%s%s %s into it, done by %s.", first, steps, fit, minuteAfter(use.Ends).Format("Mon 2006-01-02 15:04 UTC"))
	}
	return fmt.Sprintf("%s %s, done by %s.", steps, fit, minuteAfter(use.Ends).Format("15:04 UTC"))
}

// minuteAfter rounds up to the minute.
func minuteAfter(t time.Time) time.Time { return t.UTC().Add(time.Minute - 1).Truncate(time.Minute) }
