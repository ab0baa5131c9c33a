package text

import (
	"fmt"
	"io"
	"strings"

	"upkeep/planner"
	"upkeep/planner/report"
)

// Rehearsal writes what came of a rehearsal for people. Steps that went as planned are left out where they are many.
func Rehearsal(w io.Writer, r planner.Rehearsal, style Style) error {
	p := &page{Style: style}
	if len(r.Refusals) > 0 {
		p.line(p.paint(red, "NOT APPLICABLE: `upkeep apply` refuses this plan."))
	}
	for _, refusal := range r.Refusals {
		p.say(red, "ERROR", clean(refusal))
	}
	for _, fault := range r.Faults {
		p.say(yellow, "FAULT", clean(fault.Step)+" "+string(fault.Kind))
	}
	if len(r.Refusals)+len(r.Faults) > 0 {
		p.line()
	}
	const many = 40
	width, node, left := length(fmt.Sprint(len(r.Steps))), 0, 0
	for _, s := range r.Steps {
		node = max(node, min(24, length(s.Node)))
	}
	for i, s := range r.Steps {
		if s.Ending == planner.Proved && s.Why == "" && len(r.Steps) > many && !p.Verbose {
			left++
			continue
		}
		color := red
		switch s.Ending {
		case planner.Proved, planner.AlreadySo:
			color = green
		case planner.NotStarted:
			color = yellow
		}
		number := fmt.Sprint(i + 1)
		prefix := "  " + strings.Repeat(" ", width-len(number)) + number + "  " + p.paint(color, pad(string(s.Ending), 11)) + "  " + pad(clean(s.Node), node) + "  "
		indent := strings.Repeat(" ", 2+width+2+11+2+node+2)
		for n, line := range wrap(clean(s.Summary), p.width()-len(indent)) {
			if n > 0 {
				prefix = indent
			}
			p.line(prefix, line)
		}
		if s.Why != "" {
			p.wrapped(dim, indent+"  ", clean(s.Why))
		}
	}
	if left > 0 {
		p.line("  ", plural(left, "step"), " succeed as planned, shown by -verbose")
	}
	if len(r.Steps) > 0 {
		p.line()
	}
	remaining := cleanFindings(r.Remaining)
	p.findings("Findings afterwards", remaining)
	color := green
	count := report.Known(remaining)
	unknown := report.Unseen(remaining)
	if count+len(unknown)+len(r.Due)+r.Ended(planner.Failed, planner.Refused, planner.NotStarted) > 0 {
		color = yellow
	}
	if len(r.Steps) == 0 {
		p.wrapped(color, "", "There is nothing to simulate: the plan has no step.")
		return p.flush(w)
	}
	p.wrapped(color, "", simulated(r))
	text := "Afterwards no problem is left"
	if count > 0 {
		text = "Afterwards " + plural(count, "problem") + " left"
	}
	if len(unknown) > 0 {
		text += fmt.Sprintf(", %s NOT checked (%s)", thousands(len(unknown)), few(unknown, ", ", 8, p.Verbose))
	}
	p.wrapped(color, "", text+"; a new plan would have "+plural(len(r.Due), "step")+".")
	p.wrapped("", "", "Nothing was changed: the steps ran over the facts of the plan.")
	return p.flush(w)
}

// simulated says how the steps of a rehearsal ended.
func simulated(r planner.Rehearsal) string {
	text := "Simulated " + plural(len(r.Steps), "step") + ": "
	if n := r.Ended(planner.Proved); n == len(r.Steps) {
		return text + fmt.Sprintf("all %d succeed.", n)
	}
	return text + fmt.Sprintf("%d succeed, %d have nothing to do, %d refused, %d failed, %d not started.",
		r.Ended(planner.Proved), r.Ended(planner.AlreadySo), r.Ended(planner.Refused), r.Ended(planner.Failed), r.Ended(planner.NotStarted))
}
