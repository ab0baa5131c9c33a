package events_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	tfjson "github.com/hashicorp/terraform-json"

	"upkeep/fixtures/golden"
	"upkeep/fixtures/plans"
	"upkeep/planner/report"
	"upkeep/planner/report/events"
)

func TestEvents(t *testing.T) {
	var out bytes.Buffer
	clock := plans.Now
	e := events.New(&out, func() time.Time { clock = clock.Add(time.Second); return clock })
	p := report.Plan(plans.EveryAction())
	hook := events.HookOf(plans.ControlPlanes().Steps[1])
	taken := events.HookOf(plans.ControlPlanes().Steps[0])
	for _, err := range []error{
		e.Version("0.1.0"), e.Planned(p), e.ApplyStart(hook), e.ApplyProgress(hook, 10*time.Second, "kubeadm has renewed apiserver"), e.ApplyProgress(hook, 80*time.Second, ""),
		e.ApplyComplete(hook, 82*time.Second+300*time.Millisecond), e.ApplyStart(taken), e.ApplyErrored(taken, 3*time.Second),
		e.Diagnostic("error", "etcd_backup.daily@cp2 failed", "the disk is full", "etcd_backup.daily@cp2"), e.Diagnostic("warning", "slow", "", ""), e.Log("a line"),
		e.ChangeSummary("apply", report.Counts{Change: 1}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	golden.Compare(t, "events.jsonl", out.String())

	// Terraform's own reader takes every line.
	var types []string
	lines := bufio.NewScanner(&out)
	for lines.Scan() {
		message, err := tfjson.UnmarshalLogMessage(lines.Bytes())
		if err != nil {
			t.Fatalf("%v: %s", err, lines.Text())
		}
		if message.Message() == "" || message.Timestamp().IsZero() || message.Level() == "" {
			t.Errorf("incomplete: %s", lines.Text())
		}
		var line struct{ Type string }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		types = append(types, line.Type)
	}
	want := []string{"version", "planned_change", "planned_change", "planned_change", "planned_change", "planned_change", "change_summary",
		"apply_start", "apply_progress", "apply_progress", "apply_complete", "apply_start", "apply_errored", "diagnostic", "diagnostic", "log", "change_summary"}
	if diff := cmp.Diff(want, types); diff != "" {
		t.Error(diff)
	}
}

type brokenPipe struct{ writes int }

func (b *brokenPipe) Write([]byte) (int, error) { b.writes++; return 0, errors.New("broken pipe") }

func TestAStreamKeepsTheFirstError(t *testing.T) {
	pipe := &brokenPipe{}
	e := events.New(pipe, func() time.Time { return plans.Now })
	for range 3 {
		if err := e.Log("x"); err == nil || err.Error() != "broken pipe" {
			t.Errorf("error %v", err)
		}
	}
	if pipe.writes != 1 {
		t.Errorf("%d writes to a broken pipe", pipe.writes)
	}
}
