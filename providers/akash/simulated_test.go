package akash_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/fixtures/fakeprovider"
	"upkeep/fixtures/tasks"
	"upkeep/planner"
	"upkeep/planner/apply"
	"upkeep/providers"
	"upkeep/providers/akash"
	"upkeep/providers/facts"
	"upkeep/providers/helm/values"
)

// simulated is a provider to which things happen.
type simulated struct {
	*testing.T
	dice  *rand.Rand
	world *fakeprovider.World
	spec  akash.Spec
	// kept are values that nobody mentions: they must be the same at the end.
	kept map[string]any
}

// TestSimulatedProviders is about Helm's own code and the chart's own templates: upgrades fail in them, stay pending,
// and objects vanish, for some rounds. Then two undisturbed rounds must do what is declared, with nothing else
// changed and no secret shown. What else can go wrong, kills among it, is the business of fixtures/simulation.
func TestSimulatedProviders(t *testing.T) {
	const worlds = 6
	for seed := range uint64(worlds) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { simulate(t, rand.New(rand.NewPCG(seed, 0))) })
	}
}

// pick draws one of some things.
func pick[A any](dice *rand.Rand, from ...A) A { return from[dice.IntN(len(from))] }

func simulate(t *testing.T, dice *rand.Rand) {
	version := pick(dice, "6.0.5", "9.2.2", "11.6.4", "12.1.2", "12.1.3")
	kept := map[string]any{"key": "canary-key", "keysecret": "canary-pass", "domain": "example.net", "bidpricescript": newest}
	start := values.Merge(kept, map[string]any{
		"price_target_cpu":          pick[any](dice, nil, 0.0, 1.6, "2", 0.00001),
		"price_target_gpu_mappings": pick[any](dice, nil, "", "a100=120,t4=80", "t4=80"),
	})
	w, err := fakeprovider.Open(version, start, clock)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	w.Kubernetes, w.Tenancies = kubernetes(), tenancies()
	s := &simulated{T: t, dice: dice, world: w, spec: spec(w, version, map[string]string{"a100": "120", "t4": "80"}), kept: kept}
	for range dice.IntN(5) {
		s.trouble()
	}
	if err := w.Sleep(context.Background(), time.Hour); err != nil {
		t.Fatal(err)
	}
	for _, act := range []string{"wait", "update"} {
		w.Fail(act, nil)
	}
	s.round()
	s.round()
	p := s.plan()
	if len(p.Steps) > 0 || len(ids(p.Findings)) > 0 {
		t.Fatalf("two undisturbed rounds leave %v and %+v", operationsOf(p), p.Findings)
	}
	has, _, err := w.Values(context.Background(), fakeprovider.Namespace, fakeprovider.Release)
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range kept {
		if diff := cmp.Diff(want, has[key]); diff != "" {
			t.Fatalf("%s, which nobody mentions, changed:\n%s", key, diff)
		}
	}
}

func (s *simulated) plan() planner.Plan {
	world := s.world.World(context.Background(), s.spec)
	p, err := planner.Build(planner.Request{Desired: fakeprovider.Desired(s.spec), World: world, Now: world.ObservedAt}, types())
	if err != nil {
		s.Fatal(err)
	}
	p.ID = "1"
	data, err := json.Marshal(p)
	if err != nil || strings.Contains(string(data), "canary") {
		s.Fatalf("a plan shows a secret, or %v", err)
	}
	return p
}

// round plans and applies.
func (s *simulated) round() {
	p := s.plan()
	if len(p.Steps) == 0 {
		return
	}
	record := &journalInMemory{}
	side := tasks.New(tasks.Time{At: s.world.Now, Sleep: s.world.Sleep}, 1, 2)
	e := &apply.Executor{
		Effects: akash.Type().Effects, Operations: akash.Operations(s.world.Tools(s.spec)),
		Observe: func(ctx context.Context, _ ...providers.Step) (providers.Input, error) {
			world := s.world.World(ctx, s.spec)
			return providers.Input{World: world, Now: world.ObservedAt}, nil
		},
		Identify: func(context.Context) (planner.Identity, error) { return planner.Identity{}, nil },
		Journal:  record, Now: s.world.Now, Tasks: side,
	}
	var result apply.Result
	var err error
	side.Run(func() { result, err = e.Run(context.Background(), p) })
	if err != nil {
		s.Fatal(err)
	}
	if text := fmt.Sprintf("%+v %+v", result, record.records); strings.Contains(text, "canary") {
		s.Fatalf("a run shows a secret: %s", text)
	}
}

// trouble is one thing that goes wrong, and a round in which it does.
func (s *simulated) trouble() {
	ctx := context.Background()
	trouble := pick(s.dice, "wait", "update", "pending", "meddle")
	s.Log("trouble:", trouble)
	switch trouble {
	case "wait":
		s.world.FailOnce("wait", errors.New("timed out waiting for the condition"))
	case "update":
		s.world.FailOnce("update", errors.New("the server refused"))
	case "pending": // kill -9 in the middle of Helm's upgrade: its record stays, and what it had written by then
		s.round()
		history, err := s.world.History(ctx, fakeprovider.Namespace, fakeprovider.Release)
		if err != nil {
			s.Fatal(err)
		}
		n := len(history)
		if n < 2 {
			return
		}
		at := s.world.Now().Add(-time.Minute)
		if err := s.world.SetStatus(fakeprovider.Namespace, fakeprovider.Release, history[n-1].Revision, facts.ReleasePendingUpgrade, at); err != nil {
			s.Fatal(err)
		}
		if err := s.world.SetStatus(fakeprovider.Namespace, fakeprovider.Release, history[n-2].Revision, facts.ReleaseDeployed, at.Add(-time.Hour)); err != nil {
			s.Fatal(err)
		}
		return
	case "meddle":
		if err := s.world.Delete("v1", "Service", fakeprovider.Namespace, fakeprovider.Release); err != nil {
			s.Log(err) // it was deleted before
		}
	}
	s.round()
}
