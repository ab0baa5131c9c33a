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

// ends says when a certificate ends, seen from now: "expires in 12d", "expired 3h ago".
func ends(notAfter, now time.Time) string {
	if left := notAfter.Sub(now); left > 0 {
		return "expires in " + span(left)
	}
	return "expired " + span(now.Sub(notAfter)) + " ago"
}

// instant writes an end of validity for a change: the day, or the second where validity is counted in hours.
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
