package text

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"upkeep/planner"
	"upkeep/planner/report"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// Run is what the command knows beside its plan.
type Run struct {
	// Took is how long the observation took; 0 leaves it out.
	Took time.Duration
	// SavedTo is the plan file, as the user named it; empty: none was written.
	SavedTo string
	// Applying: the plan is shown by the command that is about to carry it out, so nothing is said about how to go on.
	Applying bool
}

// Plan writes a plan for people. The first lines hold what must be known to approve it; the findings and the steps in the
// order in which they run follow.
func Plan(w io.Writer, plan report.PlanJSON, run Run, style Style) error {
	p := &page{Style: style}
	plan = cleaned(plan)
	p.line(p.paint(bold, header(plan.Upkeep.Nodes, plan.Upkeep.ObservedAt, plan.Upkeep.Recorded, run)))
	p.line()
	p.approval(plan)
	p.waits(plan.Upkeep.Waits, plan.Timestamp)
	p.outs(plan.Upkeep.Out)
	p.findings("Findings", plan.Upkeep.Findings)
	p.ignored(plan.Upkeep.Ignored)
	p.steps(plan.Upkeep.Steps)
	p.closing(plan, run)
	return p.flush(w)
}

// approval writes what a person must know before saying yes.
func (p *page) approval(plan report.PlanJSON) {
	u := plan.Upkeep
	p.alerts(u.Refusals, u.Warnings, u.Unknown)
	if len(u.Steps) > 0 {
		p.wrapped("", "Work     ", fmt.Sprintf("%s, %s%s", plural(len(u.Steps), "step"), about(u.Summary.EstimateSeconds), ends(plan)))
		if text := disruptions(u.Steps); text != "" {
			p.wrapped("", "Disrupts ", text)
		} else {
			p.line("Disrupts nothing")
		}
		if text := noReturn(u.Steps); text != "" {
			p.wrapped("", "No undo  ", text)
		}
		p.line("Digest   ", u.Digest)
	}
	if len(u.Steps)+len(u.Refusals)+len(u.Warnings)+len(u.Unknown) > 0 {
		p.line()
	}
}

// alerts writes why a plan must not be applied, what to beware of, and what is unknown.
func (p *page) alerts(refusals, warnings []string, unknown []planner.Unknown) {
	for _, refusal := range refusals {
		p.wrapped(red, "Error:   ", refusal)
	}
	shown := warnings
	if !p.Verbose && len(shown) > 5 {
		shown = shown[:4]
	}
	for _, warning := range shown {
		p.wrapped(yellow, "Warning: ", warning)
	}
	if more := len(warnings) - len(shown); more > 0 {
		p.line(p.paint(yellow, "Warning: "+plural(more, "further warning")+", shown by -verbose"))
	}
	if len(unknown) > 0 {
		names := make([]string, 0, len(unknown))
		for _, u := range unknown {
			names = append(names, u.Name)
		}
		text := few(names, ", ", 12, p.Verbose) + ": " + unknown[0].Why
		if slices.ContainsFunc(unknown, func(other planner.Unknown) bool { return other.Why != unknown[0].Why }) {
			text = few(names, ", ", 12, p.Verbose) + "; the reasons are among the findings"
		}
		p.wrapped(yellow, "Unknown  ", text)
	}
}

// about spells an estimate.
func about(s float64) string {
	if s <= 0 {
		return "no estimate"
	}
	return "about " + span(max(time.Second, seconds(s)))
}

// ends says when the work ends if it is begun as soon as it is planned, rounded up to the minute.
func ends(plan report.PlanJSON) string {
	if plan.Upkeep.Summary.EstimateSeconds <= 0 {
		return ""
	}
	begin := plan.Timestamp.UTC()
	end := begin.Add(seconds(plan.Upkeep.Summary.EstimateSeconds) + time.Minute - 1).Truncate(time.Minute)
	layout := "15:04 MST"
	if begin.YearDay() != end.YearDay() || begin.Year() != end.Year() {
		layout = "2006-01-02 15:04 MST"
	}
	return fmt.Sprintf("; begun at %s it ends about %s", begin.Format("15:04"), end.Format(layout))
}

// inTurn reports whether all steps that disrupt something are of one lane that is 1 wide.
func inTurn(steps []providers.Step) bool {
	lane := ""
	for _, s := range steps {
		switch mine := report.Narrow(s); {
		case s.Disruption == "":
		case mine == "" || lane != "" && lane != mine:
			return false
		default:
			lane = mine
		}
	}
	return lane != ""
}

