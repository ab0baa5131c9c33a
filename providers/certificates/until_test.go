package certificates_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"upkeep/fixtures/calm"
	"upkeep/fixtures/worlds"
	"upkeep/providers"
)

// TestOutcomesHoldUntil: whatever is wrong with a cluster, time alone changes nothing before Outcome.Until.
func TestOutcomesHoldUntil(t *testing.T) {
	changed := 0
	rapid.Check(t, func(t *rapid.T) {
		in, _ := broken(t)
		for _, n := range in.World.Nodes {
			for i := range n.Certificates.Files {
				if f := &n.Certificates.Files[i]; len(f.Blocks) > 0 && rapid.Bool().Draw(t, "dated") {
					f.Blocks[0].NotAfter = now.Add(time.Duration(rapid.IntRange(-40, 24*400).Draw(t, "hours left")) * time.Hour)
					f.Blocks[0].NotBefore = now.Add(time.Duration(rapid.IntRange(-24*400, 60).Draw(t, "hours old")) * time.Hour)
				}
			}
			if rapid.Bool().Draw(t, "no clock of its own") {
				n.System.Clock = time.Time{}
			}
			if rapid.Bool().Draw(t, "just renewed") && n.Unknown == "" && len(n.Certificates.Served) > 0 {
				s := &n.Certificates.Served[0]
				s.SHA256 = "old"
				if f := worlds.File(n, s.Name); f != nil {
					f.Modified = now.Add(-time.Minute)
				}
			}
		}
		if in.Start.Bound = rapid.Bool().Draw(t, "windows"); in.Start.Bound {
			for at := rapid.IntRange(-5, 300).Draw(t, "first opening"); at < 24*200; at += rapid.IntRange(2, 24*90).Draw(t, "apart") {
				from := now.Add(time.Duration(at) * time.Hour)
				in.Start.Openings = append(in.Start.Openings, providers.Opening{From: from, Until: from.Add(2 * time.Hour)})
			}
		}
		changed += calm.Check(t, spec(), in)
	})
	if changed == 0 {
		t.Error("no outcome changed in any world")
	}
}
