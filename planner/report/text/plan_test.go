package text_test

import (
	"strings"
	"testing"
	"time"

	"upkeep/fixtures/golden"
	"upkeep/fixtures/plans"
	"upkeep/planner"
	"upkeep/planner/report"
	"upkeep/planner/report/text"
	"upkeep/providers"
)

func shown(t *testing.T, p planner.Plan, run text.Run, style text.Style) string {
	t.Helper()
	var out strings.Builder
	if err := text.Plan(&out, report.Plan(p), run, style); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestText(t *testing.T) {
	took := text.Run{Took: 1400 * time.Millisecond}
	saved := text.Run{Took: 1400 * time.Millisecond, SavedTo: "tonight.plan"}
	for name, test := range map[string]struct {
		plan  planner.Plan
		run   text.Run
		style text.Style
	}{
		"control-planes-80.txt":      {plans.ControlPlanes(), took, text.Style{}},
		"control-planes-120.txt":     {plans.ControlPlanes(), saved, text.Style{Width: 120}},
		"control-planes-60.txt":      {plans.ControlPlanes(), took, text.Style{Width: 40}},
		"control-planes-color.txt":   {plans.ControlPlanes(), saved, text.Style{Width: 120, Color: true}},
		"control-planes-verbose.txt": {plans.ControlPlanes(), took, text.Style{Width: 140, Verbose: true}},
		"fleet-100.txt":              {plans.Fleet(), took, text.Style{Width: 100}},
		"no-changes.txt":             {plans.Quiet(nil), took, text.Style{}},
		"no-changes-color.txt":       {plans.Quiet(nil), took, text.Style{Color: true}},
		"note-only.txt": {plans.Quiet(func(p *planner.Plan) {
			p.Findings = []providers.Finding{{ID: "A_NOTE", Severity: "note", Address: plans.Certificates}}
		}), took, text.Style{}},
		"unknown-only.txt":       {plans.Quiet(plans.UnknownNode), took, text.Style{}},
		"by-hand-only.txt":       {plans.Quiet(plans.ByHand), took, text.Style{}},
		"targeted-nothing.txt":   {plans.Quiet(func(p *planner.Plan) { p.Request.Targets = []providers.Address{plans.Certificates} }), took, text.Style{}},
		"refused.txt":            {plans.Refused(), saved, text.Style{Width: 100}},
		"refused-color.txt":      {plans.Refused(), saved, text.Style{Width: 100, Color: true}},
		"recorded.txt":           {plans.Recorded(), text.Run{}, text.Style{Width: 100}},
		"prices.txt":             {plans.Prices(), took, text.Style{Width: 120}},
		"prices-verbose.txt":     {plans.Prices(), took, text.Style{Verbose: true}},
		"actions.txt":            {plans.EveryAction(), took, text.Style{Width: 100, Color: true}},
		"control-characters.txt": {plans.Hostile(), took, text.Style{}},
	} {
		t.Run(name, func(t *testing.T) { golden.Compare(t, name, shown(t, test.plan, test.run, test.style)) })
	}
}

// The first screen of a terminal holds what is to be approved, however long the plan is.
func TestFirstScreen(t *testing.T) {
	for name, test := range map[string]struct {
		plan planner.Plan
		want []string
	}{
		"control planes": {plans.ControlPlanes(), []string{plans.Digest, "7 steps, about 50s", "done by 03:01 UTC", "restart on cp1, cp2, cp3, one node at a time", "API, etcd and workloads keep running", "gpu7: ssh: no answer", "steps 3, 5, 7 cannot be undone", "archive on cp1, cp2, cp3"}},
		"fleet":          {plans.Fleet(), []string{plans.Digest, "1,010 steps, about 1d2h", "8 GPUs of gpu1 and 999 more are not usable, one node at a time"}},
		"prices":         {plans.Prices(), []string{plans.Digest, "a100 100 -> 120 USD/month", "l40s no bids -> 300", "allowed: 20 %", "akash_provider.other: unknown: ", "1 active lease (1 GPU) keeps running", "helm rollback to revision 27"}},
		"refused":        {plans.Refused(), []string{plans.Digest, "without = {", "gpu7: ssh: no answer"}},
	} {
		t.Run(name, func(t *testing.T) {
			lines := strings.Split(shown(t, test.plan, text.Run{}, text.Style{}), "\n")
			screen := strings.Join(strings.Fields(strings.Join(lines[:min(24, len(lines))], " ")), " ")
			for _, want := range test.want {
				if !strings.Contains(screen, want) {
					t.Errorf("the first 24 lines do not say %q:\n%s", want, strings.Join(lines[:24], "\n"))
				}
			}
		})
	}
}

func TestTextFitsItsWidth(t *testing.T) {
	for name, p := range map[string]planner.Plan{"control planes": plans.ControlPlanes(), "fleet": plans.Fleet(), "refused": plans.Refused(), "actions": plans.EveryAction()} {
		for _, width := range []int{80, 100, 133, 200} {
			for _, verbose := range []bool{false, true} {
				for _, line := range strings.Split(shown(t, p, text.Run{}, text.Style{Width: width, Verbose: verbose}), "\n") {
					if strings.HasPrefix(line, "  upkeep apply -expect=") {
						continue // a command is never broken
					}
					if got := len([]rune(line)); got > width {
						t.Fatalf("%s: a line of %d columns at width %d: %s", name, got, width, line)
					}
				}
			}
		}
	}
}

// Colour adds escape sequences and nothing else.
func TestColorChangesNoText(t *testing.T) {
	for name, p := range map[string]planner.Plan{"control planes": plans.ControlPlanes(), "refused": plans.Refused(), "actions": plans.EveryAction()} {
		plain := shown(t, p, text.Run{}, text.Style{Width: 100})
		colored := shown(t, p, text.Run{}, text.Style{Width: 100, Color: true})
		for _, code := range []string{"0", "1", "2", "31", "32", "33"} {
			colored = strings.ReplaceAll(colored, "\x1b["+code+"m", "")
		}
		var stripped []string
		for _, line := range strings.Split(colored, "\n") {
			stripped = append(stripped, strings.TrimRight(line, " "))
		}
		if got := strings.Join(stripped, "\n"); got != plain {
			t.Errorf("%s: with colour:\n%s\nwithout:\n%s", name, got, plain)
		}
	}
}

// "No changes." is said only when everything that was asked for is known and holds.
func TestNoChangesIsNeverSaidOfTheUnknown(t *testing.T) {
	const sentence = "No changes."
	if got := shown(t, plans.Quiet(nil), text.Run{}, text.Style{}); !strings.Contains(got, sentence+" Your cluster matches the configuration.\n") {
		t.Errorf("a quiet plan says:\n%s", got)
	}
	for name, change := range map[string]func(*planner.Plan){
		"a node does not answer": plans.UnknownNode,
		"something is unknown": func(p *planner.Plan) {
			p.Findings = []providers.Finding{{ID: "X", Severity: providers.SeverityError, Unknown: true, Address: plans.Certificates}}
		},
		"the plan says it is not complete": func(p *planner.Plan) { p.Complete = false },
		"a person has work to do":          plans.ByHand,
		"only a part was asked for":        func(p *planner.Plan) { p.Request.Targets = []providers.Address{plans.Certificates} },
	} {
		if got := shown(t, plans.Quiet(change), text.Run{}, text.Style{}); strings.Contains(got, sentence) {
			t.Errorf("%s, and the text says:\n%s", name, got)
		}
	}
}
