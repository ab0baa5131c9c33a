package planner

import (
	"fmt"
	"slices"

	"upkeep/config"
	"upkeep/planner/window"
	"upkeep/providers"
)

// metas are what the declared blocks say of all their steps. No domain reads it: it is put onto its steps.
type metas struct {
	of map[providers.Address]config.Meta
	// windows are the declared maintenance windows, in declared order.
	windows []*window.Window
	// labels are those of Kubernetes nodes, by their names in the configuration; nil where no window asks for labels.
	labels map[string]map[string]string
	// labelsUnknown: Kubernetes told of no nodes, or was not asked.
	labelsUnknown bool
}

// metas are those of the request's configuration, with the labels of its world where a window asks for labels.
func (r Request) metas() metas {
	m := metasOf(r.Desired)
	if !slices.ContainsFunc(m.windows, func(w *window.Window) bool { return len(w.AppliesTo.Labels) > 0 }) {
		return m
	}
	m.labels, m.labelsUnknown = map[string]map[string]string{}, r.World.Kubernetes.Unknown != "" || len(r.World.Kubernetes.Nodes) == 0
	find := providers.NewInventory(r.Desired, r.World).Finder()
	for _, k := range r.World.Kubernetes.Nodes {
		if n, known := find(k); known {
			m.labels[n.Name] = k.Labels
		}
	}
	return m
}

// subject is what a window sees of a step. A node that Kubernetes does not list has no labels.
func (m metas) subject(s providers.Step) window.Subject {
	resource := s.Address.Resource()
	return window.Subject{
		Type: resource.Type, Address: resource.String(), Operation: s.Operation,
		Node: s.Node, Labels: m.labels[s.Node], LabelsUnknown: m.labelsUnknown,
	}
}

func metasOf(desired config.Desired) metas {
	m := metas{of: map[providers.Address]config.Meta{}, windows: Windows(desired)}
	for _, d := range desired.Resources {
		m.of[providers.Address{Type: d.Type, Name: d.Name, Key: d.Key}] = d.Meta
	}
	return m
}

// guardBackup is the one guard that has a sentence of its own: what is missing without it, everybody should understand.
const guardBackup = "backup"

// warnings say, in declared order, which guards the blocks do without that were asked for. They are said whether a step
// is due or not: a person who reads a quiet report must know, too.
func (m metas) warnings(resources []providers.Resource, asked scope) (warnings []string) {
	for _, resource := range resources {
		address := resource.Address()
		if !asked.touches(address) {
			continue
		}
		for _, w := range m.of[address].Without {
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

// mark writes into steps what the blocks that ask for them say of all their steps.
func (m metas) mark(steps []providers.Step) {
	for i := range steps {
		s := &steps[i]
		calendar := m.calendar(*s)
		s.Window = calendar.Name()
		s.Lanes = m.widths(*s)
		s.Lanes = append(slices.Clip(s.Lanes), windowLanes(calendar, *s)...)
		meta := m.of[s.Address.Resource()]
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

// widths returns the lanes of a step, with the width of those that have none: what all windows of the block allow,
// else 1.
func (m metas) widths(s providers.Step) []providers.Lane {
	if !slices.ContainsFunc(s.Lanes, func(l providers.Lane) bool { return l.Width == 0 }) {
		return s.Lanes
	}
	width := 0
	for _, w := range m.windows {
		named := slices.Contains(m.of[s.Address.Resource()].Windows, w.Address())
		if named && w.MaxNodes > 0 && (width == 0 || w.MaxNodes < width) {
			width = w.MaxNodes
		}
	}
	lanes := slices.Clone(s.Lanes)
	for i := range lanes {
		if lanes[i].Width == 0 {
			lanes[i].Width = max(1, width)
		}
	}
	return lanes
}
