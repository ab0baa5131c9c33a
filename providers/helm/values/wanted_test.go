package values

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"upkeep/config"
)

func testMAC(data []byte) string { return fmt.Sprintf("%x", len(data)) + string(data[:1]) }

// trees draws trees of values whose keys look like those of charts, some like secrets'.
func trees() *rapid.Generator[Tree] {
	key := rapid.SampledFrom([]string{"image", "tag", "password", "api_key", "a.b", `back\slash`, "list", "x*"})
	leaf := rapid.OneOf(
		rapid.Map(rapid.SampledFrom([]string{"", "text", "t0ken", "<&>"}), func(s string) any { return s }),
		rapid.Map(rapid.SampledFrom([]float64{0, 1.5, 1e21}), func(f float64) any { return f }),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Just(any(nil)),
	)
	node := leaf
	for range 3 {
		below := node
		node = rapid.OneOf(leaf,
			rapid.Map(rapid.MapOfN(key, below, 0, 3), func(m map[string]any) any { return m }),
			rapid.Map(rapid.SliceOfN(below, 0, 3), func(l []any) any { return l }))
	}
	return rapid.MapOfN(key, node, 0, 4)
}

// TestPartIsWhatObservationMasks: a block that wants what the release has finds nothing to change, wherever the secrets
// are: its seals stand where observation puts them.
func TestPartIsWhatObservationMasks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree := trees().Draw(t, "tree")
		var sensitive [][]string
		for _, c := range Diff(nil, tree) {
			if rapid.IntRange(0, 3).Draw(t, "sensitive") == 0 {
				sensitive = append(sensitive, Segments(c.Path))
			}
		}
		w := Part(tree, sensitive)
		w, err := w.Seal(w, testMAC)
		if err != nil {
			t.Fatal(err)
		}
		release, err := Normalize(tree)
		if err != nil {
			t.Fatal(err)
		}
		observed := Mask(release, Rule{Secret: w.Paths(), Show: w.Show(), Known: w.Known(), Keys: w.Keys()}, testMAC)
		if changes := Diff(observed, Merge(observed, w.Masked())); len(changes) > 0 {
			t.Fatalf("the release has what is wanted, and %+v differs", changes)
		}
		if diff := cmp.Diff(release, w.All()); diff != "" {
			t.Fatalf("what is written (-wanted +got):\n%s", diff)
		}
		back, err := w.Reveal(w.Masked())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(release, back); diff != "" {
			t.Fatalf("what is written at apply (-wanted +got):\n%s", diff)
		}
	})
}

// TestRevealRefusesStrangeSeals: what stands for a secret is never written as a value.
func TestRevealRefusesStrangeSeals(t *testing.T) {
	w := Wanted{Sealed: map[string]string{"token": "hmac:1"}, secrets: map[string]config.Secret{"token": config.NewSecret(`"canary"`)}}
	for name, planned := range map[string]Tree{
		"another seal":      {"token": "hmac:2"},
		"no seal":           {},
		"a seal too many":   {"token": "hmac:1", "other": "hmac:3"},
		"one below another": {"token": map[string]any{"a": "hmac:1"}},
	} {
		if out, err := w.Reveal(planned); err == nil {
			t.Errorf("%s: %v", name, out)
		}
	}
	if out, err := w.Reveal(Tree{"token": "hmac:1"}); err != nil || out["token"] != "canary" {
		t.Errorf("%v, %v", out, err)
	}
}
