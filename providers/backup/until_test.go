package backup_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"upkeep/config"
	"upkeep/fixtures/calm"
)

// TestOutcomesHoldUntil: max_age, locks and bundles from the future are all that time alone changes.
func TestOutcomesHoldUntil(t *testing.T) {
	changed := 0
	rapid.Check(t, func(t *rapid.T) {
		spec, in := drawn(t)
		if rapid.Bool().Draw(t, "locked") {
			spec.Store.LockFor = config.Duration(time.Duration(rapid.IntRange(1, 24*90).Draw(t, "lock")) * time.Hour)
		}
		changed += calm.Check(t, spec, in)
	})
	if changed == 0 {
		t.Error("no outcome changed in any world")
	}
}
