package pending

import (
	"time"

	"upkeep/config"
)

// The shortest and the longest time that a block may give Helm to wait: less proves nothing, more outlives any maintenance.
const (
	ShortestTimeout = config.Duration(10 * time.Second)
	LongestTimeout  = config.Duration(2 * time.Hour)
)

// minPatience is how long any operation on a release may be in progress before it counts as interrupted: Helm's own time
// limit (`helm upgrade --timeout`, 5m) and as long again.
const minPatience = 10 * time.Minute

// Patience is how long the operation of somebody else on a release may be in progress, given the time limit that is declared
// for the release: the one who works on it by hand will give it as much.
func Patience(timeout time.Duration) time.Duration { return max(minPatience, timeout+timeout/4) }

// Limit is how long an operation with a time limit may take in all. Helm counts the limit again for the hooks before and
// after and for the objects between them, and fetches the chart before it begins to count.
func Limit(timeout time.Duration) time.Duration { return 3*timeout + 2*time.Minute }

// StillRunning is when a person must not repair a release by hand: the operation is as young as upkeep itself would wait for.
func StillRunning(patience time.Duration) string {
	return "another Helm may still work: the last revision is younger than " + patience.String()
}
