package planner_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/providers"
	"upkeep/providers/facts"
)

func TestFleetSize(t *testing.T) {
	finding := func(address providers.Address, summary string) providers.Finding {
		return providers.Finding{
			ID: "FLEET_SIZE", Severity: providers.SeverityWarning, Address: address, Summary: summary, Position: "fleet.upkeep.hcl:7",
			Hint: "compare `kubectl get nodes -l 'gpu=hopper'` with the machines that should be there",
		}
	}
	gpu := providers.Address{Type: "nodes", Name: "gpu"}
	for _, test := range []struct {
		name   string
		fleet  string
		expect int
		found  facts.Fleet
		want   []providers.Finding
	}{
		{"as expected", "gpu", 2, facts.Fleet{Members: []string{"a", "b"}}, []providers.Finding{}},
		{"nothing expected", "gpu", 0, facts.Fleet{Members: []string{"a", "b"}}, []providers.Finding{}},
		{"one is missing", "gpu", 3, facts.Fleet{Members: []string{"a", "b"}}, []providers.Finding{finding(gpu, "2 nodes found, expect = 3")}},
		{"one too many", "gpu", 1, facts.Fleet{Members: []string{"a", "b"}}, []providers.Finding{finding(gpu, "2 nodes found, expect = 1")}},
		{"all are gone", "gpu", 1, facts.Fleet{}, []providers.Finding{finding(gpu, "0 nodes found, expect = 1")}},
		{"an instance", `gpu["west"]`, 2, facts.Fleet{Members: []string{"a"}},
			[]providers.Finding{finding(providers.Address{Type: "nodes", Name: "gpu", Key: "west"}, "1 node found, expect = 2")}},
		{"unknown is no size", "gpu", 1, facts.Fleet{Unknown: "the API does not answer"}, []providers.Finding{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := testRequest(1, nil)
			r.Desired.Fleets = []config.Fleet{{
				Name: test.fleet, Expect: test.expect, Address: "InternalIP", Selector: "gpu=hopper", Position: config.Position{File: "fleet.upkeep.hcl", Line: 7},
			}}
			r.World.Fleets = map[string]facts.Fleet{test.fleet: test.found}
			plan, err := planner.Build(r, testTypes())
			if err != nil {
				t.Fatal(err)
			}
			of := func(findings []providers.Finding) []providers.Finding {
				out := []providers.Finding{}
				for _, f := range findings {
					if f.ID == "FLEET_SIZE" {
						out = append(out, f)
					}
				}
				return out
			}
			if diff := cmp.Diff(test.want, of(plan.Findings)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.want, of(plan.Remaining)); diff != "" {
				t.Errorf("what remains (-want +got):\n%s", diff)
			}
		})
	}
}
