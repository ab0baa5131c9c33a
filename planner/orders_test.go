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
	out, err := diff([]providers.Resource{a, b}, providers.Input{}, startsOf(metas{}))
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

// TestUnguarded: a waived guard is no refusal; a consent that nobody gave is a refusal that says what to type.
func TestUnguarded(t *testing.T) {
	step := providers.Step{
		ID: "a/work", Address: providers.Address{Type: "ordered", Name: "a"}, Guards: []providers.Need{{Name: "backup", Waived: "no etcd here"}},
		Consents: []providers.Consent{{Rule: "max_change", Demands: "no price changed by more than 20%"}},
	}
	refusals, lifted := domains{}.unguarded([]providers.Step{step}, nil, nil)
	want := []string{
		`1 step of ordered.a would break the rule "max_change" (no price changed by more than 20%); apply with -override='max_change=REASON', or change what the block of ordered.a allows`,
	}
	if diff := cmp.Diff(want, refusals); diff != "" || len(lifted) > 0 {
		t.Errorf("lifted %v (-want +got):\n%s", lifted, diff)
	}
	given := Override{Rule: "max_change", Reason: "a sale"}
	refusals, lifted = domains{}.unguarded([]providers.Step{step}, nil, []Override{given})
	if diff := cmp.Diff([]Override{given}, lifted); diff != "" || len(refusals) > 0 {
		t.Errorf("with the word of a person: refusals %v, lifted (-want +got):\n%s", refusals, diff)
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
				{ID: "b/work", Address: theirs, Guards: []providers.Need{{Name: "leases"}}},
				{ID: "a/work", Address: mine, After: test.after},
			}
			b := &bracket{
				name: "leases", guarded: due[:1], ids: []string{"b/work"},
				before: []providers.Step{{ID: "a/stop", Address: mine}}, after: []providers.Step{{ID: "a/start", Address: mine}},
			}
			steps := arrange(due, []*bracket{b}).steps
			i := slices.IndexFunc(steps, func(s providers.Step) bool { return s.ID == "a/stop" })
			if diff := cmp.Diff(test.want, steps[i].After); diff != "" {
				t.Errorf("the stop waits for (-want +got):\n%s", diff)
			}
		})
	}
}
