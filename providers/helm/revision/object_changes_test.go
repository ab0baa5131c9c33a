package revision_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/helm/revision"
	"upkeep/providers/helm/values"
)

func TestObjectChanges(t *testing.T) {
	seal := values.Seal(func([]byte) string { return "0a1b" }, "hunter2")
	var many []facts.FieldDifference
	for i := range 60 {
		many = append(many, facts.FieldDifference{Path: fmt.Sprintf("data.KEY_%02d", i), Live: "a", Rendered: "b"})
	}
	got := revision.ObjectChanges([]facts.ObjectChange{
		{Kind: "DaemonSet", Name: "nvdp", Action: "update", Differences: []facts.FieldDifference{
			{Path: "spec.image", Live: "plugin:1", Rendered: "plugin:2"}, {Path: "spec.tty", Live: "true"},
			{Path: "spec.env[TOKEN].value", Live: "plain", Rendered: seal}, {Path: "spec.args", Live: "[" + seal + "]"},
		}},
		{Kind: "Secret", Name: "keys", Action: "update", Differences: []facts.FieldDifference{
			{Path: "data.password", Live: "b2xk", Rendered: "bmV3"}, {Path: "metadata.labels.app", Live: "a", Rendered: "b"},
		}},
		{Kind: "Service", Name: "old", Action: "delete"},
		{Kind: "Role", Name: "new", Action: "create"},
	})
	want := []providers.Change{
		{What: "DaemonSet nvdp", Object: "update", Fields: []providers.FieldChange{
			{Path: "spec.image", Before: "plugin:1", After: "plugin:2"}, {Path: "spec.tty", Before: "true"},
			{Path: "spec.env[TOKEN].value", Sensitive: true}, {Path: "spec.args", Sensitive: true},
		}},
		{What: "Secret keys", Object: "update", Fields: []providers.FieldChange{
			{Path: "data.password", Sensitive: true}, {Path: "metadata.labels.app", Before: "a", After: "b"},
		}},
		{What: "Service old", Object: "delete", Always: true},
		{What: "Role new", Object: "create"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	cut := revision.ObjectChanges([]facts.ObjectChange{{Kind: "ConfigMap", Name: "big", Action: "update", Differences: many}})[0]
	if len(cut.Fields) != 50 || cut.More != 10 {
		t.Errorf("of 60 fields %d are named and %d counted", len(cut.Fields), cut.More)
	}
}
