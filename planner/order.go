package planner

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// order sorts the steps so that each comes after those it waits for, so that brackets surround what they guard, and so that
// of each lane that is 1 wide one node is finished before the next begins. Where nothing decides, the given order stands, and
// a node that was begun is finished first. It takes n log n.
func order(steps []providers.Step, brackets []providers.Bracket, inventory providers.Inventory, world facts.World) ([]providers.Step, error) {
	g, err := newGraph(steps, brackets, nodeOrder(steps, inventory, world))
	if err != nil {
		return nil, err
	}
	sequence := g.sort()
	if len(sequence) < len(steps) {
		return nil, g.cycle(steps, sequence)
	}
	sorted := make([]providers.Step, 0, len(steps))
	for _, v := range sequence {
		sorted = append(sorted, steps[v])
	}
	return sorted, nil
}

// nodeOrder says which node of a lane goes first: reachable ones, of those the primary, else as declared. So
// the first is the one marked primary, else the first declared, and while that is down the first reachable one.
func nodeOrder(steps []providers.Step, inventory providers.Inventory, world facts.World) map[string]int {
	nodes := slices.Clone(inventory.Nodes)
	class := func(n config.Node) int {
		switch {
		case world.Node(n.Name).Unknown != "":
			return 2
		case n.Primary:
			return 0
		default:
			return 1
		}
	}
	slices.SortStableFunc(nodes, func(a, b config.Node) int { return class(a) - class(b) })
	rank := make(map[string]int, len(nodes))
	for _, n := range nodes {
		rank[n.Name] = len(rank)
	}
	for _, step := range steps { // nodes that are not declared come last, as they appear
		if _, ok := rank[step.Node]; !ok {
			rank[step.Node] = len(rank)
		}
	}
	return rank
}

// graph holds the steps as vertices 0 to n-1, in the order in which they should run where nothing else decides. The
// vertices from n on are barriers: between two nodes of a lane stands one, and around what a bracket guards, so that a lane
// or a bracket of many steps costs as many edges as it has steps, not their product.
type graph struct {
	steps   int
	next    [][]int32
	waits   []int32 // how many edges lead to a vertex
	turn    []int32 // of a step: its turn (one node of one lane); -1: none
	turns   int
	barrier []string // of a barrier: what it is, in words
}

func newGraph(steps []providers.Step, brackets []providers.Bracket, rank map[string]int) (*graph, error) {
	g := &graph{
		steps: len(steps), next: make([][]int32, len(steps)), waits: make([]int32, len(steps)), turn: make([]int32, len(steps)),
	}
	index := make(map[string]int, len(steps))
	for i, step := range steps {
		if _, twice := index[step.ID]; twice {
			return nil, fmt.Errorf("two steps have the id %q", step.ID)
		}
		index[step.ID] = i
		g.turn[i] = -1
	}
	for i, step := range steps {
		for _, id := range step.After {
			before, ok := index[id]
			if !ok {
				return nil, fmt.Errorf("step %s waits for %q, which is not in the plan", step.ID, id)
			}
			g.edge(before, i)
		}
	}
	for _, b := range brackets {
		if err := g.bracket(b, index); err != nil {
			return nil, err
		}
	}
	for _, l := range lanesOf(steps) {
		g.lane(l, rank)
	}
	return g, nil
}

// bracket puts a barrier between the beginning of a bracket and what it guards, and one before its end.
func (g *graph) bracket(b providers.Bracket, index map[string]int) error {
	through := func(what string, to []string, from ...[]string) error {
		if len(to) == 0 || len(slices.Concat(from...)) == 0 {
			return nil
		}
		barrier := g.addBarrier(what)
		for _, id := range slices.Concat(from...) {
			v, ok := index[id]
			if !ok {
				return fmt.Errorf("the guard %q of %s names the step %q, which is not in the plan", b.Guard, b.Of, id)
			}
			g.edge(v, barrier)
		}
		for _, id := range to {
			v, ok := index[id]
			if !ok {
				return fmt.Errorf("the guard %q of %s names the step %q, which is not in the plan", b.Guard, b.Of, id)
			}
			g.edge(barrier, v)
		}
		return nil
	}
	if err := through(fmt.Sprintf("the guard %s of %s", b.Guard, b.Of), b.Guarded, b.Begin); err != nil {
		return err
	}
	return through(fmt.Sprintf("the end of the guard %s of %s", b.Guard, b.Of), b.End, b.Begin, b.Guarded)
}

// laneSteps are the steps of a lane, by node.
type laneSteps struct {
	lane  providers.Lane
	nodes []string
	steps map[string][]int
	turn  map[string]int // the least of the node's steps
}

// lanesOf collects the lanes of some steps but for those of single nodes, as they appear. Repairs keep to no turn.
func lanesOf(steps []providers.Step) (out []*laneSteps) {
	lanes := map[string]*laneSteps{}
	for i, step := range steps {
		if step.Repairs {
			continue
		}
		for _, lane := range step.Lanes {
			if strings.HasPrefix(lane.Name, providers.NodeLanePrefix) {
				continue
			}
			l := lanes[lane.Name]
			if l == nil {
				l = &laneSteps{lane: lane, steps: map[string][]int{}, turn: map[string]int{}}
				lanes[lane.Name] = l
				out = append(out, l)
			}
			if l.steps[step.Node] == nil {
				l.nodes = append(l.nodes, step.Node)
				l.turn[step.Node] = step.Turn
			}
			l.turn[step.Node] = min(l.turn[step.Node], step.Turn)
			l.steps[step.Node] = append(l.steps[step.Node], i)
		}
	}
	return out
}

