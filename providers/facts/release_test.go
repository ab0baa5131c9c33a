package facts_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/facts"
)

// TestStartsFrom: values of a revision that was never in force are not what an upgrade starts from.
func TestStartsFrom(t *testing.T) {
	last, kept := map[string]any{"is": "last"}, map[string]any{"is": "deployed"}
	history := func(statuses ...string) []facts.ReleaseRevision {
		var out []facts.ReleaseRevision
		for i, status := range statuses {
			out = append(out, facts.ReleaseRevision{Revision: i + 1, Status: status})
		}
		return out
	}
	for _, test := range []struct {
		name    string
		release facts.Release
		want    map[string]any
	}{
		{"the last one is deployed", facts.Release{Revision: 2, Values: last, History: history("superseded", "deployed")}, last},
		{"the last one failed", facts.Release{Revision: 2, Values: last, Kept: kept, History: history("deployed", "failed")}, kept},
		{"the last one is pending, and the deployed one has no values", facts.Release{Revision: 2, Values: last, History: history("deployed", "pending-upgrade")}, nil},
		{"none was ever deployed", facts.Release{Revision: 1, Values: last, History: history("pending-install")}, last},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, test.release.StartsFrom()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
