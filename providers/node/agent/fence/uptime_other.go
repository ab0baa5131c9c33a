//go:build !linux

package fence

import "time"

// uptime is not known where no helper runs.
func uptime() time.Duration { return 0 }
