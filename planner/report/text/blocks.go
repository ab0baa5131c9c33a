package text

import (
	"fmt"
	"slices"
	"strings"

	"upkeep/planner/report"
	"upkeep/providers"
)

// block is steps of one address that follow one another, and the blocks of other nodes that read alike.
type block struct {
	first int // number of its first step, from 1
	steps []providers.Step
	also  []block
}

func (b block) node() string { return b.steps[0].Address.Node }

// numbers returns "4" or "4-5".
func (b block) numbers() string {
	if len(b.steps) == 1 {
		return fmt.Sprint(b.first)
	}
	return fmt.Sprintf("%d-%d", b.first, b.first+len(b.steps)-1)
}

// blocks cuts the steps into blocks; blocks that do the same on other nodes are folded into the first of them. What
// differs in any word but the node's name and the values before and after stands alone.
func blocks(steps []providers.Step, unfolded bool) []block {
	var out []block
	index := map[string]int{}
	for i := 0; i < len(steps); {
		j := i + 1
		for j < len(steps) && steps[j].Address == steps[i].Address {
			j++
		}
		b := block{first: i + 1, steps: steps[i:j]}
		i = j
		key := b.likeness()
		if first, seen := index[key]; seen && !unfolded && b.node() != "" {
			out[first].also = append(out[first].also, b)
			continue
		}
		index[key] = len(out)
		out = append(out, b)
	}
	if unfolded {
		return out
	}
	return foldEqual(out)
}

// many is from how many blocks on equal work of different addresses is folded: a person reads fewer one by one.
const many = 5

// foldEqual folds blocks of different addresses, of one type, that do the same to the word and to the value: where one
// differs in anything but its name and its node, it stands alone.
func foldEqual(all []block) []block {
	like := map[string][]int{}
	keys := make([]string, len(all))
	for i, b := range all {
		if len(b.also) == 0 {
			keys[i] = b.work()
			like[keys[i]] = append(like[keys[i]], i)
		}
	}
	var out []block
	for i, b := range all {
		same := like[keys[i]]
		switch {
		case len(b.also) > 0 || len(same) < many:
			out = append(out, b)
		case same[0] == i:
			for _, other := range same[1:] {
				b.also = append(b.also, all[other])
			}
			out = append(out, b)
		}
	}
	return out
}

// work is the same for blocks of one type that do the same, with the same values.
func (b block) work() string {
	address := b.steps[0].Address
	plain := func(text string) string {
		for _, name := range []string{address.String(), address.Resource().String(), address.Node, address.Key, address.Name} {
			text = anywhere(text, name)
		}
		return text
	}
	parts := []string{address.Type}
	for _, s := range b.steps {
		parts = append(parts, s.Operation, s.Action, plain(s.Summary), plain(s.Disruption), plain(s.Unaffected), plain(s.Proof), plain(s.Undo),
			plain(strings.Join(s.Why, "\n")), fmt.Sprint(s.Estimate, s.Worst), fmt.Sprint(s.Guards), fmt.Sprint(s.Consents), s.Window, report.Narrow(s), fmt.Sprint(s.Node == address.Node))
		for _, c := range s.Changes {
			parts = append(parts, plain(c.What), plain(c.Before), plain(c.After), plain(c.Object), plain(fmt.Sprint(c.Fields)))
		}
	}
	return strings.Join(parts, "\x00")
}

// label names a block that is folded into this one: by its node, or by its address where that is another one.
func (b block) label(other block) string {
	if other.steps[0].Address.Resource() == b.steps[0].Address.Resource() {
		return other.node()
	}
	return other.steps[0].Address.String()
}

// likeness is the same for blocks that do the same on different nodes.
func (b block) likeness() string {
	node := b.node()
	parts := []string{b.steps[0].Address.Resource().String()}
	for _, s := range b.steps {
		parts = append(parts, s.Operation, s.Action, anywhere(s.Summary, node), anywhere(s.Disruption, node), anywhere(s.Unaffected, node), anywhere(s.Proof, node),
			anywhere(s.Undo, node), fmt.Sprint(s.Estimate, s.Worst), fmt.Sprint(s.Guards), fmt.Sprint(s.Consents), s.Window, report.Narrow(s), fmt.Sprint(s.Node == node))
		for _, c := range s.Changes {
			parts = append(parts, anywhere(c.What, node))
		}
	}
	return strings.Join(parts, "\x00")
}

// anywhere puts a mark in place of a node's name, where it stands as a word of its own.
func anywhere(text, node string) string {
	const mark = "\x01"
	if node == "" || !strings.Contains(text, node) {
		return text
	}
	var out strings.Builder
	for {
		i := strings.Index(text, node)
		if i < 0 {
			return out.String() + text
		}
		end := i + len(node)
		if i > 0 && inName(text[i-1]) || end < len(text) && inName(text[end]) {
			out.WriteString(text[:end])
		} else {
			out.WriteString(text[:i] + mark)
		}
		text = text[end:]
	}
}

func inName(c byte) bool {
	return c == '-' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// title says what happens to a block's address, in Terraform's words.
func (b block) title() string {
	verbs := make([]string, 0, len(b.steps))
	for _, s := range b.steps {
		verbs = append(verbs, s.Action)
	}
	what := map[string]string{"create": "will be created", "delete": "will be destroyed", "update": "will be updated in-place", "no-op": "will be looked at"}
	acts := report.Actions(verbs)
	if len(acts) == 2 {
		return "must be replaced"
	}
	return what[acts[0]]
}

// symbol returns Terraform's symbol of an action, and its colour.
func symbol(action string) (string, string) {
	switch action {
	case "create":
		return "+", green
	case "delete":
		return "-", red
	case "update":
		return "~", yellow
	default:
		return " ", ""
	}
}

// others says on which other nodes the same follows.
func (b block) others() string {
	how := ""
	if slices.ContainsFunc(b.steps, func(s providers.Step) bool { return report.Narrow(s) != "" }) {
		how = ", one at a time"
	}
	if len(b.also) <= 4 {
		var parts []string
		for _, other := range b.also {
			parts = append(parts, fmt.Sprintf("then %s (%s)", b.label(other), other.numbers()))
		}
		return strings.Join(parts, ", ") + how
	}
	last := b.also[len(b.also)-1]
	thing := "on " + plural(len(b.also), "more node")
	if last.steps[0].Address.Resource() != b.steps[0].Address.Resource() {
		thing = "for " + plural(len(b.also), "more block")
	}
	return fmt.Sprintf("then the same %s%s: %s (%s) to %s (%s), shown by -verbose",
		thing, how, b.label(b.also[0]), b.also[0].numbers(), b.label(last), last.numbers())
}

// variants returns the values of one change on the nodes where they are not those of the block's first node.
func (b block) variants(step, change int) []string {
	base := b.steps[step].Changes[change]
	type values struct{ before, after string }
	var order []values
	nodes := map[values][]string{}
	for _, other := range b.also {
		c := other.steps[step].Changes[change]
		v := values{c.Before, c.After}
		if v == (values{base.Before, base.After}) {
			continue
		}
		if nodes[v] == nil {
			order = append(order, v)
		}
		nodes[v] = append(nodes[v], other.node())
	}
	var out []string
	const shown = 3
	for i, v := range order {
		if i == shown && len(order) > shown+1 {
			return append(out, fmt.Sprintf("%s further values on other nodes, shown by -verbose", thousands(len(order)-shown)))
		}
		out = append(out, fmt.Sprintf("%s: %s -> %s", few(nodes[v], " ", 4, false), shownValue(v.before), shownValue(v.after)))
	}
	return out
}