// disruptions says what is interrupted: what is the same but for the node's name is told once with all nodes.
func disruptions(steps []providers.Step) string {
	var order []string
	nodes := map[string][]string{}
	for _, s := range steps {
		if s.Disruption == "" {
			continue
		}
		key := anywhere(s.Disruption, s.Node)
		if _, seen := nodes[key]; !seen {
			order = append(order, key)
			nodes[key] = nil
		}
		if !slices.Contains(nodes[key][max(0, len(nodes[key])-1):], s.Node) {
			nodes[key] = append(nodes[key], s.Node)
		}
	}
	var parts []string
	for _, key := range order {
		parts = append(parts, strings.ReplaceAll(key, "\x01", few(nodes[key], ", ", 8, false)))
	}
	text := strings.Join(parts, "; ")
	if inTurn(steps) {
		text += ", one node at a time"
	}
	return text
}

// noReturn lists the steps that cannot be undone.
func noReturn(steps []providers.Step) string {
	var numbers []string
	for i, s := range steps {
		if s.Undo == "" && s.Action != "no-op" {
			numbers = append(numbers, fmt.Sprint(i+1))
		}
	}
	switch len(numbers) {
	case 0:
		return ""
	case len(steps):
		return "no step can be undone"
	}
	return "steps " + few(numbers, ", ", 12, false)
}

func shownValue(s string) string {
	switch s {
	case "":
		return "(none)"
	case facts.New:
		return "(known after apply)"
	}
	return s
}

// closing writes the line that tools look for, what remains, and what to do next.
func (p *page) closing(plan report.PlanJSON, run Run) {
	u := plan.Upkeep
	s := u.Summary
	everything := len(u.Targets)+len(u.Exclude) == 0
	due := report.Known(u.Findings)
	unknown := report.Places(u.Findings, u.Unknown)
	switch {
	case s.Steps == 0 && due == 0 && len(unknown) == 0 && plan.Complete && everything:
		p.line(p.paint(green, "No changes. Your cluster matches the configuration."))
		p.exempt(u.Out, u.Ignored)
		return
	case s.Steps == 0:
		p.line(p.paint(bold, "Plan: 0 to add, 0 to change, 0 to destroy."), " There is nothing that upkeep can do now.")
	default:
		serial := ""
		if inTurn(u.Steps) {
			serial = ", one node at a time"
		}
		line := fmt.Sprintf("Plan: %d to add, %d to change, %d to destroy.", s.Add, s.Change, s.Destroy)
		rest := fmt.Sprintf("%s, %s%s.", plural(s.Steps, "step"), about(s.EstimateSeconds), serial)
		if length(line)+1+length(rest) <= p.width() {
			p.line(p.paint(bold, line), " ", rest)
		} else {
			p.line(p.paint(bold, line))
			p.line(rest)
		}
	}
	p.after(s, report.Places(u.Remaining, u.Unknown), everything)
	p.next(plan, run)
}

// after says what is left when the plan has been applied, or what is there where it has no step.
func (p *page) after(s report.Summary, unknown []string, everything bool) {
	var parts []string
	switch {
	case s.Steps == 0 && s.Remaining > 0:
		parts = append(parts, plural(s.Remaining, "finding")+" for a person to see to")
	case s.Steps > 0 && s.Remaining == 1:
		parts = append(parts, "1 finding remains")
	case s.Steps > 0:
		parts = append(parts, plural(s.Remaining, "finding")+" remain")
	}
	color := ""
	if s.Remaining > 0 {
		color = yellow
	}
	if len(unknown) > 0 {
		parts = append(parts, fmt.Sprintf("%s unknown (%s)", thousands(len(unknown)), few(unknown, ", ", 8, p.Verbose)))
		color = yellow
	}
	text := strings.Join(parts, ", ")
	if s.Steps > 0 {
		text = "After this plan: " + text
	}
	if text != "" {
		text += ". "
	}
	if !everything {
		text += "Only a part was asked for (-target, -exclude)."
	}
	p.wrapped(color, "", text)
}

// next says how to go on.
func (p *page) next(plan report.PlanJSON, run Run) {
	u := plan.Upkeep
	if !run.Applying || !plan.Applyable {
		p.line()
	}
	switch {
	case len(u.Refusals) > 0:
		p.line(p.paint(red, "This plan cannot be applied: "+plural(len(u.Refusals), "refusal")+", see the errors above."))
	case u.Recorded:
		p.wrapped("", "", "This plan was made from recorded facts, so it cannot be applied. Plan against the cluster to apply.")
	case len(u.Steps) == 0:
		p.wrapped(yellow, "", "This does not say that the cluster matches the configuration.")
	case run.Applying:
	case run.SavedTo != "":
		p.line("Saved the plan to ", run.SavedTo, ". To do exactly this:")
		p.line("  upkeep apply ", run.SavedTo)
		p.line("To do it only if it is what was reviewed, whoever made the file:")
		p.line("  upkeep apply -expect=", u.Digest, " ", run.SavedTo)
	default:
		p.wrapped("", "", "This plan was not saved (-out=FILE): `upkeep apply` makes it anew, shows it and asks.")
	}
}

