package report_test

import (
	"bytes"
	"testing"

	"upkeep/fixtures/golden"
	"upkeep/fixtures/plans"
	"upkeep/planner/report"
)

func TestDriftJSON(t *testing.T) {
	var out bytes.Buffer
	if err := report.JSON(&out, report.Drift(plans.ControlPlanes())); err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "drift-found.json", out.String())
}

func TestStatusJSON(t *testing.T) {
	s := report.Status(plans.Watched())
	var out bytes.Buffer
	if err := report.JSON(&out, s); err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "status.json", out.String())
	if s := report.Status(plans.Quiet(nil)); s.Objects == nil || len(s.Counts) != 0 {
		t.Errorf("%+v", s)
	}
}
