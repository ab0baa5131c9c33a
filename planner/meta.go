package planner

import (
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
		for _, w := range meta.Without {
			s.GuardNone, s.Waived = w.Reason, append(s.Waived, w.Guard)
		}
	}
}
