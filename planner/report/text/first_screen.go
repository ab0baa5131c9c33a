package text

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"upkeep/planner/report"
	"upkeep/providers"
)

// resources names what the steps are for: "certificates.control_plane and akash_provider.main".
func resources(steps []providers.Step) string {
	var names []string
	seen := map[string]bool{}
	for _, s := range steps {
		if name := s.Address.Resource().String(); !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	switch n := len(names); {
	case n > 6:
		return few(names, ", ", 6, false)
	case n > 1:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return strings.Join(names, "")
}

// sentences joins what is interrupted and what keeps running, each a sentence.
func sentences(disruption, unaffected string) string {
	text := disruption + "."
	if unaffected != "" {
		text += " " + capital(unaffected) + "."
	}
	return text
}

// capital begins a sentence with a capital letter. The names of components and files stay as they are.
func capital(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	if word, _, _ := strings.Cut(s, " "); strings.ContainsAny(word, "-._/") {
		return s
	}
	return string(unicode.ToUpper(first)) + s[size:]
}

// impact says what is interrupted and what keeps running: what is the same but for the node's name is told once with all nodes.
func (p *page) impact(steps []providers.Step) {
	type told struct{ disruption, unaffected string }
	var order []told
	nodes, all := map[told][]string{}, map[string]bool{}
	for _, s := range steps {
		if s.Disruption == "" {
			continue
		}
		all[s.Node] = true
		key := told{anywhere(s.Disruption, s.Node), anywhere(s.Unaffected, s.Node)}
		if _, seen := nodes[key]; !seen {
			order = append(order, key)
			nodes[key] = nil
		}
		if !slices.Contains(nodes[key][max(0, len(nodes[key])-1):], s.Node) {
			nodes[key] = append(nodes[key], s.Node)
		}
	}
	if len(order) == 0 {
		p.say("", "IMPACT", "Nothing is interrupted.")
		return
	}
	label, serial := "IMPACT", ""
	if inTurn(steps) && len(all) > 1 {
		serial = ", one node at a time"
	}
	for _, key := range order {
		text := sentences(capital(key.disruption)+serial, key.unaffected)
		p.say("", label, strings.ReplaceAll(text, "\x01", few(nodes[key], ", ", 8, false)))
		label = ""
	}
}

// approve writes the command that applies exactly this plan. The command is never broken, however narrow the page is.
func (p *page) approve(digest string) {
	const lead = "approve with:"
	command := "upkeep apply -expect=" + digest
	if line := pad("", labels) + lead + " " + command; length(line) <= p.width() {
		p.line(line)
		return
	}
	p.line(pad("", labels), lead)
	p.line("  ", command)
}

// shownPrices is how many prices the first screen names of one resource.
const shownPrices = 4

// money says how prices change.
func (p *page) money(list []report.Money) {
	for _, m := range list {
		prefix := ""
		if len(list) > 1 {
			prefix = m.Address.String() + ": "
		}
		switch {
		case m.Unknown != "":
			p.say(yellow, "MONEY", prefix+"unknown: "+m.Unknown)
			continue
		case len(m.Prices) == 0:
			p.say("", "MONEY", prefix+"prices are unchanged")
			continue
		}
		// What a sample order costs follows from the other prices, so it comes last.
		sample := func(c providers.PriceChange) bool { return c.Unit == providers.UnitOrder }
		sorted := append(where(m.Prices, func(c providers.PriceChange) bool { return !sample(c) }), where(m.Prices, sample)...)
		shown := sorted
		if !p.Verbose && len(shown) > shownPrices+1 {
			shown = shown[:shownPrices]
		}
		var parts []string
		for _, c := range shown {
			parts = append(parts, priceChange(c))
		}
		if more := len(m.Prices) - len(shown); more > 0 {
			parts = append(parts, plural(more, "more price")+", shown by -verbose")
		}
		if m.Allowed != "" {
			parts = append(parts, "allowed: "+m.Allowed+" %")
		}
		p.say("", "MONEY", prefix+strings.Join(parts, "; "))
	}
}

// where returns the prices for which something holds.
func where(prices []providers.PriceChange, holds func(providers.PriceChange) bool) (out []providers.PriceChange) {
	for _, c := range prices {
		if holds(c) {
			out = append(out, c)
		}
	}
	return out
}

func priceChange(c providers.PriceChange) string {
	unit, of := "USD/month", ""
	switch c.Unit {
	case "GPU":
	case providers.UnitOrder:
		c.What = "order (" + c.What + ")"
	default:
		of = " per " + c.Unit
	}
	if c.Before == nil || c.After == nil {
		amount := func(price *providers.Price) string {
			if price == nil {
				return "no bids"
			}
			return fmt.Sprintf("%s %s%s (%s USD/h)", price.Month, unit, of, price.Hour)
		}
		return fmt.Sprintf("%s %s -> %s", c.What, amount(c.Before), amount(c.After))
	}
	percent := ""
	if c.Percent != "" {
		percent = ", " + c.Percent + " %"
	}
	return fmt.Sprintf("%s %s -> %s %s%s (%s -> %s USD/h%s)", c.What, c.Before.Month, c.After.Month, unit, of, c.Before.Hour, c.After.Hour, percent)
}

// undo says how the steps are taken back, and which cannot be.
func (p *page) undo(ways []report.Undo) {
	var never, parts []string
	none := false
	for _, u := range ways {
		switch u.Way {
		case providers.ReverseNever:
			for _, n := range u.Steps {
				never = append(never, fmt.Sprint(n))
			}
		case providers.ReverseNone:
			none = true
		default:
			parts = append(parts, u.Address.String()+": "+wayBack(u))
		}
	}
	switch {
	case len(never) == 1:
		parts = slices.Insert(parts, 0, "step "+never[0]+" cannot be undone")
	case len(never) > 1:
		parts = slices.Insert(parts, 0, "steps "+few(never, ", ", 12, false)+" cannot be undone")
	case len(parts) == 0 && none:
		parts = []string{"not needed"}
	}
	color := ""
	if len(never) > 0 {
		color = yellow
	}
	p.say(color, "UNDO", few(parts, "; ", 6, p.Verbose))
}

func wayBack(u report.Undo) string {
	switch u.Way {
	case providers.ReverseArchive:
		return "archive on " + few(u.Nodes, ", ", 8, false)
	case providers.ReverseRollback:
		return "helm rollback to revision " + u.To
	case providers.ReverseUninstall:
		return "helm uninstall"
	}
	return "by hand, shown by -verbose"
}
