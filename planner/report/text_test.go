package report_test

import (
	"strings"
	"testing"
	"time"

	"upkeep/planner"
	"upkeep/planner/report"
	"upkeep/providers"
)

func text(t *testing.T, p planner.Plan, run report.Run, style report.Style) string {
	t.Helper()
	var out strings.Builder
	if err := report.Text(&out, report.Plan(p), run, style); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestText(t *testing.T) {
	took := report.Run{Took: 1400 * time.Millisecond}
	saved := report.Run{Took: 1400 * time.Millisecond, SavedTo: "tonight.plan"}
	for name, test := range map[string]struct {
		plan  planner.Plan
		run   report.Run
		style report.Style
	}{
		"control-planes-80.txt":      {controlPlanes(), took, report.Style{}},
		"control-planes-120.txt":     {controlPlanes(), saved, report.Style{Width: 120}},
		"control-planes-60.txt":      {controlPlanes(), took, report.Style{Width: 40}},
		"control-planes-color.txt":   {controlPlanes(), saved, report.Style{Width: 120, Color: true}},
		"control-planes-verbose.txt": {controlPlanes(), took, report.Style{Width: 140, Verbose: true}},
		"fleet-100.txt":              {fleet(), took, report.Style{Width: 100}},
		"no-changes.txt":             {quiet(nil), took, report.Style{}},
		"no-changes-color.txt":       {quiet(nil), took, report.Style{Color: true}},
		"note-only.txt": {quiet(func(p *planner.Plan) {
			p.Findings = []providers.Finding{{ID: "A_NOTE", Severity: "note", Address: certificates}}
		}), took, report.Style{}},
		"unknown-only.txt":       {quiet(unknownNode), took, report.Style{}},
		"by-hand-only.txt":       {quiet(byHand), took, report.Style{}},
		"targeted-nothing.txt":   {quiet(func(p *planner.Plan) { p.Request.Targets = []providers.Address{certificates} }), took, report.Style{}},
		"refused.txt":            {refused(), saved, report.Style{Width: 100}},
		"refused-color.txt":      {refused(), saved, report.Style{Width: 100, Color: true}},
		"recorded.txt":           {recorded(), report.Run{}, report.Style{Width: 100}},
		"actions.txt":            {everyAction(), took, report.Style{Width: 100, Color: true}},
		"control-characters.txt": {hostile(), took, report.Style{}},
	} {
		t.Run(name, func(t *testing.T) { golden(t, name, text(t, test.plan, test.run, test.style)) })
	}
}

func quiet(change func(*planner.Plan)) planner.Plan {
	p := emptyPlan()
	for _, node := range []string{"cp1", "cp2", "cp3"} {
		addNode(&p, node, "control-plane")
	}
	if change != nil {
		change(&p)
	}
	return p
}

func unknownNode(p *planner.Plan) {
	p.Complete = false
	p.Request.World.Nodes["cp2"].Unknown = "ssh: no answer in 10s"
}

func byHand(p *planner.Plan) {
	p.Findings = []providers.Finding{{
		ID: "CERT_AUTHORITY_EXPIRES", Severity: providers.SeverityWarning, Address: certificates.On("cp1"), Object: "ca",
		Summary: "20d left", Hint: "authorities are never renewed by upkeep: see the runbook",
	}}
	p.Remaining = p.Findings
}

func refused() planner.Plan {
	p := controlPlanes()
	p.Applyable = false
	p.Refusals = []string{`6 steps of certificates.control_plane need the guard "backup", and nothing provides it; declare what does, or write without = { backup = "reason" } in the block of certificates.control_plane (provider.upkeep.hcl:31)`}
	for i := range 7 {
		p.Warnings = append(p.Warnings, "warning number "+string(rune('1'+i)))
	}
	return p
}

func recorded() planner.Plan {
	p := controlPlanes()
	p.Applyable, p.Request.Recorded = false, true
	return p
}

func everyAction() planner.Plan {
	p := quiet(nil)
	p.Applyable = true
	for i, action := range []string{"create", "update", "delete", "no-op"} {
		address := providers.Address{Type: "thing", Name: "x", Key: action}
		p.Steps = append(p.Steps, providers.Step{
			ID: address.String(), Address: address, Action: action, Summary: action + " it", Estimate: float64(i) * 100,
			Changes: []providers.Change{{What: "value", Before: strings.Repeat("a", i), After: strings.Repeat("b", 3-i)}},
		})
	}
	both := providers.Address{Type: "thing", Name: "both"}
	p.Steps = append(p.Steps, providers.Step{ID: "1", Address: both, Action: "delete", Summary: "remove"}, providers.Step{ID: "2", Address: both, Action: "create", Summary: "make"})
	return p
}

func hostile() planner.Plan {
	p := quiet(unknownNode)
	p.Request.World.Nodes["cp2"].Unknown = "banner:\n\x1b[2J\x1b[1;1HNo changes.\u202e \x00"
	p.Warnings = []string{"a\x1b]0;title\x07b"}
	return p
}

// The first screen of a terminal holds what is to be approved, however long the plan is.
func TestFirstScreen(t *testing.T) {
	for name, test := range map[string]struct {
		plan planner.Plan
		want []string
	}{
		"control planes": {controlPlanes(), []string{digest, "7 steps, about 55s", "it ends about 03:01 UTC", "control plane of cp1, cp2, cp3", "one node at a time", "gpu7: ssh: no answer", "steps 3, 5, 7"}},
		"fleet":          {fleet(), []string{digest, "1,010 steps, about 1d2h", "8 GPUs of gpu1 and 999 more", "one node at a time"}},
		"refused":        {refused(), []string{digest, "without = {", "gpu7: ssh: no answer"}},
	} {
		t.Run(name, func(t *testing.T) {
			lines := strings.Split(text(t, test.plan, report.Run{}, report.Style{}), "\n")
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
	for name, p := range map[string]planner.Plan{"control planes": controlPlanes(), "fleet": fleet(), "refused": refused(), "actions": everyAction()} {
		for _, width := range []int{80, 100, 133, 200} {
			for _, verbose := range []bool{false, true} {
				for _, line := range strings.Split(text(t, p, report.Run{}, report.Style{Width: width, Verbose: verbose}), "\n") {
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
	for name, p := range map[string]planner.Plan{"control planes": controlPlanes(), "refused": refused(), "actions": everyAction()} {
		plain := text(t, p, report.Run{}, report.Style{Width: 100})
		colored := text(t, p, report.Run{}, report.Style{Width: 100, Color: true})
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
	if got := text(t, quiet(nil), report.Run{}, report.Style{}); !strings.Contains(got, sentence+" Your cluster matches the configuration.\n") {
		t.Errorf("a quiet plan says:\n%s", got)
	}
	for name, change := range map[string]func(*planner.Plan){
		"a node does not answer": unknownNode,
		"something is unknown": func(p *planner.Plan) {
			p.Findings = []providers.Finding{{ID: "X", Severity: providers.SeverityError, Unknown: true, Address: certificates}}
		},
		"the plan says it is not complete": func(p *planner.Plan) { p.Complete = false },
		"a person has work to do":          byHand,
		"only a part was asked for":        func(p *planner.Plan) { p.Request.Targets = []providers.Address{certificates} },
	} {
		if got := text(t, quiet(change), report.Run{}, report.Style{}); strings.Contains(got, sentence) {
			t.Errorf("%s, and the text says:\n%s", name, got)
		}
	}
}
