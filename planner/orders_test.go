package planner

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers"
)

// ordered is a resource that plans some steps and orders them among those of others.
type ordered struct {
	name   string
	steps  []string
	orders []providers.Order
	owns   []string
}

func (o ordered) Address() providers.Address {
	return providers.Address{Type: "ordered", Name: o.name}
}
func (ordered) Needs() providers.Needs { return providers.Needs{} }
func (o ordered) Owns() []string       { return o.owns }
func (o ordered) Diff(providers.Input) providers.Outcome {
	out := providers.Outcome{Orders: o.orders}
	for _, id := range o.steps {
		out.Steps = append(out.Steps, providers.Step{ID: id, Address: o.Address()})
	}
	return out
}

func TestOrders(t *testing.T) {
	other := providers.Address{Type: "ordered", Name: "b"}
	a := ordered{name: "a", steps: []string{"a/first", "a/last"}, orders: []providers.Order{
		{Step: "a/first", Before: other}, {Step: "a/last", After: other}, {Step: "a/last", After: providers.Address{Type: "ordered", Name: "absent"}},
	}}
	b := ordered{name: "b", steps: []string{"b/one", "b/two"}}
	out, err := diff([]providers.Resource{a, b}, providers.Input{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, step := range out.Steps {
		got[step.ID] = strings.Join(step.After, " ")
	}
	want := map[string]string{"a/first": "", "a/last": "b/one b/two", "b/one": "a/first", "b/two": "a/first"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("after (-want +got):\n%s", diff)
	}
}

func TestOwners(t *testing.T) {
	a, b := ordered{name: "a", owns: []string{"release n/r"}}, ordered{name: "b", owns: []string{"release n/s"}}
	got, err := owners([]providers.Resource{a, b})
	if diff := cmp.Diff(map[string]providers.Address{"release n/r": a.Address(), "release n/s": b.Address()}, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	b.owns = a.owns
	if _, err := owners([]providers.Resource{a, b}); err == nil || !strings.Contains(err.Error(), "ordered.a and ordered.b are both for release n/r") {
		t.Errorf("%v", err)
	}
}

// TestWaivedGuards: a reason that names guards goes without these alone.
func TestWaivedGuards(t *testing.T) {
	step := providers.Step{Guards: []string{"backup", "max_change"}, GuardNone: "no etcd here", Waived: []string{"backup"}}
	if diff := cmp.Diff([]string{"max_change"}, needs(step)); diff != "" {
		t.Errorf("needs (-want +got):\n%s", diff)
	}
	refusals, warnings, _ := domains{}.unguarded([]providers.Step{step}, nil, nil)
	if len(refusals) != 1 || !strings.Contains(refusals[0], `rule "max_change"`) || len(warnings) != 1 || !strings.Contains(warnings[0], `without the guard "backup", guard_none = "no etcd here"`) {
		t.Errorf("refusals %q, warnings %q", refusals, warnings)
	}
	step.Waived = nil
	if got := needs(step); len(got) > 0 {
		t.Errorf("a reason that names no guard leaves %v", got)
	}
}

// TestOwnFirst: whoever is stopped for others' work does its own before, unless that waits for theirs.
func TestOwnFirst(t *testing.T) {
	mine, theirs := providers.Address{Type: "ordered", Name: "a"}, providers.Address{Type: "ordered", Name: "b"}
	for _, test := range []struct {
		name  string
		after []string // of the own work
		want  []string // what the stop waits for
	}{
		{"own work", nil, []string{"a/work"}},
		{"own work that waits for theirs", []string{"b/work"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			due := []providers.Step{
				{ID: "b/work", Address: theirs, Guards: []string{"leases"}},
				{ID: "a/work", Address: mine, After: test.after},
			}
			b := &bracket{
				name: "leases", guarded: due[:1], ids: []string{"b/work"},
				before: []providers.Step{{ID: "a/stop", Address: mine}}, after: []providers.Step{{ID: "a/start", Address: mine, Ends: "leases"}},
			}
			steps, _ := arrange(due, []*bracket{b})
			i := slices.IndexFunc(steps, func(s providers.Step) bool { return s.ID == "a/stop" })
			if diff := cmp.Diff(test.want, steps[i].After); diff != "" {
				t.Errorf("the stop waits for (-want +got):\n%s", diff)
			}
		})
	}
}
