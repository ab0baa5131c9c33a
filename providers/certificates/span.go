package certificates

import (
	"path"
	"strconv"
	"strings"
	"time"

	"upkeep/providers/facts"
)

// span writes a positive time as an operator says it: the largest unit that leaves at least two, rounded down.
func span(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return strconv.Itoa(int(d/(24*time.Hour))) + "d"
	case d >= 2*time.Hour:
		return strconv.Itoa(int(d/time.Hour)) + "h"
	case d >= 2*time.Minute:
		return strconv.Itoa(int(d/time.Minute)) + "m"
	default:
		return strconv.Itoa(int(d/time.Second)) + "s"
	}
}

// left writes the time until an end that is nearer than it should be: as span does, and with smaller units where rounding down
// would hide that it is less than the wanted time ("29d23h50m" of "29d23h55m").
func left(d, wanted time.Duration) string {
	units := []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}}
	text, rest, coarsest := "", d, true
	for _, unit := range units {
		if n := rest / unit.size; n > 0 {
			text += strconv.Itoa(int(n)) + unit.name
			rest %= unit.size
		}
		if d < 2*unit.size {
			continue
		}
		if d.Truncate(unit.size)+unit.size <= wanted {
			if coarsest {
				return span(d)
			}
			return text
		}
		coarsest = false
	}
	if text == "" {
		return span(d)
	}
	return text
}

// ends says when a certificate ends, seen from now: "expires in 12d", "expired 3h ago".
func ends(notAfter, now time.Time) string {
	if left := notAfter.Sub(now); left > 0 {
		return "expires in " + span(left)
	}
	return "expired " + ago(now.Sub(notAfter))
}

// ago says how long ago something was: "3h ago", "just now".
func ago(d time.Duration) string {
	if d < time.Second {
		return "just now"
	}
	return span(d) + " ago"
}

// moved writes an end of validity before and after a change: the days, or the seconds where the day stays the same.
func moved(before, after time.Time, validity time.Duration) (string, string) {
	if a, b := instant(before, validity), instant(after, validity); a != b {
		return a, b
	}
	return before.UTC().Format(time.RFC3339), after.UTC().Format(time.RFC3339)
}

// instant writes an end of validity: the day, or the second where validity is counted in hours.
func instant(t time.Time, validity time.Duration) string {
	if validity < 48*time.Hour {
		return t.UTC().Format(time.RFC3339)
	}
	return t.UTC().Format(time.DateOnly)
}

// title is how a sentence names a file: "apiserver.crt", "admin.conf", "etcd-server".
func title(f *facts.CertificateFile) string {
	if base := path.Base(f.Path); strings.HasPrefix(base, f.Name+".") {
		return base
	}
	return f.Name
}
