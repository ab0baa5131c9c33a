package text_test

import (
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"upkeep/fixtures/golden"
	"upkeep/fixtures/plans"
	"upkeep/planner"
	"upkeep/planner/report"
	"upkeep/planner/report/text"
	"upkeep/providers"
)

func TestDrift(t *testing.T) {
	for name, test := range map[string]struct {
		plan   planner.Plan
		status report.Verdict
	}{
		"drift-none":       {plans.Quiet(nil), "none"},
		"drift-found":      {plans.ControlPlanes(), "unknown"},
		"drift-unknown":    {plans.Quiet(plans.UnknownNode), "unknown"},
		"drift-incomplete": {plans.Quiet(func(p *planner.Plan) { p.Complete = false }), "unknown"},
		"drift-by-hand":    {plans.Quiet(plans.ByHand), "drift"},
		"drift-only-a-note": {plans.Quiet(func(p *planner.Plan) {
			p.Findings = []providers.Finding{{ID: "A_NOTE", Severity: "note", Address: plans.Certificates}}
		}), "none"},
		"drift-unknown-part": {plans.Quiet(func(p *planner.Plan) {
			p.Complete = false
			p.Findings = []providers.Finding{{ID: "CERT_UNREADABLE", Severity: "error", Unknown: true, Address: plans.Certificates.On("cp1"), Object: "apiserver", Summary: "permission denied"}}
		}), "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			d := report.Drift(test.plan)
			if d.Status != test.status {
				t.Errorf("status %s; want %s", d.Status, test.status)
			}
			var out strings.Builder
			if err := text.Drift(&out, d, text.Run{Took: time.Second}, text.Style{Width: 100}); err != nil {
				t.Fatal(err)
			}
			golden.Compare(t, name+".txt", out.String())
			if said := strings.Contains(out.String(), "No drift."); said != (test.status == report.Well) {
				t.Errorf("status %s, and the text says:\n%s", test.status, out.String())
			}
		})
	}
}

func TestStatus(t *testing.T) {
	s := report.Status(plans.Watched())
	for name, style := range map[string]text.Style{
		"status.txt": {Width: 100}, "status-color.txt": {Width: 100, Color: true}, "status-verbose.txt": {Width: 120, Verbose: true},
	} {
		var out strings.Builder
		if err := text.Status(&out, s, text.Run{}, style); err != nil {
			t.Fatal(err)
		}
		golden.Compare(t, name, out.String())
	}
}

// TestStatusFits: on a narrow terminal the table leaves out what it can, and no line of it is wider than the terminal.
func TestStatusFits(t *testing.T) {
	s := report.Status(plans.Watched())
	for i := range s.Objects {
		if s.Objects[i].Authority != "" {
			s.Objects[i].Authority = "front-proxy-ca"
		}
	}
	for width, head := range map[int]string{
		72:  "NODE  NAME                STATUS   EXPIRES     LEFT",
		90:  "NODE  NAME                STATUS   EXPIRES     LEFT             AUTHORITY",
		120: "NODE  NAME                STATUS   EXPIRES           LEFT             AUTHORITY",
	} {
		var out strings.Builder
		if err := text.Status(&out, s, text.Run{}, text.Style{Width: width}); err != nil {
			t.Fatal(err)
		}
		found := false
		for line := range strings.Lines(out.String()) {
			line = strings.TrimSuffix(line, "\n")
			found = found || strings.TrimSpace(line) == head
			if n := utf8.RuneCountInString(line); n > width {
				t.Errorf("%d columns: %d: %s", width, n, line)
			}
		}
		if !found {
			t.Errorf("%d columns: there is no head %q in:\n%s", width, head, out.String())
		}
	}
}

func TestRehearsal(t *testing.T) {
	step := func(id, node, summary string, ending planner.Ending, why string) planner.Rehearsed {
		return planner.Rehearsed{Step: id, Node: node, Address: plans.Certificates.On(node), Summary: summary, Ending: ending, Why: why}
	}
	good := planner.Rehearsal{Digest: plans.Digest, Steps: []planner.Rehearsed{
		step("a", "cp1", "renew apiserver", planner.Proved, ""), step("b", "cp1", "restart kube-scheduler", planner.AlreadySo, "it runs since after its kubeconfig"),
	}}
	bad := planner.Rehearsal{
		Digest: plans.Digest, Faults: []planner.Fault{{Step: "a", Kind: planner.Lies}}, Refusals: []string{"no backup"},
		Steps: []planner.Rehearsed{
			step("a", "cp1", "renew apiserver", planner.Failed, "injected: lies; seen as: the serial is the same"),
			step("b", "cp1", "restart kube-scheduler", planner.NotStarted, "its lane control-plane was closed by a"),
			step("c", "cp2", "renew apiserver", planner.Refused, "it has moved"),
		},
		Remaining: plans.ControlPlanes().Findings, Due: []string{"a", "b"},
	}
	long := planner.Rehearsal{Digest: plans.Digest}
	for range 100 {
		long.Steps = append(long.Steps, good.Steps[0])
	}
	long.Steps[50] = bad.Steps[0]
	for name, r := range map[string]planner.Rehearsal{"rehearsal-good.txt": good, "rehearsal-bad.txt": bad, "rehearsal-long.txt": long} {
		var out strings.Builder
		if err := text.Rehearsal(&out, r, text.Style{Width: 90}); err != nil {
			t.Fatal(err)
		}
		golden.Compare(t, name, out.String())
	}
}

// BenchmarkPlan renders a plan over a thousand nodes, JSON data and text.
func BenchmarkPlan(b *testing.B) {
	p := plans.Fleet()
	for b.Loop() {
		if err := text.Plan(io.Discard, report.Plan(p), text.Run{}, text.Style{}); err != nil {
			b.Fatal(err)
		}
	}
}
