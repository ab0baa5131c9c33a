package report_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	tfjson "github.com/hashicorp/terraform-json"

	"upkeep/fixtures/golden"
	"upkeep/fixtures/plans"
	"upkeep/planner"
	"upkeep/planner/report"
	"upkeep/providers"
)

func indented(t *testing.T, value any) []byte {
	t.Helper()
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(data, '\n')
}

func TestPlanJSON(t *testing.T) {
	golden.Compare(t, "control-planes.json", string(indented(t, report.Plan(plans.ControlPlanes()))))
	golden.Compare(t, "prices.json", string(indented(t, report.Plan(plans.Prices()))))
	golden.Compare(t, "quiet.json", string(indented(t, report.Plan(plans.Quiet(nil)))))
}

// Terraform's own reader takes our plans.
func TestTerraformReadsPlanJSON(t *testing.T) {
	var got tfjson.Plan
	in := json.NewDecoder(bytes.NewReader(indented(t, report.Plan(plans.EveryAction()))))
	if err := in.Decode(&got); err != nil {
		t.Fatal(err)
	}
	type change struct {
		Address string
		Index   any
		Actions tfjson.Actions
		Before  any
		After   any
	}
	var changes []change
	for _, c := range got.ResourceChanges {
		if c.Mode != tfjson.ManagedResourceMode || c.Type != "thing" || c.ProviderName != "upkeep" {
			t.Errorf("%+v", c)
		}
		changes = append(changes, change{c.Address, c.Index, c.Change.Actions, c.Change.Before, c.Change.After})
	}
	object := func(v string) any { return map[string]any{"value": v} }
	none := map[string]any{}
	want := []change{
		{`thing.x["create"]`, "create", tfjson.Actions{"create"}, nil, object("bbb")},
		{`thing.x["update"]`, "update", tfjson.Actions{"update"}, object("a"), object("bb")},
		{`thing.x["delete"]`, "delete", tfjson.Actions{"delete"}, object("aa"), nil},
		{`thing.x["no-op"]`, "no-op", tfjson.Actions{"no-op"}, object("aaa"), none},
		{"thing.both", nil, tfjson.Actions{"delete", "create"}, object(""), object("")},
	}
	for i := range want {
		if want[i].Address == "thing.both" {
			want[i].Before, want[i].After = none, none
		}
	}
	if diff := cmp.Diff(want, changes); diff != "" {
		t.Error(diff)
	}
	if !got.ResourceChanges[4].Change.Actions.Replace() {
		t.Error("a deletion and a creation are not a replacement")
	}

	got = tfjson.Plan{}
	if err := json.Unmarshal(indented(t, report.Plan(plans.ControlPlanes())), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(any(map[string]any{"serial": true}), got.ResourceChanges[1].Change.AfterUnknown); diff != "" {
		t.Error(diff)
	}
	var checks []string
	for _, c := range got.Checks {
		checks = append(checks, c.Address.ToDisplay+" "+string(c.Status))
	}
	if diff := cmp.Diff([]string{"certificates.control_plane fail", "nvidia_driver.workers unknown"}, checks); diff != "" {
		t.Error(diff)
	}
	if got.Complete == nil || *got.Complete || got.Timestamp != "2026-11-22T03:00:00Z" || len(got.ResourceDrift) != 3 {
		t.Errorf("complete %v, timestamp %q, %d drifted", got.Complete, got.Timestamp, len(got.ResourceDrift))
	}
}

func TestSummary(t *testing.T) {
	for name, test := range map[string]struct {
		plan planner.Plan
		want report.Summary
	}{
		"nothing":        {plans.Quiet(nil), report.Summary{}},
		"control planes": {plans.ControlPlanes(), report.Summary{Add: 1, Change: 3, Steps: 7, EstimateSeconds: 50, Findings: 10, Unknown: 1}},
		"every action":   {plans.EveryAction(), report.Summary{Add: 2, Change: 1, Destroy: 2, Steps: 6, EstimateSeconds: 300}},
		"unknown cluster": {plans.Quiet(func(p *planner.Plan) {
			p.Findings = []providers.Finding{{ID: "X", Unknown: true, Address: plans.Certificates}, {ID: "Y", Severity: "note"}, {ID: "Z", Severity: "warning"}}
			p.Remaining = p.Findings
		}), report.Summary{Findings: 1, Remaining: 1, Unknown: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, report.Plan(test.plan).Upkeep.Summary); diff != "" {
				t.Error(diff)
			}
		})
	}
}
