package text

import (
	"fmt"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/providers"
)

// outs writes the nodes that a person has taken out. They are always shown, however many there are, and never in a
// colour that asks for anything.
func (p *page) outs(outs []config.Out) {
	for _, o := range outs {
		p.wrapped(dim, "Out      ", fmt.Sprintf("%s until %s: %q, owner %s%s", clean(o.Node), clean(string(o.Until)), clean(o.Reason), clean(o.Owner), at(o.Position)))
	}
	if len(outs) > 0 {
		p.line()
	}
}

// ignored writes the findings that do not count, with the reason and the end.
func (p *page) ignored(ignored []planner.Ignored) {
	if len(ignored) == 0 {
		return
	}
	p.line(p.paint(bold, "Ignored"), " (not counted)")
	type rule struct {
		by, reason, owner, until string
		position                 config.Position
	}
	var order []rule
	findings := map[rule][]providers.Finding{}
	for _, i := range ignored {
		r := rule{i.By, i.Reason, i.Owner, string(i.Until), i.Position}
		if len(findings[r]) == 0 {
			order = append(order, r)
		}
		findings[r] = append(findings[r], i.Finding)
	}
	for _, r := range order {
		for _, row := range rows(cleanFindings(findings[r]), p.first) {
			where := few(row.nodes, " ", 3, p.Verbose)
			if len(row.nodes) == 0 {
				where = row.first.Address.String()
			}
			if what := row.what(p.Verbose); what != "" {
				where += ": " + what
			}
			p.wrapped(dim, "  "+row.first.ID+"  ", where)
		}
		p.wrapped(dim, "      ", fmt.Sprintf("until %s: %q, owner %s%s", clean(r.until), clean(r.reason), clean(r.owner), at(r.position)))
	}
	p.line()
}

// exempt ends the sentence that all is well: what it leaves out.
func (p *page) exempt(outs []config.Out, ignored []planner.Ignored) {
	if len(outs) > 0 {
		names := make([]string, 0, len(outs))
		for _, o := range outs {
			names = append(names, clean(o.Node))
		}
		p.wrapped("", "", fmt.Sprintf("Not looked at: %s (out).", few(names, ", ", 8, p.Verbose)))
	}
	if n := len(ignored); n == 1 {
		p.line("Not counted: 1 finding (ignored).")
	} else if n > 1 {
		p.line("Not counted: ", thousands(n), " findings (ignored).")
	}
}

// at says where something was declared.
func at(position config.Position) string {
	if position.File == "" {
		return ""
	}
	return " (" + clean(position.String()) + ")"
}
