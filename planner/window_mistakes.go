package planner

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"upkeep/config"
	"upkeep/planner/window"
	"upkeep/providers"
)

// Mistake is what contradicts itself in a configuration although each of its blocks is right.
type Mistake struct {
	Position config.Position
	Summary  string
	Detail   string
}

// mostWindows is how many windows a configuration may have.
const mostWindows = 1000

// WindowMistakes are those of maintenance windows: a block that names one which denies, one whose windows never
// open after a time, and a selector that chooses what is not there.
func WindowMistakes(desired config.Desired, types []providers.Type, at time.Time) []Mistake {
	windows := Windows(desired)
	if len(windows) > mostWindows {
		return []Mistake{{windows[mostWindows].Position, "Too many maintenance windows",
			fmt.Sprintf("There are %d, and %d is the most.", len(windows), mostWindows)}}
	}
	out := append(selectorMistakes(desired, windows, types), withoutWindow(desired, windows, types)...)
	for _, d := range desired.Resources {
		address := providers.Address{Type: d.Type, Name: d.Name, Key: d.Key}
		for _, w := range windows {
			if w.Deny && slices.Contains(d.Meta.Windows, w.Address()) {
				out = append(out, Mistake{d.Position, "Window that denies", fmt.Sprintf("%s has kind = \"deny\": nothing begins in it. "+
					"Name a window that allows; one that denies holds for %s without being named.", w.Address(), address)})
			}
		}
	}
	if len(out) > 0 {
		return out
	}
	known := map[string]bool{}
	for _, c := range Calendars(desired) {
		if !c.Bound() || known[c.Name()] {
			continue
		}
		known[c.Name()] = true
		if len(c.Next(at, 1)) == 0 {
			// The first one ends the search: to know that nothing opens is dear.
			return []Mistake{{positionOf(desired, c.Address), "Windows that never open", fmt.Sprintf(
				"No disruptive step of %s can ever begin: nothing of %s opens in the next ten years.", c.Address, c.Name())}}
		}
	}
	return nil
}

// withoutWindow are blocks that can interrupt something and do not say when. To be silent is not to say "always".
func withoutWindow(desired config.Desired, windows []*window.Window, types []providers.Type) (out []Mistake) {
	disrupts := map[string]bool{}
	for _, t := range types {
		disrupts[t.Name] = t.Disrupts
	}
	for _, d := range desired.Resources {
		address := providers.Address{Type: d.Type, Name: d.Name, Key: d.Key}
		if disrupts[d.Type] && len(d.Meta.Windows) == 0 && len(allowing(windows, address)) == 0 {
			out = append(out, Mistake{d.Position, "No maintenance window", fmt.Sprintf("Steps of %s can interrupt something, and "+
				"the block does not say when they may begin. Write window = maintenance_window.NAME, or window = \"always\". "+
				"For all blocks: defaults { window = \"always\" }.", address)})
		}
	}
	return out
}

// selectorMistakes are selectors that choose what is not there, and so nothing.
func selectorMistakes(desired config.Desired, windows []*window.Window, types []providers.Type) (out []Mistake) {
	names, blocks, operations := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, t := range types {
		names[t.Name] = true
		for operation := range t.Effects {
			operations[operation] = true
		}
	}
	for _, d := range desired.Resources {
		blocks[providers.Address{Type: d.Type, Name: d.Name, Key: d.Key}.String()] = true
	}
	for _, w := range windows {
		for _, choice := range []struct {
			what   string
			chosen []string
			known  map[string]bool
		}{
			{"type", w.AppliesTo.Types, names}, {"block", w.AppliesTo.Blocks, blocks}, {"operation", w.AppliesTo.Operations, operations},
		} {
			for _, name := range choice.chosen {
				if !choice.known[name] {
					out = append(out, Mistake{w.Position, "Unknown " + choice.what,
						fmt.Sprintf("%s applies to the %s %q, which does not exist.", w.Address(), choice.what, name)})
				}
			}
		}
	}
	return out
}

func positionOf(desired config.Desired, address providers.Address) config.Position {
	for _, d := range desired.Resources {
		if d.Type == address.Type && d.Name == address.Name && d.Key == address.Key {
			return d.Position
		}
	}
	return config.Position{}
}

// allowing are the windows that hold for a block without being named by it.
func allowing(windows []*window.Window, address providers.Address) []*window.Window {
	return window.Of(windows, nil, window.Subject{Type: address.Type, Address: address.String()}).Allow
}

// labelWarnings are about windows that choose nodes by labels: no node has them, or Kubernetes did not tell.
func (m metas) labelWarnings() (warnings []string) {
	for _, w := range m.windows {
		if len(w.AppliesTo.Labels) == 0 {
			continue
		}
		chosen := window.Selector{Labels: w.AppliesTo.Labels}
		switch {
		case m.labelsUnknown:
			effect := "opens for a step only where no other window does"
			if w.Deny {
				effect = "denies the steps of every node"
			}
			warnings = append(warnings, fmt.Sprintf("The labels of nodes are unknown, so %s %s.", w.Address(), effect))
		case !slices.ContainsFunc(slices.Collect(maps.Values(m.labels)), func(labels map[string]string) bool {
			return chosen.Applies(window.Subject{Node: "any", Labels: labels})
		}):
			warnings = append(warnings, fmt.Sprintf("%s holds for %s, and no node has them.", w.Address(), chosen))
		}
	}
	return warnings
}

// tooShort warns of windows that are open for less than twice the shortest stretch that needs them: it would hardly
// ever fit.
func (p Plan) tooShort() (warnings []string) {
	metas := p.Request.metas()
	calendars := metas.calendars(p.Steps)
	shortest := map[string]providers.Step{}
	for _, s := range p.Steps {
		if known, any := shortest[s.Window]; !any || s.WorstDuration() < known.WorstDuration() {
			shortest[s.Window] = s
		}
	}
	told := map[string]bool{}
	for _, s := range p.Steps {
		c, bound := calendars[s.Window]
		if !bound || told[s.Window] {
			continue
		}
		told[s.Window] = true
		if longest, needs := longestOf(c.Next(p.CreatedAt, 10)), 2*shortest[s.Window].WorstDuration(); longest < needs {
			warnings = append(warnings, fmt.Sprintf(
				"window %s%s is open for %s at most; its shortest step (%s) should fit twice, and takes about %s",
				c.Name(), placesOf(c), config.Duration(longest), shortest[s.Window].ID,
				config.Duration(shortest[s.Window].WorstDuration().Round(time.Second))))
		}
	}
	return warnings
}

// placesOf says where the windows of a calendar are declared: " (fleet.upkeep.hcl:12)".
func placesOf(c window.Calendar) string {
	var places []string
	for _, w := range slices.Concat(c.Allow, c.Deny) {
		if place := w.Position.String(); place != "" {
			places = append(places, place)
		}
	}
	if len(places) == 0 {
		return ""
	}
	return " (" + strings.Join(places, ", ") + ")"
}

func longestOf(openings []window.Opening) (longest time.Duration) {
	for _, o := range openings {
		longest = max(longest, o.Until.Sub(o.From))
	}
	return longest
}
