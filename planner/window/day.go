package window

import "time"

// day is a day of the calendar, in no zone.
type day struct {
	year    int
	month   time.Month
	day     int
	weekday time.Weekday
	// number counts days; 1970-01-01 is 0.
	number int64
}

const secondsOfDay = 24 * 60 * 60

// dayOf returns the day that a calendar on the wall shows.
func dayOf(t time.Time) day {
	y, m, d := t.Date()
	return newDay(y, m, d)
}

// newDay returns a day; one that its month does not have is the first of the next month.
func newDay(year int, month time.Month, dayOfMonth int) day {
	t := time.Date(year, month, dayOfMonth, 0, 0, 0, 0, time.UTC)
	y, m, d := t.Date()
	if d != dayOfMonth {
		t = time.Date(year, month+1, 1, 0, 0, 0, 0, time.UTC)
		y, m, d = t.Date()
	}
	return day{y, m, d, t.Weekday(), t.Unix() / secondsOfDay}
}

// next returns the day after.
func (d day) next() day {
	d.number++
	d.weekday = (d.weekday + 1) % 7
	if d.day < 28 || d.day < daysIn(d.year, d.month) {
		d.day++
		return d
	}
	d.day = 1
	if d.month++; d.month > time.December {
		d.month = time.January
		d.year++
	}
	return d
}

func daysIn(year int, month time.Month) int {
	if month == time.February && (year%4 != 0 || year%100 == 0 && year%400 != 0) {
		return 28
	}
	return mostDays[month]
}

// at returns what a clock on the wall shows, in seconds since 1970-01-01 00:00 on the same wall.
func (d day) at(minute int) int64 { return d.number*secondsOfDay + int64(minute)*60 }
