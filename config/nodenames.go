package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// checkNodeNames reports, for any argument of any block that names nodes, names that no node has.
func (l *loader) checkNodeNames(d *declaration, b Block) {
	check := func() { l.checkNodesIn(d.Schema, b) }
	if d.registered {
		check()
		return
	}
	l.later = append(l.later, check) // nodes are blocks of the language, and may come after this one
}

func (l *loader) checkNodesIn(s Schema, b Block) {
	for _, a := range s.Attributes {
		if _, set := b.Ranges[a.Name]; !a.Node || !set || b.attribute(a.Name).IsNull() {
			continue
		}
		if a.Type == cty.String {
			l.checkDeclared(b, a.Name, b.String(a.Name))
		} else {
			l.checkDeclared(b, a.Name, b.Strings(a.Name)...)
		}
	}
	eachNested(s, b, l.checkNodesIn)
}

// checkDeclared reports names that no node can have. With discovered nodes any name is possible.
func (l *loader) checkDeclared(b Block, argument string, nodes ...string) {
	if len(l.desired.Fleets) > 0 || l.failedNodes() {
		return
	}
	names := slices.Sorted(maps.Keys(l.nodes))
	var said []string
	for _, node := range nodes {
		if _, declared := l.nodes[node]; !declared && strings.TrimSpace(node) != "" {
			said = append(said, fmt.Sprintf("There is no node %q.%s", node, hint(node, names, "Nodes are")))
		}
	}
	if len(said) > 0 {
		l.report(b.Diagnose(argument, "Unknown node", strings.Join(said, " ")))
	}
}
