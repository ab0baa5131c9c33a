package fence

import (
	"time"

	"golang.org/x/sys/unix"
)

// uptime is how long the machine has been up. CLOCK_BOOTTIME counts while it sleeps, too (clock_gettime(2)).
func uptime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
