package text_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/fixtures/plans"
	"upkeep/planner"
	"upkeep/planner/report"
	"upkeep/planner/report/text"
	"upkeep/planner/schedule"
	"upkeep/providers"
)

// No word of a plan depends on how wide the terminal is.
func TestWidthHidesNoWord(t *testing.T) {
	// Words are compared without the spaces that fold lines; the sign of a comment begins each of its lines.
	words := func(s string) []string {
		out := slices.DeleteFunc(strings.Fields(s), func(w string) bool { return w == "#" })
		slices.Sort(out)
		return out
	}
	for name, p := range map[string]planner.Plan{"control planes": plans.ControlPlanes(), "fleet": plans.Fleet(), "refused": plans.Refused(), "recorded": plans.Recorded(), "actions": plans.EveryAction()} {
		for _, verbose := range []bool{false, true} {
			want := words(shown(t, p, text.Run{}, text.Style{Width: 80, Verbose: verbose}))
			for _, width := range []int{60, 100, 120, 160, 200, 400} {
				if diff := cmp.Diff(want, words(shown(t, p, text.Run{}, text.Style{Width: width, Verbose: verbose}))); diff != "" {
					t.Errorf("%s at %d columns (-at 80 +here):\n%s", name, width, diff)
				}
			}
		}
	}
}

// Each finding begins with how bad it is, in a word.
func TestSeverityIsAWord(t *testing.T) {
	f := func(id string, severity providers.Severity, unknown bool) providers.Finding {
		return providers.Finding{ID: id, Severity: severity, Unknown: unknown, Address: plans.Certificates.On("cp1"), Summary: "why"}
	}
	p := plans.Quiet(func(p *planner.Plan) {
		p.Findings = []providers.Finding{f("A_NOTE", "note", false), f("A_WARNING", "warning", false), f("AN_UNKNOWN", "error", true), f("AN_ERROR", "error", false)}
	})
	var drift, status strings.Builder
	if err := text.Drift(&drift, report.Drift(p), text.Run{}, text.Style{Verbose: true}); err != nil {
		t.Fatal(err)
	}
	if err := text.Status(&status, report.Status(plans.Watched()), text.Run{}, text.Style{Width: 120}); err != nil {
		t.Fatal(err)
	}
	pattern := regexp.MustCompile(`(?m)^  (\S+) +(A\S+)`)
	for name, page := range map[string]string{"plan": shown(t, p, text.Run{}, text.Style{Verbose: true}), "drift": drift.String()} {
		var got []string
		for _, m := range pattern.FindAllStringSubmatch(page, -1) {
			got = append(got, m[1]+" "+m[2])
		}
		if diff := cmp.Diff([]string{"ERROR AN_ERROR", "UNKNOWN AN_UNKNOWN", "WARN A_WARNING", "NOTE A_NOTE"}, got); diff != "" {
			t.Errorf("%s:\n%s%s", name, diff, page)
		}
	}
	for _, want := range []string{`(?m)^WARN .* due `, `(?m)^OK .* ok `, `(?m)^ERROR .* EXPIRED `, `(?m)^ERROR .* missing `, `(?m)^UNKNOWN .* unknown `} {
		if !regexp.MustCompile(want).MatchString(status.String()) {
			t.Errorf("no line %s in\n%s", want, status.String())
		}
	}
}

// The first line says what a plan is not.
func TestFirstLine(t *testing.T) {
	foreseen := plans.ControlPlanes()
	foreseen.ExpectedRefusals = []planner.ExpectedRefusal{{Step: foreseen.Steps[0].ID, Why: "a drill would starve etcd"}}
	all := plans.EveryAction()
	for _, s := range all.Steps {
		all.ExpectedRefusals = append(all.ExpectedRefusals, planner.ExpectedRefusal{Step: s.ID, Why: "no room"})
	}
	refusedToo := plans.Recorded()
	refusedToo.Refusals = []string{"no backup"}
	for name, test := range map[string]struct {
		plan planner.Plan
		want string
		says []string
	}{
		"refused":                {plans.Refused(), "NOT APPLICABLE: `upkeep apply` refuses this plan.", []string{"ERROR    6 steps of"}},
		"recorded":               {plans.Recorded(), "FROM RECORDED FACTS of 2026-11-22 03:00:00 UTC: for review, not for apply", []string{"Recorded 6d ago"}},
		"recorded and refused":   {refusedToo, "FROM RECORDED FACTS of 2026-11-22 03:00:00 UTC: for review, not for apply", []string{"\nNOT APPLICABLE: ", "no backup"}},
		"its first step":         {foreseen, "NOT APPLICABLE in full: `upkeep apply` refuses 1 of 7 steps.", []string{"ERROR    apply refuses step 1 (etcd_backup.daily@cp2/take): a drill", "To do what apply does not refuse (6 of 7 steps):"}},
		"every one of its steps": {all, "NOT APPLICABLE: `upkeep apply` refuses every step of this plan.", []string{"Fix the errors above"}},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			if err := text.Plan(&out, report.Plan(test.plan).At(plans.Now.Add(6*24*time.Hour)), text.Run{SavedTo: "a.plan"}, text.Style{Width: 100}); err != nil {
				t.Fatal(err)
			}
			got, _, _ := strings.Cut(out.String(), "\n")
			if got != test.want {
				t.Errorf("%s\nwant %s", got, test.want)
			}
			for _, says := range test.says {
				if !strings.Contains(out.String(), says) {
					t.Errorf("it does not say %q:\n%s", says, out.String())
				}
			}
			if strings.Contains(out.String(), "To do exactly this") {
				t.Errorf("it offers to do exactly this:\n%s", out.String())
			}
		})
	}
}

