package apply_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/planner/apply"
	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/state/journal"
)

// steady is an effect whose ground always holds, but for what begins a guard: that is done.
type steady struct{ effect }

func (steady) Ready(_ providers.Input, step providers.Step) providers.Readiness {
	if step.Node == "g1" {
		return providers.Readiness{State: providers.Done}
	}
	return providers.Readiness{State: providers.Holds}
}
func (steady) Proved(providers.Input, providers.Input, providers.Step) error { return nil }

type nothing struct{}

func (nothing) Run(context.Context, providers.Step, providers.Progress) error { return nil }

type deafJournal struct{}

func (deafJournal) Append(...journal.Record) error { return nil }

// BenchmarkBookkeeping applies guarded steps that cost nothing, one on each node, within a guard that surrounds them,
// after one that stays begun, and beside one that is not needed: what is left is the executor's own work.
func BenchmarkBookkeeping(b *testing.B) {
	for _, n := range []int{1000, 2000, 4000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			plan := planner.Plan{FormatVersion: planner.FormatVersion, ID: "plan-1", Digest: "sha256:0123", Applyable: true, Complete: true}
			guardStep := func(id string) string {
				s := step("sim.label", "g1", "", "g1")
				s.ID = id
				plan.Steps = append(plan.Steps, s)
				return id
			}
			around := providers.Bracket{Guard: "leases", Of: guardAddress, Begin: []string{guardStep("lower")}}
			stays := providers.Bracket{Guard: "backup", Of: guardAddress, Begin: []string{guardStep("take")}}
			dormant := providers.Bracket{Guard: "leases", Of: providers.Address{Type: "sim", Name: "other"}}
			for i := range n {
				s := step("sim.renew", fmt.Sprintf("n%d", i), "control-plane", "")
				plan.Steps = append(plan.Steps, s)
				for _, bracket := range []*providers.Bracket{&around, &stays, &dormant} {
					bracket.Guarded = append(bracket.Guarded, s.ID)
				}
			}
			around.End = []string{guardStep("raise")}
			plan.Brackets = []providers.Bracket{around, stays, dormant}
			plan.Request.Desired.Resources = []config.Declared{{Type: "sim", Name: "guard", Value: moody{}}}
			input := providers.Input{World: facts.World{Nodes: map[string]*facts.Node{"g1": {Name: "g1", System: facts.System{Hostname: "g1"}}}}}
			e := &apply.Executor{
				Effects:    map[string]providers.Effect{"sim.label": steady{}, "sim.renew": steady{}},
				Operations: map[string]providers.Operation{"sim.label": nothing{}, "sim.renew": nothing{}},
				Observe:    func(context.Context, ...providers.Step) (providers.Input, error) { return input, nil },
				Identify:   func(context.Context) (planner.Identity, error) { return planner.Identity{}, nil },
				Journal:    deafJournal{},
				Now:        func() time.Time { return due },
			}
			for b.Loop() {
				if result, err := e.Run(b.Context(), plan); err != nil || result.Outcome != apply.Complete {
					b.Fatal(result.Outcome, err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/step")
		})
	}
}
