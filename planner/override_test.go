package planner_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/planner"
	"upkeep/providers/facts"
)

func TestParseOverride(t *testing.T) {
	for text, want := range map[string]planner.Override{
		"backup=a copy was taken by hand":     {Rule: "backup", Reason: "a copy was taken by hand"},
		"backup@cp1=x=y@z":                    {Rule: "backup", Node: "cp1", Reason: "x=y@z"},
		"order=a":                             {Rule: "order", Reason: "a"},
		"max_unavailable=a":                   {Rule: "max_unavailable", Reason: "a"},
		"leases=a":                            {Rule: "leases", Reason: "a"},
		"window@gpu1.example.net=maintenance": {Rule: "window", Node: "gpu1.example.net", Reason: "maintenance"},
	} {
		got, err := planner.ParseOverride(text, testTypes())
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", text, err, diff)
		}
		if again := got.String(); again != text {
			t.Errorf("%s is written %s", text, again)
		}
	}
	for text, want := range map[string]string{
		"quorum=a":      "backup, leases, max_change, order, max_unavailable, window",
		"":              "not a rule",
		"backup":        "has no reason",
		"backup=":       "has no reason",
		"backup=   ":    "has no reason",
		"backup@=a":     "names no node",
		"Backup=reason": `"Backup" is not a rule`,
	} {
		if o, err := planner.ParseOverride(text, testTypes()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v, want an error that says %q", text, o, err, want)
		}
	}
}

func FuzzParseOverride(f *testing.F) {
	for _, seed := range []string{"backup=a", "backup@cp1=a", "=", "@", "backup@=", "window==", "leases@a@b=c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o, err := planner.ParseOverride(text, testTypes())
		if err != nil {
			return
		}
		if again, err := planner.ParseOverride(o.String(), testTypes()); err != nil || again != o {
			t.Errorf("%q is read as %+v, and then as %+v, %v", text, o, again, err)
		}
	})
}

// Rule 1 and its override: a guard that nobody provides refuses the plan, unless this run is told to go without.
func TestOverrideLiftsTheGuardOfItsNode(t *testing.T) {
	const refusal = `the guard "backup", and nothing provides it`
	for name, test := range map[string]struct {
		overrides []planner.Override
		refused   string // in the refusals; empty: none
		warns     string
	}{
		"without":                      {nil, "4 steps of widget.w need " + refusal, ""},
		"for all nodes":                {[]planner.Override{{Rule: "backup", Reason: "a lab"}}, "", `OVERRIDE for this run: rule "backup" (no disruptive step without a proved backup) does not hold on every node: a lab`},
		"for one of two":               {[]planner.Override{{Rule: "backup", Node: "cp1", Reason: "a lab"}}, "2 steps of widget.w need " + refusal, "on cp1: a lab"},
		"for each":                     {[]planner.Override{{Rule: "backup", Node: "cp1", Reason: "a"}, {Rule: "backup", Node: "cp2", Reason: "b"}}, "", "on cp2: b"},
		"of another rule":              {[]planner.Override{{Rule: "window", Reason: "a"}}, "4 steps of widget.w need " + refusal, "nothing in this plan was held back by it"},
		"for a node that is not there": {[]planner.Override{{Rule: "backup", Reason: "a"}, {Rule: "backup", Node: "cp9", Reason: "b"}}, "names no node of this configuration", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := testRequest(2, func(w *widget) { w.Guards = []string{"backup"} })
			plain := build(t, r)
			r.Overrides = test.overrides
			p := build(t, r)
			if got := strings.Join(p.Refusals, "\n"); (test.refused == "") != (got == "") || !strings.Contains(got, test.refused) {
				t.Errorf("refusals: %q, want %q", got, test.refused)
			}
			if p.Applyable != (test.refused == "") {
				t.Errorf("applyable: %v", p.Applyable)
			}
			if got := strings.Join(p.Warnings, "\n"); !strings.Contains(got, test.warns) {
				t.Errorf("warnings: %q, want %q", got, test.warns)
			}
			if p.Digest != plain.Digest {
				t.Error("the override changed the digest of the same work")
			}
		})
	}
}

// An override does not keep away a guard that is there, nor one of no rule.
func TestOverrideLeavesOtherGuardsAlone(t *testing.T) {
	r := testRequest(1, func(w *widget) { w.Guards = []string{"copy", "luck"} })
	r.Overrides = []planner.Override{{Rule: "backup", Reason: "a"}, {Rule: "leases", Reason: "b"}}
	p := build(t, r)
	if len(p.Refusals) != 1 || !strings.Contains(p.Refusals[0], `"luck"`) {
		t.Errorf("refusals: %v", p.Refusals)
	}
	if !slices.Contains(ids(p.Steps), "vault.main/copy-begin") {
		t.Errorf("the guard that is provided has gone: %v", ids(p.Steps))
	}
}

func TestTheNextPlanShowsTheOverridesOfTheLastApply(t *testing.T) {
	r := testRequest(1, nil)
	r.Memory.Overrides = []facts.UsedOverride{{Text: "backup=a lab", Plan: "p1", Who: "ops@laptop", At: testNow}}
	want := "the last apply (plan p1, ops@laptop, begun 2026-11-22 03:00:00 UTC) went with the override backup=a lab"
	if p := build(t, r); !slices.Contains(p.Warnings, want) {
		t.Errorf("warnings: %q", p.Warnings)
	}
}

func TestPlanFileKeepsItsDigestWithAnOverride(t *testing.T) {
	r := testRequest(1, func(w *widget) { w.Guards = []string{"backup"} })
	p := build(t, r)
	p.ID = "p1"
	p.Request.Overrides = []planner.Override{{Rule: "backup", Reason: "a"}}
	again, err := planner.Rebuild(p, testTypes())
	if err != nil || !again.Applyable || again.Digest != p.Digest {
		t.Errorf("%v, applyable %v", err, again.Applyable)
	}
}
