package values_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"upkeep/providers/helm/values"
)

type tree = values.Tree

func mac(data []byte) string { return strings.ToUpper(string(data[:min(3, len(data))])) + "…" }

func TestMerge(t *testing.T) {
	for _, test := range []struct {
		name               string
		kept, wanted, want tree
	}{
		{"nothing is wanted", tree{"a": 1.0}, nil, tree{"a": 1.0}},
		{"nothing was there", nil, tree{"a": 1.0}, tree{"a": 1.0}},
		{"maps are merged", tree{"m": tree{"a": 1.0, "b": 2.0}}, tree{"m": tree{"b": 3.0}}, tree{"m": tree{"a": 1.0, "b": 3.0}}},
		{"lists are replaced", tree{"l": []any{1.0, 2.0}}, tree{"l": []any{3.0}}, tree{"l": []any{3.0}}},
		{"a scalar replaces a map", tree{"m": tree{"a": 1.0}}, tree{"m": "x"}, tree{"m": "x"}},
		{"a map replaces a scalar", tree{"m": "x"}, tree{"m": tree{"a": 1.0}}, tree{"m": tree{"a": 1.0}}},
		{"a null stays", tree{"a": 1.0}, tree{"a": nil}, tree{"a": nil}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, values.Merge(test.kept, test.wanted)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRemove(t *testing.T) {
	from := tree{"a": tree{"b": 1.0, "c": 2.0}, "d.e": 3.0, "f": tree{"g": tree{"h": 1.0}}}
	got := values.Remove(from, []string{"a.b", `d\.e`, "f.g.h", "not.there", "a.c.too.deep"})
	if diff := cmp.Diff(tree{"a": tree{"c": 2.0}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(from) != 3 {
		t.Error("Remove wrote into its argument")
	}
}

func TestDiff(t *testing.T) {
	before := tree{"same": 1.0, "changed": "a", "gone": true, "null": nil, "m": tree{"x": 1.0, "y": tree{"z": 1.0}}, "empty": tree{}, "type": "1"}
	after := tree{"same": 1.0, "changed": "b", "new": []any{1.0}, "m": tree{"x": 2.0}, "type": 1.0, "k.l": 0.0}
	want := []values.Change{
		{Path: "changed", Before: "a", After: "b", Had: true, Has: true},
		{Path: "empty", Before: tree{}, Had: true},
		{Path: "gone", Before: true, Had: true},
		{Path: `k\.l`, After: 0.0, Has: true},
		{Path: "m.x", Before: 1.0, After: 2.0, Had: true, Has: true},
		{Path: "m.y.z", Before: 1.0, Had: true},
		{Path: "new", After: []any{1.0}, Has: true},
		{Path: "null", Had: true},
		{Path: "type", Before: "1", After: 1.0, Had: true, Has: true},
	}
	if diff := cmp.Diff(want, values.Diff(before, after)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNormalize(t *testing.T) {
	got, err := values.Normalize(tree{"a": 1, "b": int64(2), "c": map[string]string{"d": "e"}, "l": []string{"x"}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(tree{"a": 1.0, "b": 2.0, "c": tree{"d": "e"}, "l": []any{"x"}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := values.Normalize(tree{"f": func() {}}); err == nil {
		t.Error("a function is a value")
	}
}

func TestGet(t *testing.T) {
	in := tree{"a": tree{"b.c": []any{"x", tree{"d": nil}}}}
	for at, want := range map[string]any{`a.b\.c.0`: "x", `a.b\.c.1.d`: nil} {
		if got, ok := values.Get(in, at); !ok || got != want {
			t.Errorf("%s: %v, %v", at, got, ok)
		}
	}
	for _, at := range []string{"a.b", `a.b\.c.2`, `a.b\.c.-1`, `a.b\.c.0.y`, "z"} {
		if got, ok := values.Get(in, at); ok {
			t.Errorf("%s: %v", at, got)
		}
	}
}

func trees() *rapid.Generator[tree] {
	leaf := rapid.OneOf(rapid.Just[any](nil), rapid.Map(rapid.SampledFrom([]string{"", "x", "hello"}), func(s string) any { return s }),
		rapid.Map(rapid.IntRange(0, 3), func(i int) any { return float64(i) }), rapid.Map(rapid.Bool(), func(b bool) any { return b }))
	keys := rapid.SampledFrom([]string{"a", "b", "c.d", `e\`, "password"})
	level := rapid.MapOfN(keys, leaf, 0, 4)
	for range 2 {
		below := level
		level = rapid.MapOfN(keys, rapid.OneOf(leaf, rapid.Map(below, func(m map[string]any) any { return m }),
			rapid.Map(rapid.SliceOfN(leaf, 0, 2), func(l []any) any { return l })), 0, 4)
	}
	return level
}

func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kept, wanted := trees().Draw(t, "kept"), trees().Draw(t, "wanted")
		frozen, _ := json.Marshal([]any{kept, wanted})
		merged := values.Merge(kept, wanted)
		if diff := cmp.Diff(merged, values.Merge(merged, wanted)); diff != "" {
			t.Fatalf("merging twice is not merging once:\n%s", diff)
		}
		if len(values.Diff(merged, merged)) != 0 {
			t.Fatal("a tree differs from itself")
		}
		for _, change := range values.Diff(kept, merged) {
			if diff := cmp.Diff(change.Path, values.Path(values.Segments(change.Path))); diff != "" {
				t.Fatalf("path does not survive:\n%s", diff)
			}
			if got, has := values.Get(merged, change.Path); has != change.Has || !cmp.Equal(got, change.After) {
				t.Fatalf("%s is %v, %v; the change says %+v", change.Path, got, has, change)
			}
			if got, had := values.Get(kept, change.Path); had != change.Had || !cmp.Equal(got, change.Before) {
				t.Fatalf("%s was %v, %v; the change says %+v", change.Path, got, had, change)
			}
		}
		// Masking hides no difference and invents none. A map at the path of a secret is one difference.
		seal := func(data []byte) string { return string(data) }
		plain := values.Diff(kept, merged)
		for _, hide := range []values.Rule{{Show: []string{"b"}}, {Secret: []string{"a"}, Show: []string{"b"}}} {
			masked := values.Diff(values.Mask(kept, hide, seal), values.Mask(merged, hide, seal))
			if (len(plain) == 0) != (len(masked) == 0) || len(plain) != len(masked) && hide.Secret == nil {
				t.Fatalf("%d differences, %d masked ones", len(plain), len(masked))
			}
		}
		if after, _ := json.Marshal([]any{kept, wanted}); string(after) != string(frozen) {
			t.Fatal("an argument was written into")
		}
	})
}
