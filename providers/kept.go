package providers

import (
	"maps"
	"reflect"
	"slices"

	"upkeep/providers/facts"
)

// kept is what pure decisions about one world worked out of it, for those who ask next. It changes no answer: it is
// looked at only as long as what it was made of is still there.
type kept struct {
	nodes  uintptr // the world's map of nodes
	origin *int    // shared by inputs that began as one world
	moved  []string
	values map[string]*keptValue
}

type keptValue struct {
	of    any
	value any
	move  func(NodeChange) // nil: the value does not come of nodes
}

// NodeChange is a node of a world that is being replaced.
type NodeChange struct {
	Name    string
	Was, Is *facts.Node // Was is nil where the world did not have the node
}

// Walk returns the input twice, each with a world of its own: just before and just after a step of a walk over many
// steps. What Once and Followed work out of either is kept, as long as the world changes through Apply alone. Both must
// be given the same updates in the same order, the input after a step first. They are for one goroutine.
func (in Input) Walk() (before, after Input) {
	origin := new(int)
	return in.keeping(origin), in.keeping(origin)
}

func (in Input) keeping(origin *int) Input {
	in.World = in.World.Clone()
	in.kept = &kept{nodes: identityOf(in.World.Nodes), origin: origin, values: map[string]*keptValue{}}
	return in
}

// identityOf tells one map of nodes from another: a copy of the world that is changed has another map.
func identityOf(nodes map[string]*facts.Node) uintptr { return reflect.ValueOf(nodes).Pointer() }

// keeps reports whether there is a place to keep what comes of this very world.
func (in Input) keeps() bool { return in.kept != nil && in.kept.nodes == identityOf(in.World.Nodes) }

// note takes the nodes that an update replaces into what is kept, before they are replaced.
func (in Input) note(u facts.Update) {
	if !in.keeps() {
		return
	}
	for i := range u.Nodes {
		n := &u.Nodes[i]
		in.kept.moved = append(in.kept.moved, n.Name)
		for _, v := range in.kept.values {
			if v.move != nil {
				v.move(NodeChange{Name: n.Name, Was: in.World.Nodes[n.Name], Is: n})
			}
		}
	}
}

// Once returns what work returns. Within a Walk the work is not done again while of, which must be comparable and say
// all that the work reads, is the same. The name tells works apart; nobody may write into the value.
func Once[T any](in Input, name string, of any, work func() T) T {
	return Followed(in, name, of, work, nil)
}

// Followed is Once for what comes of all nodes of a world: instead of working it out again after a node was replaced,
// move takes the change into it. The value must then be what begin would return.
func Followed[T any](in Input, name string, of any, begin func() T, move func(T, NodeChange)) T {
	if !in.keeps() {
		return begin()
	}
	if old := in.kept.values[name]; old != nil && old.of == of {
		return old.value.(T)
	}
	value := begin()
	v := &keptValue{of: of, value: value}
	if move != nil {
		v.move = func(c NodeChange) { move(value, c) }
	}
	in.kept.values[name] = v
	return value
}

// MovedNodes returns the names, sorted, of the nodes of one input that may differ from those of another: within a Walk
// the nodes of the step, else all.
func MovedNodes(before, after Input) []string {
	if !before.keeps() || !after.keeps() || before.kept.origin != after.kept.origin || len(before.kept.moved) > len(after.kept.moved) {
		return slices.Sorted(maps.Keys(before.World.Nodes))
	}
	moved := slices.Clone(after.kept.moved[len(before.kept.moved):])
	slices.Sort(moved)
	moved = slices.Compact(moved)
	return slices.DeleteFunc(moved, func(name string) bool { return before.World.Nodes[name] == nil })
}
