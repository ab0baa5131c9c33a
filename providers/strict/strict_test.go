package strict_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/strict"
)

func TestYAML(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want map[string]any
		err  string
	}{
		"plain":           {"a: 1\nb: {c: x}\n", map[string]any{"a": 1.0, "b": map[string]any{"c": "x"}}, ""},
		"JSON":            {`{"a": [true]}`, map[string]any{"a": []any{true}}, ""},
		"in two mappings": {"a: {x: 1}\nb: {x: 2}\n", map[string]any{"a": map[string]any{"x": 1.0}, "b": map[string]any{"x": 2.0}}, ""},
		"nothing":         {"", nil, ""},
		"twice":           {"a: 1\nb: 2\na: 3\n", nil, `the key "a" stands twice in one mapping (line 3); remove one of the two`},
		"twice alike":     {"a: 1\na: 1\n", nil, `the key "a" stands twice in one mapping (line 2)`},
		"twice, deep":     {"x:\n- y:\n    z: 1\n    z: 2\n", nil, `the key "z" stands twice in one mapping (line 4)`},
		"twice in a flow": {`{"a": {"b": 1, "b": 2}}`, nil, `the key "b" stands twice in one mapping (line 1)`},
		"a secret twice":  {"\"p w!\": 1\n\"p w!\": 2\n", nil, `a key stands twice in one mapping (line 2)`},
		"no YAML":         {"{", nil, "yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			var got map[string]any
			err := strict.YAML([]byte(test.text), &got)
			var found *strict.TwiceError
			switch {
			case test.err == "":
				if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
					t.Errorf("%v %s", err, diff)
				}
			case err == nil || !strings.Contains(err.Error(), test.err):
				t.Errorf("%v, want %q", err, test.err)
			case errors.As(err, &found) != strings.Contains(test.err, "twice"):
				t.Errorf("%T", err)
			}
		})
	}
}
