package window

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// loadZone returns a zone of the IANA database by its name. The names that Go reads otherwise are refused: a window
// is where its file says, not where upkeep happens to run.
func loadZone(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, errors.New("a zone is needed, such as \"Europe/Berlin\" or \"UTC\"")
	}
	if why := notAPlace(name); why != "" {
		return nil, fmt.Errorf("%q %s; write a name of the IANA database, such as \"Europe/Berlin\" or \"UTC\"", name, why)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("there is no zone %q; write a name of the IANA database, such as \"Europe/Berlin\" or \"UTC\"", name)
	}
	return loc, nil
}

// notAPlace says why a name of the database is refused that most people mean otherwise; empty where it is not.
func notAPlace(name string) string {
	switch {
	case name == "UTC":
		return ""
	case strings.HasPrefix(name, "Etc/GMT") && len(name) > len("Etc/GMT"):
		return "has the opposite sign of what people write (Etc/GMT+1 is one hour behind UTC), and never changes its clocks"
	case strings.HasPrefix(name, "right/"), strings.HasPrefix(name, "posix/"):
		return "is a directory of this machine"
	case !strings.Contains(name, "/"):
		// EST is UTC-5 in summer, too, where people in New York mean their own clocks; CST is three places.
		return "is an abbreviation, which does not say whose clocks are meant"
	}
	return ""
}

// wall tells instants by a clock on the wall. It keeps the offset that it used last, since its questions come in
// order; so it is not safe for use by several goroutines.
type wall struct {
	loc *time.Location
	// From since to before, in seconds, the clock is offset ahead of UTC and does not jump.
	since, before, offset int64
}

// farthest is how far apart two clocks on walls can be, in seconds: UTC-12 to UTC+14.
const farthest = 26 * 60 * 60

// instant returns when the clock first shows a time, in Unix seconds. A time that is left out when clocks go
// forward is when they do.
func (w *wall) instant(shown int64) int64 {
	if t := shown - w.offset; t >= w.since && t < w.before {
		return t
	}
	earlier, later := w.offsetAt(shown-farthest), w.offsetAt(shown+farthest)
	// The clock that is farther ahead shows it first.
	for _, offset := range [...]int64{max(earlier, later), min(earlier, later)} {
		if t := shown - offset; w.offsetAt(t) == offset {
			w.keep(t, offset)
			return t
		}
	}
	_, jump := time.Unix(shown-max(earlier, later), 0).In(w.loc).ZoneBounds()
	return jump.Unix()
}

func (w *wall) offsetAt(t int64) int64 {
	_, offset := time.Unix(t, 0).In(w.loc).Zone()
	return int64(offset)
}

// keep notes where the clock does not jump, but for a day at both ends: there the same time can be shown twice.
func (w *wall) keep(t, offset int64) {
	start, end := time.Unix(t, 0).In(w.loc).ZoneBounds()
	w.since, w.before, w.offset = t, t+366*secondsOfDay, offset
	if !start.IsZero() {
		w.since = start.Unix() + farthest
	}
	if !end.IsZero() {
		w.before = min(w.before, end.Unix())
	}
}
