package text

import (
	"slices"

	"upkeep/planner"
	"upkeep/planner/report"
	"upkeep/providers"
)

// cleaned returns a copy of a plan that is fit for a terminal (see clean).
func cleaned(p report.PlanJSON) report.PlanJSON {
	u := &p.Upkeep
	u.Findings = cleanFindings(u.Findings)
	u.Remaining = cleanFindings(u.Remaining)
	u.Steps = slices.Clone(u.Steps)
	for i := range u.Steps {
		u.Steps[i] = cleanStep(u.Steps[i])
	}
	u.Unknown = cleanUnknown(u.Unknown)
	u.Outage = clean(u.Outage)
	u.Warnings = cleanTexts(u.Warnings)
	u.Refusals = cleanTexts(u.Refusals)
	u.ExpectedRefusals = slices.Clone(u.ExpectedRefusals)
	for i, f := range u.ExpectedRefusals {
		u.ExpectedRefusals[i] = planner.ExpectedRefusal{Step: clean(f.Step), Why: clean(f.Why)}
	}
	u.Money = slices.Clone(u.Money)
	for i, m := range u.Money {
		u.Money[i] = cleanMoney(m)
	}
	u.Undo = slices.Clone(u.Undo)
	for i, way := range u.Undo {
		way.Address, way.To, way.Nodes = cleanAddress(way.Address), clean(way.To), cleanTexts(way.Nodes)
		u.Undo[i] = way
	}
	u.Lanes = slices.Clone(u.Lanes)
	for i, lane := range u.Lanes {
		lane.Name = clean(lane.Name)
		lane.Taken = slices.Clone(lane.Taken)
		for j, t := range lane.Taken {
			lane.Taken[j].Node, lane.Taken[j].Why = clean(t.Node), clean(t.Why)
		}
		u.Lanes[i] = lane
	}
	return p
}

func cleanMoney(m report.Money) report.Money {
	m.Address, m.Allowed, m.Unknown = cleanAddress(m.Address), clean(m.Allowed), clean(m.Unknown)
	m.Prices = slices.Clone(m.Prices)
	for i, c := range m.Prices {
		c.What, c.Unit, c.Percent = clean(c.What), clean(c.Unit), clean(c.Percent)
		for _, price := range []**providers.Price{&c.Before, &c.After} {
			if *price != nil {
				*price = &providers.Price{Month: clean((*price).Month), Hour: clean((*price).Hour)}
			}
		}
		m.Prices[i] = c
	}
	return m
}

func cleanTexts(texts []string) []string {
	out := make([]string, len(texts))
	for i, s := range texts {
		out[i] = clean(s)
	}
	return out
}

func cleanUnknown(unknown []planner.Unknown) []planner.Unknown {
	out := make([]planner.Unknown, len(unknown))
	for i, u := range unknown {
		out[i] = planner.Unknown{Name: clean(u.Name), Why: clean(u.Why), Objects: cleanTexts(u.Objects), Exempt: clean(u.Exempt)}
	}
	return out
}

func cleanAddress(a providers.Address) providers.Address {
	return providers.Address{Type: clean(a.Type), Name: clean(a.Name), Key: clean(a.Key), Node: clean(a.Node)}
}

func cleanFindings(findings []providers.Finding) []providers.Finding {
	out := slices.Clone(findings)
	for i := range out {
		f := &out[i]
		f.Address = cleanAddress(f.Address)
		for _, s := range []*string{&f.ID, &f.Object, &f.Summary, &f.Hint, &f.Position} {
			*s = clean(*s)
		}
	}
	return out
}

func cleanStep(s providers.Step) providers.Step {
	s.Address = cleanAddress(s.Address)
	for _, t := range []*string{&s.ID, &s.Node, &s.Summary, &s.Disruption, &s.Unaffected, &s.Window, &s.Proof, &s.Undo, &s.Position} {
		*t = clean(*t)
	}
	s.Reversal.To = clean(s.Reversal.To)
	s.Why = cleanTexts(s.Why)
	s.Guards = slices.Clone(s.Guards)
	for i, n := range s.Guards {
		s.Guards[i].Name, s.Guards[i].Waived = clean(n.Name), clean(n.Waived)
	}
	s.Consents = slices.Clone(s.Consents)
	for i, c := range s.Consents {
		s.Consents[i] = providers.Consent{Rule: clean(c.Rule), Demands: clean(c.Demands)}
	}
	s.Lanes = slices.Clone(s.Lanes)
	for i, lane := range s.Lanes {
		s.Lanes[i].Name = clean(lane.Name)
	}
	s.Changes = slices.Clone(s.Changes)
	for i, c := range s.Changes {
		c.What, c.Before, c.After, c.Object = clean(c.What), clean(c.Before), clean(c.After), clean(c.Object)
		c.Fields = slices.Clone(c.Fields)
		for j, f := range c.Fields {
			f.Path, f.Before, f.After = clean(f.Path), clean(f.Before), clean(f.After)
			c.Fields[j] = f
		}
		s.Changes[i] = c
	}
	s.GroundText = cleanTexts(s.GroundText)
	return s
}
