package planner

import (
	"fmt"
	"slices"

	"upkeep/config"
	"upkeep/providers"
)

// always is the window of a step that may run at any time.
const always = "always"

// metas are the meta-arguments of the declared blocks, by address. No domain reads them: they are put onto its steps.
type metas map[providers.Address]config.Meta

func metasOf(desired config.Desired) metas {
	out := metas{}
	for _, d := range desired.Resources {
		out[providers.Address{Type: d.Type, Name: d.Name, Key: d.Key}] = d.Meta
	}
	return out
}

// guardBackup is the one guard that has a sentence of its own: what is missing without it, everybody should understand.
const guardBackup = "backup"

// warnings say, in declared order, which guards the blocks do without that were asked for. They are said whether a step is
// due or not: a person who reads a quiet report must know, too.
func (m metas) warnings(resources []providers.Resource, asked scope) (warnings []string) {
	for _, resource := range resources {
		address := resource.Address()
		if !asked.touches(address) {
			continue
		}
		for _, w := range m[address].Without {
			text := fmt.Sprintf("%s runs without the guard %q.", address, w.Guard)
			if w.Guard == guardBackup {
				text = fmt.Sprintf("No etcd backup will be taken before %s.", address)
			}
			if place := w.Position.String(); place != "" {
				text += fmt.Sprintf(" Reason given in %s: %q", place, w.Reason)
			} else {
				text += fmt.Sprintf(" Reason: %q", w.Reason)
			}
			warnings = append(warnings, text)
		}
	}
	return warnings
}

// mark writes into steps what the blocks that ask for them say of all their steps. A step that puts an outage right waits
// for no window.
func (m metas) mark(steps []providers.Step) {
	for i := range steps {
		s := &steps[i]
		meta := m[s.Address.Resource()]
		switch {
		case s.Repairs || s.Window == "" && meta.Window == "":
			s.Window = always
		case s.Window == "":
			s.Window = meta.Window
		}
		if len(meta.Without) == 0 {
			continue
		}
		s.Guards = slices.Clone(s.Guards)
		for n := range s.Guards {
			if w, waived := meta.Waives(s.Guards[n].Name); waived {
				s.Guards[n].Waived = w.Reason
			}
		}
	}
}
