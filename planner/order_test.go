package planner

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// drawSteps draws a graph without circles: steps wait only for earlier ones, and the steps of a lane lie in the
// order of its nodes, of which there are n0 to n4.
func drawSteps(t *rapid.T) []providers.Step {
	steps := make([]providers.Step, rapid.IntRange(0, 40).Draw(t, "steps"))
	groups := make([]string, len(steps))
	for i := range steps {
		groups[i] = rapid.SampledFrom([]string{"", "", "a", "b"}).Draw(t, "group")
	}
	inGroup := map[string]int{}
	for _, g := range groups {
		inGroup[g]++
	}
	placed := map[string]int{}
	for i := range steps {
		g := groups[i]
		s := providers.Step{ID: fmt.Sprintf("s%d", i), Lanes: narrowLanes(g), Node: fmt.Sprintf("n%d", rapid.IntRange(0, 4).Draw(t, "node"))}
		if g != "" {
			s.Node = fmt.Sprintf("n%d", placed[g]*5/inGroup[g])
			placed[g]++
		}
		for range rapid.IntRange(0, 3).Draw(t, "edges") {
			if i > 0 {
				s.After = append(s.After, fmt.Sprintf("s%d", rapid.IntRange(0, i-1).Draw(t, "after")))
			}
		}
		steps[i] = s
	}
	return steps
}

// narrowLanes is a lane in which one node at a time is under way; none for no name.
func narrowLanes(name string) []providers.Lane {
	if name == "" {
		return nil
	}
	return []providers.Lane{{Name: name, Width: 1, Strict: true}}
}

func fiveNodes() (providers.Inventory, facts.World) {
	var inv providers.Inventory
	world := facts.World{Nodes: map[string]*facts.Node{}}
	for i := range 5 {
		name := fmt.Sprintf("n%d", i)
		inv.Nodes = append(inv.Nodes, config.Node{Name: name})
		world.Nodes[name] = &facts.Node{Name: name}
	}
	return inv, world
}

func TestOrderKeepsEdgesAndLanes(t *testing.T) {
	inv, world := fiveNodes()
	rapid.Check(t, func(t *rapid.T) {
		drawn := drawSteps(t)
		shuffled := rapid.Permutation(drawn).Draw(t, "shuffled")
		for _, steps := range [][]providers.Step{drawn, shuffled} {
			before := slices.Clone(steps)
			got, err := order(steps, nil, inv, world)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, steps); diff != "" {
				t.Fatalf("order wrote into its argument:\n%s", diff)
			}
			checkOrder(t, steps, got)
			again, err := order(steps, nil, inv, world)
			if err != nil || !cmp.Equal(got, again) {
				t.Fatalf("the same steps are ordered in another way: %v", err)
			}
		}
	})
}

func checkOrder(t *rapid.T, steps, got []providers.Step) {
	at := map[string]int{}
	for i, s := range got {
		at[s.ID] = i
	}
	if len(at) != len(steps) || len(got) != len(steps) {
		t.Fatalf("%d of %d steps are ordered", len(at), len(steps))
	}
	nodes := map[string][]string{}
	for i, s := range got {
		for _, id := range s.After {
			if at[id] >= i {
				t.Fatalf("%s comes before %s, which it waits for", s.ID, id)
			}
		}
		if len(s.Lanes) == 0 {
			continue
		}
		lane := s.Lanes[0].Name
		if seen := nodes[lane]; len(seen) == 0 || seen[len(seen)-1] != s.Node {
			nodes[lane] = append(seen, s.Node)
		}
	}
	for group, list := range nodes {
		if !slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) != len(list) {
			t.Fatalf("the nodes of lane %s come in the order %v", group, list)
		}
	}
}

// Where nothing decides, the given order stands.
func TestOrderIsStable(t *testing.T) {
	inv, world := fiveNodes()
	rapid.Check(t, func(t *rapid.T) {
		var steps []providers.Step
		for i := range rapid.IntRange(0, 50).Draw(t, "steps") {
			steps = append(steps, providers.Step{ID: fmt.Sprint(i), Node: rapid.SampledFrom([]string{"n0", "n1", ""}).Draw(t, "node")})
		}
		got, err := order(steps, nil, inv, world)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(steps, got, func(a, b providers.Step) bool { return a.ID == b.ID }) {
			t.Fatalf("%v became %v", steps, got)
		}
	})
}

