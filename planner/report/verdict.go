package report

import (
	"slices"

	"upkeep/planner"
	"upkeep/providers"
)

// Verdict is what a plan or a report comes to, in the word that stands as "status" in its JSON. Text, JSON and exit
// codes are made from this one word, so that they never disagree.
type Verdict string

// The verdicts. Of several that hold, the first one in this order counts.
const (
	// Failed: a rule refuses the plan, apply will refuse some of its steps, or what is due cannot be planned.
	Failed Verdict = "error"
	// Unsure: something that counts could not be checked.
	Unsure Verdict = "unknown"
	// Changes: the plan has steps.
	Changes Verdict = "changes"
	// Drifted: something is not as declared, or is broken. Of a plan: and no step of the plan repairs any of that.
	Drifted Verdict = "drift"
	// Well: everything that counts was checked, and is as declared.
	Well Verdict = "none"
)

// VerdictOf judges a plan.
func VerdictOf(p planner.Plan) Verdict {
	broken := func(f providers.Finding) bool { return !f.Unknown && f.Severity == providers.SeverityError }
	switch {
	case len(p.Refusals)+len(p.ExpectedRefusals) > 0:
		return Failed
	case !p.Complete || len(counted(Unknowns(p))) > 0:
		return Unsure
	case len(p.Waiting()) > 0, len(p.Steps) == 0 && slices.ContainsFunc(p.Remaining, broken):
		return Failed
	case len(p.Steps) > 0:
		return Changes
	case Known(p.Findings) > 0:
		return Drifted
	}
	return Well
}

// drifted judges what a plan found, whatever the plan would do about it.
func drifted(p planner.Plan) Verdict {
	switch {
	case !p.Complete || len(counted(Unknowns(p))) > 0:
		return Unsure
	case Known(p.Findings) > 0:
		return Drifted
	}
	return Well
}

// Unknowns lists everything that could not be checked: the nodes and fleets of which nothing is known, then the parts
// of others that findings name. What somebody exempted is in the list and says so.
func Unknowns(p planner.Plan) []planner.Unknown {
	out := slices.Clone(p.Unknown())
	index := map[string]int{}
	for i, u := range out {
		index[u.Name] = i
	}
	whole := len(out)
	add := func(f providers.Finding, exempt string) {
		if !f.Unknown {
			return
		}
		name := f.Address.Node
		if name == "" {
			name = f.Address.String()
		}
		i, seen := index[name]
		switch {
		case seen && i < whole: // nothing of it is known: that says it all
			return
		case seen && out[i].Exempt != "" && exempt == "":
			out[i] = planner.Unknown{Name: name, Why: f.Summary}
		case !seen:
			i = len(out)
			index[name] = i
			out = append(out, planner.Unknown{Name: name, Why: f.Summary, Exempt: exempt})
		case out[i].Exempt == "" && exempt != "":
			return
		}
		if f.Object != "" && !slices.Contains(out[i].Objects, f.Object) {
			out[i].Objects = append(out[i].Objects, f.Object)
		}
	}
	for _, f := range p.Findings {
		add(f, "")
	}
	for _, i := range p.Ignored {
		if i.By != "" { // else the node is out, and named as that
			add(i.Finding, "ignore."+i.By)
		}
	}
	for _, f := range p.LeftOut {
		add(f, p.LeftOutBy())
	}
	return out
}

// counted returns those that nobody exempted.
func counted(unknown []planner.Unknown) []planner.Unknown {
	return slices.DeleteFunc(slices.Clone(unknown), func(u planner.Unknown) bool { return u.Exempt != "" })
}

// Unseen names what findings say could not be checked: nodes, and the addresses of what is on no node.
func Unseen(findings []providers.Finding) []string {
	var names []string
	for _, f := range findings {
		name := f.Address.Node
		if name == "" {
			name = f.Address.String()
		}
		if f.Unknown && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
