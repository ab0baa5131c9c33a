package cluster_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"upkeep/config"
	"upkeep/fixtures/calm"
	"upkeep/fixtures/worlds"
	"upkeep/providers"
	"upkeep/providers/cluster"
)

// TestOutcomesHoldUntil: leases that nobody renews, and the end of the kubeconfig.
func TestOutcomesHoldUntil(t *testing.T) {
	changed := 0
	rapid.Check(t, func(t *rapid.T) {
		w := worlds.ControlPlanes(3, now)
		for i := range w.Kubernetes.Leases {
			w.Kubernetes.Leases[i].RenewedAt = now.Add(-time.Duration(rapid.IntRange(-60, 90).Draw(t, "seconds ago")) * time.Second)
		}
		w.Kubernetes.Kubeconfig.Blocks[0].NotAfter = now.Add(time.Duration(rapid.IntRange(-40, 24*400).Draw(t, "hours left")) * time.Hour)
		spec := cluster.Spec{Name: "this", Alone: rapid.Bool().Draw(t, "alone"), RenewBefore: config.Duration(30 * day)}
		changed += calm.Check(t, spec, providers.Input{World: w, Now: now})
	})
	if changed == 0 {
		t.Error("no outcome changed in any world")
	}
}
