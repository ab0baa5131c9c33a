package release_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"upkeep/fixtures/calm"
	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/helm/pending"
)

// TestOutcomesHoldUntil: an operation that may still be in progress is waited for, and nothing else of a release depends
// on time.
func TestOutcomesHoldUntil(t *testing.T) {
	w := open(t)
	w.install(t, "0.16.2", nil)
	spec := w.spec("0.17.0", nil)
	observed := w.observe(t, spec)
	changed := 0
	rapid.Check(t, func(t *rapid.T) {
		in := providers.Input{World: observed.Clone(), Now: clock}
		r := in.World.Release(namespace, name)
		r.Status = rapid.SampledFrom([]string{facts.ReleaseDeployed, facts.ReleaseFailed, facts.ReleasePendingUpgrade, "uninstalling"}).Draw(t, "status")
		r.Updated = clock.Add(-time.Duration(rapid.IntRange(-60, 4000).Draw(t, "seconds ago")) * time.Second)
		if rapid.Bool().Draw(t, "ours") {
			r.Labels = pending.Labels(r.Revision)
		}
		in.World.Apply(facts.Update{Releases: []facts.Release{r}})
		changed += calm.Check(t, spec, in)
	})
	if changed == 0 {
		t.Error("no outcome changed in any world")
	}
}
