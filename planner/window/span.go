package window

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// span is a time from one date to another, of one year or of every year.
type span struct {
	from, until moment
}

// moment is an end of a span as it is written.
type moment struct {
	year       int // 0: every year
	month      time.Month
	dayOfMonth int
	minute     int // of the day
	timed      bool
}

var momentPattern = regexp.MustCompile(`^(?:(\d{4})-)?(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2}))?$`)

func parseMoment(text string) (moment, error) {
	m := momentPattern.FindStringSubmatch(text)
	if m == nil {
		return moment{}, fmt.Errorf("%q is not a date; write \"2026-12-18\", or \"12-18\" for every year, with \" 18:00\" behind it for a time of day", text)
	}
	number := func(i int) int {
		n, _ := strconv.Atoi(m[i]) // digits, or nothing
		return n
	}
	out := moment{year: number(1), month: time.Month(number(2)), dayOfMonth: number(3), minute: number(4)*60 + number(5), timed: m[4] != ""}
	switch {
	case out.month < time.January || out.month > time.December || out.dayOfMonth < 1 || out.dayOfMonth > mostDays[out.month],
		out.year != 0 && out.dayOfMonth > daysIn(out.year, out.month):
		return moment{}, fmt.Errorf("%q is not in the calendar", text)
	case m[1] == "0000":
		return moment{}, fmt.Errorf("%q is not in the calendar; leave the year out for every year", text)
	case number(4) > 23 || number(5) > 59:
		return moment{}, fmt.Errorf("%q has a time of day that is not from 00:00 to 23:59", text)
	}
	return out, nil
}

func parseSpan(from, until string) (span, error) {
	var s span
	var err error
	if s.from, err = parseMoment(from); err != nil {
		return span{}, err
	}
	if s.until, err = parseMoment(until); err != nil {
		return span{}, err
	}
	switch {
	case (s.from.year == 0) != (s.until.year == 0):
		return span{}, fmt.Errorf("%q and %q: one has a year and the other has not; write both with a year, or both without", from, until)
	case s.from.year != 0 && s.from.begin(s.from.year) >= s.until.end(s.until.year):
		return span{}, fmt.Errorf("%q is not after %q", until, from)
	case s.from.year == 0 && s.from.begin(2000) == s.until.end(2000):
		return span{}, fmt.Errorf("the window ends where it begins, so it is open all year or never; move %q or %q", from, until)
	}
	return s, nil
}

// begin returns when a span begins that begins with it in a year, on the wall.
func (m moment) begin(year int) int64 { return newDay(year, m.month, m.dayOfMonth).at(m.minute) }

// end returns when a span ends that ends with it in a year, on the wall: a day without a time is the last one.
func (m moment) end(year int) int64 {
	if m.timed {
		return m.begin(year)
	}
	last := newDay(year, m.month, m.dayOfMonth)
	if last.day != m.dayOfMonth {
		return last.at(0) // 29 February of a common year: it ends as that day would begin
	}
	return last.next().at(0)
}

// in returns the span that begins in a year, on the wall; false where there is none.
func (s span) in(year int) (from, until int64, ok bool) {
	if s.from.year != 0 {
		from, until = s.from.begin(s.from.year), s.until.end(s.until.year)
		return from, until, year == s.from.year
	}
	from, until = s.from.begin(year), s.until.end(year)
	if until <= from && s.overTheYear() {
		until = s.until.end(year + 1)
	}
	return from, until, from < until
}

// overTheYear reports whether a span of every year ends in the year after the one in which it begins.
func (s span) overTheYear() bool { return s.until.end(2000) <= s.from.begin(2000) }
