package planner_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/providers"
)

// owing is a store whose own copy is due, whoever needs one.
type owing struct{ store }

func (o owing) Diff(in providers.Input) providers.Outcome {
	return providers.Outcome{Steps: o.Guards()["copy"].Begin(in, nil)}
}

// A step that is due by itself and begins a guard is named as such, so that it does not wait for what it guards.
func TestABeginningThatIsDueByItself(t *testing.T) {
	r := testRequest(1, func(w *widget) { w.Guards = []string{"copy"} })
	before := build(t, r)
	r.Desired.Resources[1] = config.Declared{Type: "vault", Name: "main", Position: r.Desired.Resources[1].Position, Value: owing{}}
	after := build(t, r)
	due := func(p planner.Plan) (out []string) {
		for _, b := range p.Brackets {
			out = append(out, b.Due...)
		}
		return out
	}
	if diff := cmp.Diff([]string(nil), due(before)); diff != "" {
		t.Errorf("nothing is due by itself (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"vault.main/copy-begin"}, due(after)); diff != "" {
		t.Errorf("the copy is due (-want +got):\n%s", diff)
	}
}
