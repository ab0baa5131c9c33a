package host_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/node/agent"
	"upkeep/providers/node/agent/host"
	"upkeep/providers/node/protocol"
)

// Every row of the table has its handler, none knows a field that its request has not, and none changes anything for nobody.
func TestEveryMethodHasItsHandler(t *testing.T) {
	dir := t.TempDir()
	handlers := host.New(host.Options{Root: dir}).Session("ops").Methods()
	var want, got []string
	for _, r := range protocol.Methods() {
		if r.Name != protocol.MethodHello { // the session's own
			want = append(want, r.Name)
		}
	}
	for _, h := range handlers {
		got = append(got, h.Method)
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("handlers (-want +got)\n%s", diff)
	}
	for _, r := range protocol.Methods() {
		i := slices.IndexFunc(handlers, func(h agent.Handler) bool { return h.Method == r.Name })
		if i < 0 {
			continue
		}
		ask := func(content string) error {
			_, err := handlers[i].Do(t.Context(), []byte(content), func(string) {})
			return err
		}
		for _, content := range []string{`{"sudo":true}`, `[]`, `{`} {
			var misunderstood *protocol.MisunderstoodError
			if err := ask(content); !errors.As(err, &misunderstood) || !strings.HasPrefix(err.Error(), r.Name+": the request is not understood: ") {
				t.Errorf("%s %s: %v", r.Name, content, err)
			}
		}
		if r.Unit != nil {
			if err := ask(`{"run":{"lineage":"l","generation":1,"sudo":true}}`); err == nil || !strings.Contains(err.Error(), `unknown field "sudo"`) {
				t.Errorf("%s: a run with more fields: %v", r.Name, err)
			}
		}
		if r.Class != protocol.ClassChange || r.Unit != nil && r.Unit.WithoutRun {
			continue
		}
		for _, content := range []string{`{}`, `{"run":{"lineage":"l"}}`, `{"run":{"generation":1}}`, `{"lineage":"l","seconds":5}`} {
			if err := ask(content); err == nil || !strings.Contains(err.Error(), "names no run") && !strings.Contains(err.Error(), "unknown field") {
				t.Errorf("%s %s: %v", r.Name, content, err)
			}
		}
	}
}
