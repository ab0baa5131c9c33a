package fence

import (
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// SystemClock is the clock of this machine, with the given time of day.
func SystemClock(now func() time.Time) Clock {
	return Clock{
		Now: now,
		// CLOCK_BOOTTIME counts while the machine sleeps, too (clock_gettime(2)).
		Uptime: func() time.Duration {
			var t unix.Timespec
			if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
				return 0
			}
			return time.Duration(t.Nano())
		},
		Boot: func() string {
			text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
			if err != nil {
				return ""
			}
			return strings.TrimSpace(string(text))
		},
	}
}
