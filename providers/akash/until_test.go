package akash_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"upkeep/fixtures/calm"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// TestOutcomesHoldUntil: an operation that may still be in progress is waited for; of a provider, nothing else depends on
// time.
func TestOutcomesHoldUntil(t *testing.T) {
	w, s := healthy(t)
	observed := w.World(t.Context(), s)
	changed := 0
	rapid.Check(t, func(t *rapid.T) {
		in := providers.Input{World: observed.Clone(), Now: clock}
		r := in.World.Release(s.Namespace, s.Release)
		r.Status = rapid.SampledFrom([]string{facts.ReleaseDeployed, facts.ReleaseFailed, facts.ReleasePendingUpgrade}).Draw(t, "status")
		r.Updated = clock.Add(-time.Duration(rapid.IntRange(-60, 4000).Draw(t, "seconds ago")) * time.Second)
		in.World.Apply(facts.Update{Releases: []facts.Release{r}})
		changed += calm.Check(t, s, in)
	})
	if changed == 0 {
		t.Error("no outcome changed in any world")
	}
}
