package text

import (
	"fmt"
	"slices"
	"strings"

	"upkeep/planner"
	"upkeep/planner/report"
	"upkeep/providers"
)

// closing writes the line that tools look for, what remains, and what to do next.
func (p *page) closing(plan report.PlanJSON, run Run) {
	u, s := plan.Upkeep, plan.Upkeep.Summary
	whole := len(u.Targets)+len(u.Exclude) == 0
	switch {
	case u.Status == report.Well && whole:
		p.line(p.paint(green, "No changes. "+matches(u.Recorded)))
		p.exempt(u.Out, u.Ignored)
		return
	case u.Status == report.Well:
		p.line(p.paint(green, "Nothing is due in the part that was asked for."))
		p.exempt(u.Out, u.Ignored)
	case s.Steps == 0:
		p.idle(plan)
	default:
		serial := ""
		if inTurn(u.Steps) {
			serial = ", one node at a time"
		}
		line := report.PlanSentence(report.Counts{Add: s.Add, Change: s.Change, Remove: s.Destroy})
		rest := fmt.Sprintf("%s, %s%s.", plural(s.Steps, "step"), about(s.EstimateSeconds), serial)
		if length(line)+1+length(rest) <= p.width() {
			p.line(p.paint(bold, line), " ", rest)
		} else {
			p.line(p.paint(bold, line))
			p.line(rest)
		}
		if len(u.Refusals) == 0 { // else nothing comes after it
			p.after(u)
		}
	}
	if !whole {
		p.wrapped("", "", "Only a part was asked for: "+chosen(u)+".")
	}
	p.next(plan, run)
}

// matches is the sentence of a healthy run.
func matches(recorded bool) string {
	if recorded {
		return "The recorded facts match the configuration."
	}
	return "Your cluster matches the configuration."
}

// chosen spells the flags that chose a part.
func chosen(u report.Upkeep) string {
	var flags []string
	for _, a := range u.Targets {
		flags = append(flags, "-target="+clean(a.String()))
	}
	for _, a := range u.Exclude {
		flags = append(flags, "-exclude="+clean(a.String()))
	}
	return few(flags, " ", 6, false)
}

// idle says why there is no step, where that does not mean that all is well.
func (p *page) idle(plan report.PlanJSON) {
	u, s := plan.Upkeep, plan.Upkeep.Summary
	switch unknown := places(u.Unknown); {
	case u.Status == report.Unsure && NothingSeen(u):
		p.wrapped(red, "", fmt.Sprintf("No step is possible: %s could not be checked. The cluster was NOT checked.", few(unknown, ", ", 8, p.Verbose)))
	case u.Status == report.Unsure && len(unknown) == 0:
		p.wrapped(yellow, "", "No step is due where upkeep could look. Not everything could be checked.")
	case u.Status == report.Unsure:
		p.wrapped(yellow, "", fmt.Sprintf("No step is due where upkeep could look. NOT checked: %s.", few(unknown, ", ", 8, p.Verbose)))
	case u.Status == report.Failed:
		p.wrapped(red, "", "No step is possible: upkeep has no step for what is wrong.")
	default:
		p.line(p.paint(bold, report.PlanSentence(report.Counts{})))
	}
	if s.Remaining > 0 {
		p.wrapped(yellow, "", plural(s.Remaining, "finding")+" above for a person to solve. upkeep has no step for "+those(s.Remaining)+".")
	}
}

func those(n int) string {
	if n == 1 {
		return "that finding"
	}
	return "those findings"
}

// NothingSeen reports whether no node of the plan could be checked, or there is none and what else was asked did not
// answer.
func NothingSeen(u report.Upkeep) bool {
	return !slices.ContainsFunc(u.Nodes, func(n report.Node) bool {
		return !slices.ContainsFunc(u.Unknown, func(u planner.Unknown) bool { return u.Name == n.Name && len(u.Objects) == 0 })
	}) && len(u.Unknown) > 0
}

// after says how many of the problems that were found the plan fixes, and what is left.
func (p *page) after(u report.Upkeep) {
	s, unknown := u.Summary, places(u.Unknown)
	fixed, all := max(0, s.Findings-s.Remaining), s.Findings+len(unknown)
	color, text := "", ""
	switch {
	case all == 0 && s.Remaining == 0:
		text = "no problem is left"
	case s.Remaining == 0 && len(unknown) == 0 && all == 1:
		text = "the problem is fixed"
	case s.Remaining == 0 && len(unknown) == 0:
		text = fmt.Sprintf("all %s are fixed", plural(all, "problem"))
	default:
		color = yellow
		text = fmt.Sprintf("%s of %s are fixed", thousands(fixed), plural(all, "problem"))
		if s.Remaining > 0 {
			text += fmt.Sprintf("; %s left", thousands(s.Remaining))
		}
		if len(unknown) > 0 {
			text += fmt.Sprintf("; %s could not be checked (%s)", thousands(len(unknown)), few(unknown, ", ", 8, p.Verbose))
		}
	}
	p.wrapped(color, "", "After this plan: "+text+".")
}

// next says how to go on.
func (p *page) next(plan report.PlanJSON, run Run) {
	u := plan.Upkeep
	command := func(sentence, command string) {
		p.line()
		p.wrapped("", "", sentence)
		p.line("  ", command)
	}
	switch {
	case len(u.Refusals) > 0:
		command("Fix the errors above, then plan again:", "upkeep plan")
	case u.Recorded && len(u.Steps) > 0:
		command("To apply, plan against the cluster:", "upkeep plan -out=FILE")
	case len(u.Steps) == 0 && u.Status == report.Unsure:
		command("When that can be checked, plan again:", "upkeep plan")
	case len(u.Steps) == 0, run.Applying:
	case run.SavedTo == "":
		p.line()
		p.wrapped("", "", "This plan was not saved (-out=FILE): `upkeep apply` makes a new plan, shows the plan and asks.")
	case len(u.ExpectedRefusals) == len(u.Steps):
		command("Saved the plan to "+run.SavedTo+". Fix the errors above, then plan again:", "upkeep plan -out="+run.SavedTo)
	default:
		exactly := "To do exactly this:"
		switch names := places(u.Unknown); {
		case len(u.ExpectedRefusals) > 0:
			exactly = fmt.Sprintf("To do what apply does not refuse (%d of %s):", len(u.Steps)-len(u.ExpectedRefusals), plural(len(u.Steps), "step"))
		case len(names) > 0:
			exactly = "To do these steps and no others (exit code 3, since not everything was checked):"
		}
		command("Saved the plan to "+run.SavedTo+". "+exactly, "upkeep apply "+run.SavedTo)
		p.wrapped("", "", "To do that only if the plan is the one that was reviewed:")
		p.line("  upkeep apply -expect=", u.Digest, " ", run.SavedTo)
	}
}

// leftOut writes the findings about what was left out on request.
func (p *page) leftOut(u report.Upkeep) {
	p.notCounted("Left out (not counted): "+chosen(u), cleanFindings(u.LeftOut))
}

// notCounted writes findings that are shown and do not count, a line each.
func (p *page) notCounted(title string, findings []providers.Finding) {
	if len(findings) == 0 {
		return
	}
	p.line(p.paint(bold, title))
	for _, row := range rows(findings, nil) {
		where := few(row.nodes, " ", 3, p.Verbose)
		if len(row.nodes) == 0 {
			where = row.first.Address.String()
		}
		p.wrapped(dim, "  "+row.first.ID+"  ", strings.Trim(where+": "+row.what(p.Verbose), ": ")+"  "+row.first.Summary)
	}
	p.line()
}