// steps writes the steps in the order in which they run.
func (p *page) steps(steps []providers.Step) {
	if len(steps) == 0 {
		return
	}
	p.line("upkeep will perform the following steps, in this order:")
	p.line()
	all := blocks(steps, p.Verbose)
	columns := layout{number: length(fmt.Sprint(len(steps)))}
	for _, b := range all {
		for _, s := range b.steps {
			columns.node = max(columns.node, min(24, length(s.Node)))
			columns.summary = max(columns.summary, length(s.Summary))
		}
	}
	columns.summary = min(columns.summary, max(30, p.width()-columns.indent()-8))
	for _, b := range all {
		p.block(b, columns)
	}
}

// layout is the widths of the columns of a step.
type layout struct{ number, node, summary int }

// indent is where the summary begins.
func (l layout) indent() int { return 2 + l.number + 2 + 1 + 2 + l.node + 2 }

func (p *page) block(b block, columns layout) {
	first := b.steps[0]
	p.line("  ", p.paint(bold, "# "+first.Address.String()), " ", b.title())
	if why := strings.Join(first.Why, " · "); why != "" {
		p.comment("(" + why + ")")
	}
	for i, s := range b.steps {
		p.step(b, i, columns)
		if i > 0 && len(s.Why) > 0 && !slices.Equal(s.Why, first.Why) {
			p.wrapped(dim, strings.Repeat(" ", columns.indent()+2), "because "+s.Why[0])
		}
	}
	if len(b.also) > 0 {
		p.line()
		p.comment(b.others())
	}
	p.line()
}

// comment writes a text behind the sign of a comment on every line.
func (p *page) comment(text string) {
	for _, line := range wrap(text, p.width()-4) {
		p.line("  # ", line)
	}
}

func (p *page) step(b block, i int, columns layout) {
	s := b.steps[i]
	sign, color := symbol(s.Action)
	number := fmt.Sprint(b.first + i)
	number = strings.Repeat(" ", columns.number-length(number)) + number
	estimate := ""
	if s.Estimate > 0 {
		estimate = "~" + span(max(time.Second, seconds(s.Estimate)))
	}
	deep := strings.Repeat(" ", columns.indent()+2)
	beside := ""
	if room := p.width() - columns.indent() - columns.summary - 2 - max(6, length(estimate)) - 2; length(s.Disruption) <= room {
		beside = s.Disruption
	}
	for n, line := range wrap(s.Summary, columns.summary) {
		if n > 0 {
			p.line(deep, line)
			continue
		}
		p.line("  ", number, "  ", p.paint(color, sign), "  ", pad(s.Node, columns.node), "  ", pad(line, columns.summary), "  ", pad(estimate, 6), "  ", p.paint(yellow, beside))
	}
	if s.Disruption != "" && beside == "" {
		p.wrapped(yellow, deep+"disrupts ", s.Disruption)
	}
	p.changes(b, i, deep)
	if s.Proof != "" {
		p.wrapped(dim, deep+"proved by: ", s.Proof)
	}
	if !p.Verbose {
		return
	}
	if s.Undo != "" {
		p.wrapped(dim, deep+"undo: ", s.Undo)
	}
	for _, line := range s.GroundText {
		p.wrapped(dim, deep+"expects: ", line)
	}
	p.wrapped(dim, deep+"id: ", s.ID+" "+s.Position)
}

// shownChanges is how many changes of one step are shown where not all are asked for.
const shownChanges = 6

func (p *page) changes(b block, i int, deep string) {
	changes := b.steps[i].Changes
	shown := make([]int, 0, len(changes))
	room := len(changes)
	if !p.Verbose && len(changes) > shownChanges {
		room = shownChanges - 1
	}
	for _, c := range changes {
		if c.Always {
			room--
		}
	}
	width := 0
	for n, c := range changes {
		if !c.Always {
			if room--; room < 0 {
				continue
			}
		}
		shown = append(shown, n)
		width = max(width, min(44, length(c.What)))
	}
	for _, n := range shown {
		c := changes[n]
		p.wrapped("", deep+pad(c.What, width)+"  ", shownValue(c.Before)+" -> "+shownValue(c.After))
		for _, text := range b.variants(i, n) {
			p.wrapped(dim, deep+strings.Repeat(" ", width)+"  ", text)
		}
	}
	if more := len(changes) - len(shown); more > 0 {
		p.line(deep, plural(more, "more change"), ", shown by -verbose")
	}
}
