package observe

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// together answers only when as many are asked as it waits for: who asks one after the other waits for ever.
type together struct {
	all   sync.WaitGroup
	mu    sync.Mutex
	asked map[string]int
}

func (a *together) Ask(_ context.Context, question facts.PublicQuestion) facts.Public {
	a.mu.Lock()
	a.asked[question.Key()]++
	a.mu.Unlock()
	a.all.Done()
	a.all.Wait()
	return facts.Public{Unknown: question.Key()}
}

// Each question is asked once, and all at the same time; without an adapter the answer is unknown.
func TestPublicQuestions(t *testing.T) {
	one, two := facts.PublicQuestion{Host: "a", Port: 1}, facts.PublicQuestion{Host: "a", Port: 1, Anonymous: true}
	needs := []providers.Needs{{Public: []facts.PublicQuestion{one, two}}, {Public: []facts.PublicQuestion{one}}}
	adapter := &together{asked: map[string]int{}}
	adapter.all.Add(2)
	for _, o := range []*Observer{{Public: adapter, Now: time.Now}, {Now: time.Now}} {
		world, err := o.Observe(t.Context(), config.Desired{}, needs)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]facts.Public{"a:1": {Unknown: "a:1"}, "a:1 without a name": {Unknown: "a:1 without a name"}}
		if o.Public == nil {
			want = map[string]facts.Public{"a:1": {Unknown: "not asked"}, "a:1 without a name": {Unknown: "not asked"}}
		}
		if d := cmp.Diff(want, world.Public); d != "" {
			t.Error(d)
		}
	}
	if d := cmp.Diff(map[string]int{"a:1": 1, "a:1 without a name": 1}, adapter.asked); d != "" {
		t.Error(d)
	}
}
