package model

import "testing"

// A name of a generation is one of the table of models, and of one generation.
func TestModules(t *testing.T) {
	for _, name := range append(append([]string{}, openOnly...), proprietaryOnly...) {
		if !Known(name) {
			t.Errorf("no GPU is called %s", name)
		}
		if OpenOnly(name) == ProprietaryOnly(name) {
			t.Errorf("%s works with both modules or with none", name)
		}
	}
	for _, name := range []string{"h100", "a100", "t4", "rtx4090", "l40s"} {
		if OpenOnly(name) || ProprietaryOnly(name) {
			t.Errorf("%s works with both modules", name)
		}
	}
	if !Blackwell("b200") || Blackwell("gh200") || Blackwell("h100") {
		t.Error("Blackwell takes what is none, or not what is one")
	}
}
