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

// Run is what the command knows in addition to its plan.
type Run struct {
	// Took is how long the observation took; 0 leaves it out.
	Took time.Duration
	// SavedTo is the plan file, as the user named it; empty: none was written.
	SavedTo string
	// Applying: the plan is shown by the command that is about to carry it out, so nothing is said about how to go on.
	Applying bool
}

// Plan writes a plan for people. The first lines hold what must be known to approve it; the findings and the steps in
// the order in which they run follow.
func Plan(w io.Writer, plan report.PlanJSON, run Run, style Style) error {
	p := &page{Style: style}
	plan = cleaned(plan)
	u := plan.Upkeep
	if u.Outage != "" {
		p.wrapped(red, "", u.Outage)
		p.line()
	}
	p.head(u.Nodes, seen{u.ObservedAt, u.Recorded, u.AgeSeconds}, run, func() { p.notApplicable(u) })
	p.approval(plan, run)
	p.waits(u.Waits, plan.Timestamp)
	p.outs(u.Out)
	p.findings("Findings", u.Findings)
	p.ignored(u.Ignored)
	p.leftOut(u)
	p.steps(u.Steps)
	p.closing(plan, run)
	return p.flush(w)
}

// notApplicable says at once that apply refuses a plan.
func (p *page) notApplicable(u report.Upkeep) {
	switch {
	case len(u.Refusals) > 0:
		p.line(p.paint(red, "NOT APPLICABLE: `upkeep apply` refuses this plan."))
	case len(u.ExpectedRefusals) > 0 && len(u.ExpectedRefusals) == len(u.Steps):
		p.line(p.paint(red, "NOT APPLICABLE: `upkeep apply` refuses every step of this plan."))
	case len(u.ExpectedRefusals) > 0:
		p.line(p.paint(red, fmt.Sprintf("NOT APPLICABLE in full: `upkeep apply` refuses %d of %s.", len(u.ExpectedRefusals), plural(len(u.Steps), "step"))))
	}
}

// approval writes what a person must know before saying yes: how much work this is, then in fixed order what is wrong,
// what is interrupted, what prices do, what to beware of, what nobody could check, how to go back, and what exactly is
// approved.
func (p *page) approval(plan report.PlanJSON, run Run) {
	u := plan.Upkeep
	if len(u.Steps) > 0 {
		p.wrapped(bold, "", fmt.Sprintf("%s: %s, %s%s", resources(u.Steps), plural(len(u.Steps), "step"), about(u.Summary.EstimateSeconds), ends(plan)))
		p.line()
	}
	for _, refusal := range u.Refusals {
		p.say(red, "ERROR", refusal)
	}
	for i, s := range u.Steps {
		for _, f := range u.ExpectedRefusals {
			if f.Step == s.ID {
				p.say(red, "ERROR", fmt.Sprintf("apply refuses step %d (%s): %s", i+1, s.ID, f.Why))
			}
		}
	}
	if len(u.Steps) > 0 {
		p.impact(u.Steps)
	}
	p.money(u.Money)
	p.alerts(u.Warnings, u.Unknown, planned(u.Steps))
	p.lanes(u.Lanes)
	if len(u.Steps) > 0 {
		p.windows(u.Windows, plan.Timestamp)
		p.undo(u.Undo)
		p.line(pad("DIGEST", labels), u.Digest)
		if !run.Applying && len(u.Refusals) == 0 && run.SavedTo == "" {
			p.approve(u.Digest)
		}
	}
	if len(u.Steps)+len(u.Refusals)+len(u.Warnings)+len(u.Unknown) > 0 {
		p.line()
	}
}

// labels is the width of the column of words that say what a line is.
const labels = 9

// say writes a line behind the word that says what it is.
func (p *page) say(color, word, text string) { p.wrapped(color, pad(word, labels), text) }

// alerts writes what to beware of, and what could not be checked.
func (p *page) alerts(warnings []string, unknown []planner.Unknown, planned func(string) bool) {
	shown := warnings
	if !p.Verbose && len(shown) > 5 {
		shown = shown[:4]
	}
	for _, warning := range shown {
		p.say(yellow, "WARN", warning)
	}
	if more := len(warnings) - len(shown); more > 0 {
		p.say(yellow, "WARN", plural(more, "further warning")+", shown by -verbose")
	}
	p.unknown(unknown, planned)
}

// planned reports whether some step is for a node or an address.
func planned(steps []providers.Step) func(name string) bool {
	names := map[string]bool{}
	for _, s := range steps {
		names[s.Node], names[s.Address.String()], names[s.Address.Resource().String()] = true, true, true
	}
	return func(name string) bool { return names[name] }
}

// unknown writes what could not be checked: what has one reason together, and what somebody exempted apart.
func (p *page) unknown(unknown []planner.Unknown, planned func(string) bool) {
	type alike struct{ why, exempt, objects string }
	var order []alike
	names := map[alike][]string{}
	for _, u := range unknown {
		k := alike{u.Why, u.Exempt, strings.Join(u.Objects, ", ")}
		if len(names[k]) == 0 {
			order = append(order, k)
		}
		names[k] = append(names[k], u.Name)
	}
	for _, k := range order {
		list := few(names[k], ", ", 12, p.Verbose)
		text := list + ": "
		if k.objects != "" {
			text += k.objects + ": "
		}
		text += strings.TrimSuffix(k.why, ".")
		switch {
		case k.exempt != "":
			p.say(dim, "NOTE", text+". This does not count ("+k.exempt+").")
		case planned != nil && k.objects == "" && !slices.ContainsFunc(names[k], planned):
			p.say(yellow, "UNKNOWN", text+". Nothing is planned for "+list+".")
		default:
			p.say(yellow, "UNKNOWN", text+".")
		}
	}
}

