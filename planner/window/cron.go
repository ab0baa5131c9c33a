package window

import (
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cron is a schedule of five fields, as POSIX has it: minute, hour, day of month, month, day of week. It says at
// which minutes on a clock on the wall something opens; it knows no zone.
type cron struct {
	minutes  []int // of a day, ascending
	days     uint64
	months   uint64
	weekdays uint64 // Sunday is bit 0
	// Where both days are bound, either of them is enough (POSIX, crontab).
	anyDay, anyWeekday bool
}

// field is one of the five.
type field struct {
	name     string
	min, max int
	names    []string // of min and those after it
}

// fields are in the order in which they are written.
var fields = [...]field{
	{"minute", 0, 59, nil},
	{"hour", 0, 23, nil},
	{"day of month", 1, 31, nil},
	{"month", 1, 12, []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
	{"day of week", 0, 7, []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
}

// mostDays is how many days a month can have.
var mostDays = [...]int{time.January: 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

// parseCron reads five fields. Each is "*", or numbers and ranges separated by commas; "*" and ranges take a step.
// Months and days of the week have English names of three letters. There is nothing else: where programs disagree, it
// is refused.
func parseCron(text string) (cron, error) {
	words := strings.Fields(text)
	if strings.HasPrefix(text, "@") {
		return cron{}, fmt.Errorf("%q is not cron; write five fields, such as \"0 2 * * SUN\" (Sundays at 02:00)", text)
	}
	if len(words) != len(fields) {
		return cron{}, fmt.Errorf("%q has %d fields, and cron has five: minute, hour, day of month, month, day of week, such as \"0 2 * * SUN\"",
			text, len(words))
	}
	var sets [len(fields)]uint64
	for i, f := range fields {
		var err error
		if sets[i], err = f.parse(words[i]); err != nil {
			return cron{}, err
		}
	}
	c := cron{days: sets[2], months: sets[3], weekdays: sets[4], anyDay: words[2] == "*", anyWeekday: words[4] == "*"}
	c.weekdays = (c.weekdays | c.weekdays>>7) & 0x7f // 7 is Sunday, too
	for h := range 24 {
		for m := range 60 {
			if sets[1]&(1<<h) != 0 && sets[0]&(1<<m) != 0 {
				c.minutes = append(c.minutes, h*60+m)
			}
		}
	}
	if !c.anyDay && !c.anyWeekday && (strings.HasPrefix(words[2], "*/") || strings.HasPrefix(words[4], "*/")) {
		return cron{}, fmt.Errorf("%q binds the day of month and the day of week, one of them by \"*/\"; "+
			"programs disagree whether one or both must match: write the days out, or bind one of the two", text)
	}
	if c.anyWeekday && !c.opens() {
		return cron{}, fmt.Errorf("%q never opens: no such month has such a day", text)
	}
	return c, nil
}

// opens reports whether a month of the schedule can have a day of it.
func (c cron) opens() bool {
	for m := time.January; m <= time.December; m++ {
		if c.months&(1<<m) != 0 && bits.TrailingZeros64(c.days) <= mostDays[m] {
			return true
		}
	}
	return false
}

// on reports whether the schedule opens on a day.
func (c cron) on(d day) bool {
	if c.months&(1<<d.month) == 0 {
		return false
	}
	inMonth, inWeek := c.days&(1<<d.day) != 0, c.weekdays&(1<<d.weekday) != 0
	switch {
	case c.anyDay:
		return inWeek // every day, where that is not bound either
	case c.anyWeekday:
		return inMonth
	default:
		return inMonth || inWeek
	}
}

func (f field) parse(text string) (set uint64, err error) {
	for part := range strings.SplitSeq(text, ",") {
		span, by, stepped := strings.Cut(part, "/")
		from, to := f.min, f.max
		if f.max == 7 {
			to = 6 // Sunday once
		}
		low, high, ranged := strings.Cut(span, "-")
		if span != "*" {
			if from, err = f.value(low); err != nil {
				return 0, err
			}
			to = from
			if ranged {
				if to, err = f.value(high); err != nil {
					return 0, err
				}
			}
		}
		step := 1
		if stepped {
			if step, err = strconv.Atoi(by); err != nil || step < 1 || step > f.max || strings.HasPrefix(by, "+") {
				return 0, fmt.Errorf("%q in the %s is not a step; write a number from 1 to %d after the \"/\"", part, f.name, f.max)
			}
			if span != "*" && !ranged {
				return 0, fmt.Errorf("%q in the %s has a step and no range; write %s-%d/%s", part, f.name, span, f.max, by)
			}
		}
		if from > to {
			return 0, fmt.Errorf("%q in the %s ends before it begins; write %s-%s,%s-%s", part, f.name,
				low, f.word(f.highest(), low), f.word(f.min, low), high)
		}
		for v := from; v <= to; v += step {
			set |= 1 << v
		}
	}
	return set, nil
}

// highest is the last value that a range should be written with.
func (f field) highest() int {
	if f.max == 7 {
		return 6
	}
	return f.max
}

// word spells a value as its neighbour is spelled.
func (f field) word(v int, like string) string {
	if _, err := strconv.Atoi(like); err == nil || len(f.names) == 0 {
		return strconv.Itoa(v)
	}
	return strings.ToUpper(f.names[v-f.min])
}

func (f field) value(text string) (int, error) {
	if i := slices.Index(f.names, strings.ToLower(text)); i >= 0 {
		return f.min + i, nil
	}
	v, err := strconv.Atoi(text)
	if err != nil || len(text) > 2 || text[0] == '+' || v < f.min || v > f.max {
		names := ""
		if f.names != nil {
			names = fmt.Sprintf(", or %s to %s", strings.ToUpper(f.names[0]), strings.ToUpper(f.names[len(f.names)-1]))
		}
		return 0, fmt.Errorf("%q is not a %s; write a number from %d to %d%s", text, f.name, f.min, f.max, names)
	}
	return v, nil
}
