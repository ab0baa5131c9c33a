package fence

import (
	"os"
	"strings"
	"time"
)

// SystemClock is the clock of this machine, with the given time of day.
func SystemClock(now func() time.Time) Clock {
	return Clock{
		Now:    now,
		Uptime: uptime,
		Boot: func() string {
			text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
			if err != nil {
				return ""
			}
			return strings.TrimSpace(string(text))
		},
	}
}