// Of a lane, nodes of a lower turn go first, whatever their place; what else a node has in the lane goes with it.
func TestOrderTakesTurns(t *testing.T) {
	inv, world := fiveNodes()
	step := func(node string, turn int) providers.Step {
		return providers.Step{ID: fmt.Sprint(node, "/", turn), Node: node, Lanes: narrowLanes("g"), Turn: turn}
	}
	got, err := order([]providers.Step{step("n0", 1), step("n1", 0), step("n2", 0), step("n3", 0), step("n3", -1), step("n4", -1)}, nil, inv, world)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, s := range got {
		ids = append(ids, s.ID)
	}
	if diff := cmp.Diff([]string{"n3/0", "n3/-1", "n4/-1", "n1/0", "n2/0", "n0/1"}, ids); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A node that was begun is finished before steps that have nothing to do with it.
func TestOrderFinishesANode(t *testing.T) {
	inv, world := fiveNodes()
	step := func(id, group, node string, after ...string) providers.Step {
		return providers.Step{ID: id, Lanes: narrowLanes(group), Node: node, After: after}
	}
	got, err := order([]providers.Step{
		step("a0", "g", "n0"), step("a1", "g", "n1"), step("x", "", "n4"), step("b0", "g", "n0", "a0"), step("b1", "g", "n1", "a1"),
	}, nil, inv, world)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, s := range got {
		ids = append(ids, s.ID)
	}
	if want := "a0 b0 a1 b1 x"; strings.Join(ids, " ") != want {
		t.Errorf("order %v, want %s", ids, want)
	}
}

// Every cycle is an error that names its steps, each of which does wait for the one before it.
func TestOrderNamesCircles(t *testing.T) {
	inv, world := fiveNodes()
	rapid.Check(t, func(t *rapid.T) {
		steps := drawSteps(t)
		if len(steps) < 2 {
			t.Skip("no room for a cycle")
		}
		for i := range steps {
			steps[i].Lanes = nil
		}
		from := rapid.IntRange(0, len(steps)-2).Draw(t, "from")
		to := rapid.IntRange(from+1, len(steps)-1).Draw(t, "to")
		steps[to].After = append(steps[to].After, steps[from].ID)
		steps[from].After = append(steps[from].After, steps[to].ID)
		_, err := order(steps, nil, inv, world)
		if err == nil {
			t.Fatal("a cycle was ordered")
		}
		_, list, found := strings.Cut(err.Error(), "in a cycle: ")
		ids := strings.Split(list, " -> ")
		if !found || len(ids) < 3 || ids[0] != ids[len(ids)-1] {
			t.Fatalf("error %v", err)
		}
		after := map[string][]string{}
		for _, s := range steps {
			after[s.ID] = s.After
		}
		for i := 1; i < len(ids); i++ {
			if !slices.Contains(after[ids[i]], ids[i-1]) {
				t.Fatalf("%s does not wait for %s: %v", ids[i], ids[i-1], err)
			}
		}
	})
}

// A bracket's beginning comes before all that it guards, and its end as soon as the last of it has ended.
func TestOrderKeepsBrackets(t *testing.T) {
	inv, world := fiveNodes()
	step := func(id string, after ...string) providers.Step { return providers.Step{ID: id, After: after} }
	steps := []providers.Step{step("one"), step("end"), step("free"), step("two", "one"), step("begin"), step("last")}
	bracket := providers.Bracket{Guard: "copy", Begin: []string{"begin"}, Guarded: []string{"two"}, End: []string{"end"}}
	for name, test := range map[string]struct {
		change func(*providers.Bracket)
		want   string
	}{
		"begin and end":    {func(*providers.Bracket) {}, "one free begin two end last"},
		"without an end":   {func(b *providers.Bracket) { b.End = nil }, "one end free begin two last"},
		"an end alone":     {func(b *providers.Bracket) { b.Begin = nil }, "one free two end begin last"},
		"nothing to guard": {func(b *providers.Bracket) { b.Guarded = nil }, "one free two begin end last"},
		"not needed":       {func(b *providers.Bracket) { b.Begin, b.End = nil, nil }, "one end free two begin last"},
	} {
		t.Run(name, func(t *testing.T) {
			b := bracket
			test.change(&b)
			got, err := order(steps, []providers.Bracket{b}, inv, world)
			if err != nil {
				t.Fatal(err)
			}
			if ids := strings.Join(idsOf(got), " "); ids != test.want {
				t.Errorf("order %s, want %s", ids, test.want)
			}
		})
	}
	bracket.Begin = []string{"nobody"}
	if _, err := order(steps, []providers.Bracket{bracket}, inv, world); err == nil || !strings.Contains(err.Error(), `names the step "nobody"`) {
		t.Errorf("a bracket of a step that is not there: %v", err)
	}
	bracket.Begin = []string{"begin"}
	steps[4].After = []string{"two"}
	want := "the steps wait for one another in a cycle: two -> begin -> the guard copy of . -> two"
	if _, err := order(steps, []providers.Bracket{bracket}, inv, world); err == nil || err.Error() != want {
		t.Errorf("a beginning that waits for what it guards: %v", err)
	}
}