// Which nodes take the room of a lane is said, and what follows where none is left.
func TestLaneThatIsTaken(t *testing.T) {
	p := plans.Fleet()
	lane := func(width int, nodes ...string) planner.LaneNodes {
		l := planner.LaneNodes{Lane: providers.Lane{Name: "workers", Width: width}}
		for _, n := range nodes {
			l.Taken = append(l.Taken, schedule.Taken{Node: n, Why: "not ready"})
		}
		return l
	}
	for want, l := range map[string]planner.LaneNodes{
		"ROOM     gpu7 (not ready) takes 1 of 3 places in the lane workers.":                                                        lane(3, "gpu7"),
		"WARN     gpu7 (not ready) takes 1 of 1 place in the lane workers. No other node of this lane can start.":                   lane(1, "gpu7"),
		"WARN     gpu7 (not ready), gpu8 (not ready) take 2 of 2 places in the lane workers. No other node of this lane can start.": lane(2, "gpu7", "gpu8"),
	} {
		p.Lanes = []planner.LaneNodes{l}
		if got := shown(t, p, text.Run{}, text.Style{Width: 200}); !strings.Contains(got, want+"\n") {
			t.Errorf("no line %s in\n%s", want, got[:1000])
		}
	}
}

// No sentence of a healthy run, and no count of nothing, stands in what could not be checked.
func TestUnknownNeverLooksLikeSuccess(t *testing.T) {
	nothing := plans.Quiet(plans.UnknownNode)
	for _, node := range []string{"cp1", "cp3"} {
		nothing.Request.World.Nodes[node].Unknown = "ssh: no answer in 10s"
	}
	part := plans.Quiet(func(p *planner.Plan) {
		p.Complete = false
		p.Findings = []providers.Finding{{ID: "X", Severity: "error", Unknown: true, Address: plans.Certificates, Summary: "no answer"}}
		p.Remaining = p.Findings
	})
	for name, p := range map[string]planner.Plan{"no node": nothing, "one node": plans.Quiet(plans.UnknownNode), "a part": part, "steps": plans.ControlPlanes()} {
		for _, recorded := range []bool{false, true} {
			p.Request.Recorded = recorded
			var page strings.Builder
			page.WriteString(shown(t, p, text.Run{}, text.Style{Color: true}))
			for _, write := range []func() error{
				func() error { return text.Drift(&page, report.Drift(p), text.Run{}, text.Style{Color: true}) },
				func() error { return text.Status(&page, report.Status(p), text.Run{}, text.Style{Color: true}) },
				func() error {
					return text.Doctor(&page, report.Doctor(p, report.Advice{}), text.Run{}, text.Style{Color: true})
				},
			} {
				if err := write(); err != nil {
					t.Fatal(err)
				}
			}
			for _, bad := range []string{"No changes", "No drift", "Nothing is wrong", "0 to add, 0 to change, 0 to destroy", "0 findings", "no problem is left", "all 10 problems", "the configuration.", "\x1b[32mNo"} {
				if strings.Contains(page.String(), bad) {
					t.Errorf("%s, recorded %t: %q in\n%s", name, recorded, bad, page.String())
				}
			}
			if !strings.Contains(page.String(), "NOT checked") && !strings.Contains(page.String(), "could NOT be checked") {
				t.Errorf("%s: it does not say that something was not checked:\n%s", name, page.String())
			}
		}
	}
}
