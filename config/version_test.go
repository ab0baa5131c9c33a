package config

import (
	"testing"

	"github.com/Masterminds/semver/v3"
	"pgregory.net/rapid"
)

func TestSatisfiable(t *testing.T) {
	for text, want := range map[string]bool{
		">= 2, < 1": false, ">= 2, < 2": false, "> 1.2.3, < 1.2.4": false, "= 1.0.0, = 1.0.1": false, "~1.2, ~1.3": false, "^1, ^2": false, "> 1, != 1.0.1, < 1.0.2": false,
		"<0.0.0": false, "< 1, > 1": false, ">= 1.2.3, <= 1.2.3": true, ">= 2, < 3": true, "~0.16": true, "0.16": true, "*": true, ">= 0.16.2": true, "< 1": true, "!= 1.0.0": true,
		"> 1.2.3, < 1.2.5": true, "< 1 || > 2": true, ">= 3, < 2 || 1.x": true, ">= 1.0.0-0, < 1.0.0": true, "> 0.0.0": true, "^1.2, != 1.2.0": true,
	} {
		c, err := semver.NewConstraint(text)
		if err != nil {
			t.Fatal(text, err)
		}
		if got := Satisfiable(c, text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// TestSatisfiableRefusesNothingThatIsThere: where a version fits, the constraint is satisfiable.
func TestSatisfiableRefusesNothingThatIsThere(t *testing.T) {
	part := rapid.StringMatching(`(>=|<=|>|<|=|!=|~|\^) [0-3]\.[0-3](\.[0-3])?`)
	rapid.Check(t, func(t *rapid.T) {
		text := part.Draw(t, "a") + ", " + part.Draw(t, "b")
		c, err := semver.NewConstraint(text)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 5 * 5 * 5 {
			v := semver.New(uint64(i/25), uint64(i/5%5), uint64(i%5), "", "")
			if c.Check(v) && !Satisfiable(c, text) {
				t.Fatalf("%s fits %q", v, text)
			}
		}
	})
}
