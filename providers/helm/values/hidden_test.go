package values_test

import (
	"testing"

	"upkeep/providers/helm/values"
)

// A secret that comes or goes is no other secret: "another one" needs one before and one after.
func TestHidden(t *testing.T) {
	for _, test := range []struct {
		name          string
		had, has      bool
		before, after string
	}{
		{"changed", true, true, "(sensitive)", "(sensitive), another one"},
		{"set", false, true, "", "(sensitive)"},
		{"removed", true, false, "(sensitive)", ""},
	} {
		if before, after := (values.Change{Had: test.had, Has: test.has}).Hidden(); before != test.before || after != test.after {
			t.Errorf("%s: %q -> %q, want %q -> %q", test.name, before, after, test.before, test.after)
		}
	}
}