// places names what could not be checked and counts.
func places(unknown []planner.Unknown) (names []string) {
	for _, u := range unknown {
		if u.Exempt == "" {
			names = append(names, Place(u))
		}
	}
	return names
}

// Place is for texts that others print next to a report: what could not be checked, cleaned.
func Place(u planner.Unknown) string {
	if len(u.Objects) == 0 {
		return clean(u.Name)
	}
	return clean(u.Name) + ": " + few(cleanTexts(u.Objects), ", ", 3, false)
}

// lanes says which nodes take the room of a lane, although nothing of this plan is in progress on them.
func (p *page) lanes(lanes []planner.LaneNodes) {
	for _, lane := range lanes {
		text, full := Room(lane, p.Verbose)
		switch {
		case text == "":
		case full:
			p.say(yellow, "WARN", text)
		default:
			p.say("", "ROOM", text)
		}
	}
}

// Room says which nodes take places of a lane although nothing of the plan is in progress on them, and whether they
// take all; empty where none does.
func Room(lane planner.LaneNodes, verbose bool) (text string, full bool) {
	if len(lane.Taken) == 0 {
		return "", false
	}
	taken := make([]string, 0, len(lane.Taken))
	for _, t := range lane.Taken {
		taken = append(taken, clean(fmt.Sprintf("%s (%s)", t.Node, t.Why)))
	}
	verb := "take"
	if len(taken) == 1 {
		verb = "takes"
	}
	text = fmt.Sprintf("%s %s %d of %s in the lane %s.", few(taken, ", ", 8, verbose), verb, min(len(taken), lane.Width),
		plural(lane.Width, "place"), clean(lane.Name))
	if full = len(taken) >= lane.Width; full {
		text += " No other node of this lane can start."
	}
	return text, full
}

// about spells an estimate.
func about(s float64) string {
	if s <= 0 {
		return "no estimate"
	}
	return "about " + span(max(time.Second, seconds(s)))
}

// ends says when the work ends if it starts as soon as the plan is made, rounded up to the minute.
func ends(plan report.PlanJSON) string {
	shut := func(use planner.WindowUse) bool { return !use.Open }
	if plan.Upkeep.Summary.EstimateSeconds <= 0 || slices.ContainsFunc(plan.Upkeep.Windows, shut) {
		return ""
	}
	begin := plan.Timestamp.UTC()
	end := begin.Add(seconds(plan.Upkeep.Summary.EstimateSeconds) + time.Minute - 1).Truncate(time.Minute)
	layout := "15:04 MST"
	if begin.YearDay() != end.YearDay() || begin.Year() != end.Year() {
		layout = "2006-01-02 15:04 MST"
	}
	closes := ""
	if open := plan.Upkeep.Windows; len(open) == 1 {
		closes = ", window closes " + open[0].Opening.Until.UTC().Format(layout)
	}
	return fmt.Sprintf(" (started now, done by %s%s)", end.Format(layout), closes)
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

func shownValue(s string) string {
	switch s {
	case "":
		return "not set"
	case facts.New:
		return "(known after apply)"
	}
	return s
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
	for n, line := range wrap(s.Summary, columns.summary) {
		if n > 0 {
			p.line(deep, line)
			continue
		}
		p.line("  ", number, "  ", p.paint(color, sign), "  ", pad(s.Node, columns.node), "  ", pad(line, columns.summary), "  ", estimate)
	}
	if s.Worst > 0 && span(seconds(s.Worst)) != span(max(time.Second, seconds(s.Estimate))) {
		p.wrapped(dim, deep+"earlier runs: ", fmt.Sprintf("median %s, worst %s",
			span(max(time.Second, seconds(s.Estimate))), span(seconds(s.Worst))))
	}
	if s.Disruption != "" {
		p.wrapped(yellow, deep+"impact: ", sentences(s.Disruption, s.Unaffected))
	}
	p.changes(b, i, deep)
	if s.Proof != "" {
		p.wrapped(dim, deep+"checked afterwards: ", s.Proof)
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

// shownObjects is the same for Kubernetes objects, whose fields are shown too.
const shownObjects = 4

// chosen returns the indexes of the changes that are shown, and the width of their names. Every change that a person
// must see is among them.
func (p *page) chosen(changes []providers.Change) (shown []int, width int) {
	room, objects := shownChanges, shownObjects
	plain := 0
	for _, c := range changes {
		if c.Object == "" {
			plain++
		}
	}
	if plain > shownChanges {
		room-- // for the line that counts the others
	}
	for _, c := range changes {
		if c.Always && c.Object == "" {
			room--
		} else if c.Always {
			objects--
		}
	}
	for n, c := range changes {
		left := &room
		if c.Object != "" {
			left = &objects
		}
		if !c.Always && !p.Verbose {
			if *left--; *left < 0 {
				continue
			}
		}
		shown = append(shown, n)
		width = max(width, min(44, length(c.What)))
	}
	return shown, width
}

func (p *page) changes(b block, i int, deep string) {
	changes := b.steps[i].Changes
	shown, width := p.chosen(changes)
	for _, n := range shown {
		c := changes[n]
		if c.Object != "" {
			p.object(c, deep, width)
			continue
		}
		p.wrapped("", deep+pad(c.What, width)+"  ", shownValue(c.Before)+" -> "+shownValue(c.After))
		for _, text := range b.variants(i, n) {
			p.wrapped(dim, deep+strings.Repeat(" ", width)+"  ", text)
		}
	}
	if more := len(changes) - len(shown); more > 0 {
		p.line(deep, plural(more, "more change"), ", shown by -verbose")
	}
}