// lane lets the steps of a node follow one another, and in a lane that is 1 wide the nodes as well: those of a lower turn
// first, then by rank.
func (g *graph) lane(l *laneSteps, rank map[string]int) {
	slices.SortStableFunc(l.nodes, func(a, b string) int {
		return cmp.Or(l.turn[a]-l.turn[b], rank[a]-rank[b])
	})
	previous := -1
	for n, node := range l.nodes {
		following := -1
		if n+1 < len(l.nodes) && l.lane.Width <= 1 {
			following = g.addBarrier("the next node of " + l.lane.Name)
		}
		for _, i := range l.steps[node] {
			if g.turn[i] < 0 {
				g.turn[i] = int32(g.turns)
			}
			if previous >= 0 {
				g.edge(previous, i)
			}
			if following >= 0 {
				g.edge(i, following)
			}
		}
		g.turns++
		previous = following
	}
}

func (g *graph) edge(from, to int) {
	g.next[from] = append(g.next[from], int32(to))
	g.waits[to]++
}

func (g *graph) addBarrier(what string) int {
	g.next = append(g.next, nil)
	g.waits = append(g.waits, 0)
	g.barrier = append(g.barrier, what)
	return len(g.next) - 1
}

// sort returns the steps in order; fewer than there are when some wait for one another in a cycle.
func (g *graph) sort() []int {
	waits := slices.Clone(g.waits)
	taken := make([]bool, g.steps)
	ready := &least{}
	inTurn := make([]least, g.turns)
	release := func(v int) { // a vertex that waits for nothing any more
		open := []int{v}
		for len(open) > 0 {
			v, open = open[len(open)-1], open[:len(open)-1]
			if v < g.steps {
				ready.push(v)
				if t := g.turn[v]; t >= 0 {
					inTurn[t].push(v)
				}
				continue
			}
			for _, next := range g.next[v] { // a barrier is passed at once
				if waits[next]--; waits[next] == 0 {
					open = append(open, int(next))
				}
			}
		}
	}
	for v, n := range g.waits {
		if n == 0 {
			release(v)
		}
	}
	sequence := make([]int, 0, g.steps)
	turn := int32(-1)
	for {
		v, ok := -1, false
		if turn >= 0 {
			v, ok = inTurn[turn].pop(taken)
		}
		if !ok {
			if v, ok = ready.pop(taken); !ok {
				return sequence
			}
			if g.turn[v] >= 0 {
				turn = g.turn[v]
			}
		}
		taken[v] = true
		sequence = append(sequence, v)
		for _, next := range g.next[v] {
			if waits[next]--; waits[next] == 0 {
				release(int(next))
			}
		}
	}
}

// cycle names the steps that wait for one another, given those that could be ordered.
func (g *graph) cycle(steps []providers.Step, sequence []int) error {
	free := make([]bool, len(g.next))
	for _, v := range sequence {
		free[v] = true
	}
	// What a vertex that is stuck waits for: its first stuck predecessor. Barriers are stuck unless all before them are free.
	before := make([][]int, len(g.next))
	for v, next := range g.next {
		for _, to := range next {
			before[to] = append(before[to], v)
		}
	}
	for v := g.steps; v < len(g.next); v++ {
		free[v] = !slices.ContainsFunc(before[v], func(p int) bool { return !free[p] })
	}
	v := slices.Index(free[:g.steps], false)
	position := map[int]int{}
	var path []int
	for {
		if at, seen := position[v]; seen {
			path = path[at:]
			break
		}
		position[v] = len(path)
		path = append(path, v)
		v = before[v][slices.IndexFunc(before[v], func(p int) bool { return !free[p] })]
	}
	slices.Reverse(path)
	// Begin at the step that comes first, so that the same cycle always reads the same.
	first := slices.Index(path, slices.Min(path))
	path = slices.Concat(path[first:], path[:first])
	var words []string
	for _, v := range append(path, path[0]) {
		if v < g.steps {
			words = append(words, steps[v].ID)
		} else {
			words = append(words, g.barrier[v-g.steps])
		}
	}
	return fmt.Errorf("the steps wait for one another in a cycle: %s", strings.Join(words, " -> "))
}

// least is a heap of vertices, the least on top.
type least []int

func (h *least) push(v int) {
	*h = append(*h, v)
	s := *h
	for i := len(s) - 1; i > 0; {
		parent := (i - 1) / 2
		if s[parent] <= s[i] {
			return
		}
		s[parent], s[i] = s[i], s[parent]
		i = parent
	}
}

// pop removes the least vertex that is not taken.
func (h *least) pop(taken []bool) (int, bool) {
	for len(*h) > 0 {
		s := *h
		top, last := s[0], len(s)-1
		s[0] = s[last]
		s = s[:last]
		*h = s
		for i := 0; ; {
			child := 2*i + 1
			if child >= len(s) {
				break
			}
			if child+1 < len(s) && s[child+1] < s[child] {
				child++
			}
			if s[i] <= s[child] {
				break
			}
			s[i], s[child] = s[child], s[i]
			i = child
		}
		if !taken[top] {
			return top, true
		}
	}
	return -1, false
}
