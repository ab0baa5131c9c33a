package planner_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"upkeep/planner"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// TestPlanFileInPieces: what is written piece by piece is what json.Marshal writes of the whole, byte for byte.
func TestPlanFileInPieces(t *testing.T) {
	for name, change := range map[string]func(*planner.Plan){
		"as built":   func(*planner.Plan) {},
		"no steps":   func(p *planner.Plan) { p.Steps = nil },
		"empty":      func(p *planner.Plan) { p.Steps, p.Request.World.Nodes = []providers.Step{}, map[string]*facts.Node{} },
		"no nodes":   func(p *planner.Plan) { p.Request.World.Nodes = nil },
		"one step":   func(p *planner.Plan) { p.Steps = p.Steps[:1] },
		"objects":    func(p *planner.Plan) { p.Objects = []providers.Object{{Name: "apiserver"}} },
		"a nil node": func(p *planner.Plan) { p.Request.World.Nodes["b"] = nil },
		"odd names": func(p *planner.Plan) {
			for _, node := range []string{"<&>", "\"", "\u2028", "é", "a", "A", "", "\xff", `\u0000`} {
				p.Request.World.Nodes[node] = &facts.Node{Name: node}
			}
			p.Steps[0].Summary = "\x00 <a&b> \u2029"
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := build(t, testRequest(3, nil))
			change(&p)
			got, err := planner.Encode(p)
			if err != nil {
				t.Fatal(err)
			}
			p.Objects = nil
			want, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			if want = append(want, '\n'); !bytes.Equal(got, want) {
				t.Errorf("the text is\n%s, want\n%s", got, want)
			}
		})
	}
	p := build(t, testRequest(3, nil))
	p.Request.World.Fleets = map[string]facts.Fleet{"\x00": {}}
	p.Request.World.Nodes["\x00"] = nil
	if _, err := planner.Encode(p); err != nil {
		t.Errorf("a name that stands for the nodes is no trouble elsewhere: %v", err)
	}
}

// TestFile: a plan file made at once is the packed text with its origin, whether or not the text is small.
func TestFile(t *testing.T) {
	for _, n := range []int{1, 400} {
		for _, recorded := range []bool{false, true} {
			p := build(t, testRequest(n, nil))
			p.ID, p.Request.Recorded, p.Request.Lineage = "p1", recorded, "lineage"
			text, err := planner.EncodeSigned(p, macOf("key"))
			if err != nil {
				t.Fatal(err)
			}
			want, err := planner.Pack(text)
			if err != nil {
				t.Fatal(err)
			}
			file, err := planner.File(p, macOf("key"))
			if err != nil || !bytes.Equal(file, want) {
				t.Errorf("%d nodes, recorded %v: the file has %d bytes, want %d (%v)", n, recorded, len(file), len(want), err)
			}
		}
	}
}

// BenchmarkFile makes the file of a plan. The text of 2,000 nodes is not held in memory: B/op is what its pieces take.
func BenchmarkFile(b *testing.B) {
	p, err := planner.Build(testRequest(2000, nil), testTypes())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := planner.File(p, macOf("key")); err != nil {
			b.Fatal(err)
		}
	}
}
