package planner

import (
	"fmt"
	"slices"
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

// WindowMistakes are those of maintenance windows: a block that names one which denies, one whose windows never open after a time,
// and a selector that chooses what is not there. types are all types of blocks that there are.
func WindowMistakes(desired config.Desired, types []string, at time.Time) []Mistake {
	windows := Windows(desired)
	var out []Mistake
	blocks := map[string]bool{}
	for _, d := range desired.Resources {
		address := providers.Address{Type: d.Type, Name: d.Name, Key: d.Key}
		blocks[address.String()] = true
		for _, w := range windows {
			if w.Deny && slices.Contains(d.Meta.Windows, w.Address()) {
				out = append(out, Mistake{d.Position, "Window that denies", fmt.Sprintf(
					"%s has kind = \"deny\": nothing begins in it. Name a window that allows; one that denies holds for %s without being named.", w.Address(), address)})
			}
		}
	}
	if len(out) > 0 {
		return out
	}
	for _, c := range Calendars(desired) {
		if c.Bound() && len(c.Next(at, 1)) == 0 {
			out = append(out, Mistake{positionOf(desired, c.Address), "Windows that never open", fmt.Sprintf(
				"No disruptive step of %s can ever begin: nothing of %s opens in the next ten years.", c.Address, c.Name())})
		}
	}
	for _, w := range windows {
		for _, name := range w.AppliesTo.Types {
			if !slices.Contains(types, name) {
				out = append(out, Mistake{w.Position, "Unknown type", fmt.Sprintf("%s applies to blocks of the type %q, and there is no such type.", w.Address(), name)})
			}
		}
		for _, name := range w.AppliesTo.Names {
			if !blocks[name] {
				out = append(out, Mistake{w.Position, "Unknown block", fmt.Sprintf("%s applies to %s, and there is no such block.", w.Address(), name)})
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

// tooShort warns of windows that are open for less than twice the shortest stretch that needs them: it would hardly ever fit.
func (p Plan) tooShort() (warnings []string) {
	metas := metasOf(p.Request.Desired)
	calendars := metas.calendars(p.Steps)
	shortest := map[string]providers.Step{}
	for _, s := range p.Steps {
		if known, any := shortest[s.Window]; !any || s.Estimate < known.Estimate {
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
		if longest, needs := longestOf(c.Next(p.CreatedAt, 10)), 2*shortest[s.Window].EstimateDuration(); longest < needs {
			warnings = append(warnings, fmt.Sprintf("window %s is open for %s at most; its shortest step (%s) should fit twice, and takes about %s",
				c.Name(), config.Duration(longest), shortest[s.Window].ID, config.Duration(shortest[s.Window].EstimateDuration().Round(time.Second))))
		}
	}
	return warnings
}

func longestOf(openings []window.Opening) (longest time.Duration) {
	for _, o := range openings {
		longest = max(longest, o.Until.Sub(o.From))
	}
	return longest
}
