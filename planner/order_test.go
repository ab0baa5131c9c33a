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

// drawSteps draws a graph without circles: steps wait only for earlier ones, and the steps of a serial group lie in the
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
		s := providers.Step{ID: fmt.Sprintf("s%d", i), SerialGroup: g, Node: fmt.Sprintf("n%d", rapid.IntRange(0, 4).Draw(t, "node"))}
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

func TestOrderKeepsEdgesAndSerialGroups(t *testing.T) {
	inv, world := fiveNodes()
	rapid.Check(t, func(t *rapid.T) {
		drawn := drawSteps(t)
		shuffled := rapid.Permutation(drawn).Draw(t, "shuffled")
		for _, steps := range [][]providers.Step{drawn, shuffled} {
			before := slices.Clone(steps)
			got, err := order(steps, inv, world)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, steps); diff != "" {
				t.Fatalf("order wrote into its argument:\n%s", diff)
			}
			checkOrder(t, steps, got)
			again, err := order(steps, inv, world)
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
		if s.SerialGroup == "" {
			continue
		}
		if seen := nodes[s.SerialGroup]; len(seen) == 0 || seen[len(seen)-1] != s.Node {
			nodes[s.SerialGroup] = append(seen, s.Node)
		}
	}
	for group, list := range nodes {
		if !slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) != len(list) {
			t.Fatalf("the nodes of group %s come in the order %v", group, list)
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
		got, err := order(steps, inv, world)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(steps, got, func(a, b providers.Step) bool { return a.ID == b.ID }) {
			t.Fatalf("%v became %v", steps, got)
		}
	})
}

// Of a serial group, nodes of a lower turn go first, whatever their place; what else a node has in the group goes with it.
func TestOrderTakesTurns(t *testing.T) {
	inv, world := fiveNodes()
	step := func(node string, turn int) providers.Step {
		return providers.Step{ID: fmt.Sprint(node, "/", turn), Node: node, SerialGroup: "g", Turn: turn}
	}
	got, err := order([]providers.Step{step("n0", 1), step("n1", 0), step("n2", 0), step("n3", 0), step("n3", -1), step("n4", -1)}, inv, world)
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
		return providers.Step{ID: id, SerialGroup: group, Node: node, After: after}
	}
	got, err := order([]providers.Step{
		step("a0", "g", "n0"), step("a1", "g", "n1"), step("x", "", "n4"), step("b0", "g", "n0", "a0"), step("b1", "g", "n1", "a1"),
	}, inv, world)
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

// Every circle is an error that names its steps, each of which does wait for the one before it.
func TestOrderNamesCircles(t *testing.T) {
	inv, world := fiveNodes()
	rapid.Check(t, func(t *rapid.T) {
		steps := drawSteps(t)
		if len(steps) < 2 {
			t.Skip("no room for a circle")
		}
		for i := range steps {
			steps[i].SerialGroup = ""
		}
		from := rapid.IntRange(0, len(steps)-2).Draw(t, "from")
		to := rapid.IntRange(from+1, len(steps)-1).Draw(t, "to")
		steps[to].After = append(steps[to].After, steps[from].ID)
		steps[from].After = append(steps[from].After, steps[to].ID)
		_, err := order(steps, inv, world)
		if err == nil {
			t.Fatal("a circle was ordered")
		}
		_, list, found := strings.Cut(err.Error(), "in a circle: ")
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
