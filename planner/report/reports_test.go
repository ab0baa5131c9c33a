package report_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	tfjson "github.com/hashicorp/terraform-json"

	"upkeep/planner"
	"upkeep/planner/report"
	"upkeep/providers"
)

func TestDrift(t *testing.T) {
	for name, test := range map[string]struct {
		plan   planner.Plan
		exit   int
		status string
	}{
		"drift-none":       {quiet(nil), 0, "none"},
		"drift-found":      {controlPlanes(), 2, "drift"},
		"drift-unknown":    {quiet(unknownNode), 1, "unknown"},
		"drift-incomplete": {quiet(func(p *planner.Plan) { p.Complete = false }), 1, "unknown"},
		"drift-by-hand":    {quiet(byHand), 2, "drift"},
		"drift-only-a-note": {quiet(func(p *planner.Plan) {
			p.Findings = []providers.Finding{{ID: "A_NOTE", Severity: "note", Address: certificates}}
		}), 0, "none"},
		"drift-unknown-part": {quiet(func(p *planner.Plan) {
			p.Complete = false
			p.Findings = []providers.Finding{{ID: "CERT_UNREADABLE", Severity: "error", Unknown: true, Address: certificates.On("cp1"), Object: "apiserver", Summary: "permission denied"}}
		}), 1, "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			d := report.Drift(test.plan)
			if d.Exit() != test.exit || d.Status != test.status {
				t.Errorf("exit %d, status %s; want %d, %s", d.Exit(), d.Status, test.exit, test.status)
			}
			var out strings.Builder
			if err := report.DriftText(&out, d, report.Run{Took: time.Second}, report.Style{Width: 100}); err != nil {
				t.Fatal(err)
			}
			golden(t, name+".txt", out.String())
			if said := strings.Contains(out.String(), "No drift."); said != (test.exit == 0) {
				t.Errorf("exit %d, and the text says:\n%s", test.exit, out.String())
			}
		})
	}
	var out bytes.Buffer
	if err := report.JSON(&out, report.Drift(controlPlanes())); err != nil {
		t.Fatal(err)
	}
	golden(t, "drift-found.json", out.String())
}

func watched() planner.Plan {
	p := controlPlanes()
	for _, o := range []providers.Object{
		{Address: certificates.On("cp1"), Name: "apiserver", Path: "/etc/kubernetes/pki/apiserver.crt", Status: "due", Expires: now.Add(12*24*time.Hour + time.Hour), Authority: "ca"},
		{Address: certificates.On("cp1"), Name: "etcd-server", Path: "/etc/kubernetes/pki/etcd/server.crt", Status: "ok", Expires: now.Add(300 * 24 * time.Hour), Authority: "etcd-ca"},
		{Address: certificates.On("cp2"), Name: "apiserver", Status: "problem", Expires: now.Add(-90 * time.Minute), Authority: "ca", Detail: "the key does not belong to the certificate"},
		{Address: certificates.On("cp2"), Name: "/root/.kube/config", Status: "missing"},
		{Address: certificates.On("cp3"), Name: "apiserver", Status: "unknown", Detail: "permission denied"},
		{Address: certificates, Name: "cluster.kubeconfig", Path: "~/.kube/config", Status: "ok", Expires: now.Add(30 * time.Hour)},
	} {
		p.Objects = append(p.Objects, o)
	}
	return p
}

func TestStatus(t *testing.T) {
	s := report.Status(watched())
	for name, style := range map[string]report.Style{
		"status.txt": {Width: 100}, "status-color.txt": {Width: 100, Color: true}, "status-verbose.txt": {Width: 120, Verbose: true},
	} {
		var out strings.Builder
		if err := report.StatusText(&out, s, report.Run{}, style); err != nil {
			t.Fatal(err)
		}
		golden(t, name, out.String())
	}
	var out bytes.Buffer
	if err := report.JSON(&out, s); err != nil {
		t.Fatal(err)
	}
	golden(t, "status.json", out.String())
	if s := report.Status(quiet(nil)); s.Objects == nil || len(s.Counts) != 0 {
		t.Errorf("%+v", s)
	}
}

func TestRehearsalText(t *testing.T) {
	step := func(id, node, summary string, ending planner.Ending, why string) planner.Rehearsed {
		return planner.Rehearsed{Step: id, Node: node, Address: certificates.On(node), Summary: summary, Ending: ending, Why: why}
	}
	good := planner.Rehearsal{Digest: digest, Steps: []planner.Rehearsed{
		step("a", "cp1", "renew apiserver", planner.Proved, ""), step("b", "cp1", "restart kube-scheduler", planner.AlreadySo, "it runs since after its kubeconfig"),
	}}
	bad := planner.Rehearsal{
		Digest: digest, Faults: []planner.Fault{{Step: "a", Kind: planner.Lies}}, Refusals: []string{"no backup"},
		Steps: []planner.Rehearsed{
			step("a", "cp1", "renew apiserver", planner.Failed, "injected: lies; seen as: the serial is the same"),
			step("b", "cp1", "restart kube-scheduler", planner.NotStarted, "its lane control-plane was closed by a"),
			step("c", "cp2", "renew apiserver", planner.Refused, "it has moved"),
		},
		Remaining: controlPlanes().Findings, Due: []string{"a", "b"},
	}
	long := planner.Rehearsal{Digest: digest}
	for range 100 {
		long.Steps = append(long.Steps, good.Steps[0])
	}
	long.Steps[50] = bad.Steps[0]
	for name, r := range map[string]planner.Rehearsal{"rehearsal-good.txt": good, "rehearsal-bad.txt": bad, "rehearsal-long.txt": long} {
		var out strings.Builder
		if err := report.RehearsalText(&out, r, report.Style{Width: 90}); err != nil {
			t.Fatal(err)
		}
		golden(t, name, out.String())
	}
}

func TestEvents(t *testing.T) {
	var out bytes.Buffer
	clock := now
	e := report.NewEvents(&out, func() time.Time { clock = clock.Add(time.Second); return clock })
	p := report.Plan(everyAction())
	hook := report.HookOf(controlPlanes().Steps[1])
	taken := report.HookOf(controlPlanes().Steps[0])
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
	golden(t, "events.jsonl", out.String())

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

func TestEventsKeepTheFirstError(t *testing.T) {
	pipe := &brokenPipe{}
	e := report.NewEvents(pipe, func() time.Time { return now })
	for range 3 {
		if err := e.Log("x"); err == nil || err.Error() != "broken pipe" {
			t.Errorf("error %v", err)
		}
	}
	if pipe.writes != 1 {
		t.Errorf("%d writes to a broken pipe", pipe.writes)
	}
}

// BenchmarkText renders a plan over a thousand nodes, JSON data and text.
func BenchmarkText(b *testing.B) {
	p := fleet()
	for b.Loop() {
		if err := report.Text(io.Discard, report.Plan(p), report.Run{}, report.Style{}); err != nil {
			b.Fatal(err)
		}
	}
}
