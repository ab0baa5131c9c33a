package providers_test

import (
	"slices"
	"testing"

	"upkeep/config"
	"upkeep/providers"
)

type thing struct {
	providers.Resource
	name string
}

type other struct{ providers.Resource }

func TestDeclared(t *testing.T) {
	desired := config.Desired{Resources: []config.Declared{{Value: thing{name: "a"}}, {Value: other{}}, {Value: "no resource"}, {Value: thing{name: "b"}}}}
	var names []string
	for _, found := range providers.Declared[thing](desired) {
		names = append(names, found.name)
	}
	if !slices.Equal(names, []string{"a", "b"}) {
		t.Errorf("things: %v", names)
	}
	if all := providers.Declared[providers.Resource](desired); len(all) != 3 {
		t.Errorf("%d resources, want 3", len(all))
	}
	if none := providers.Declared[thing](config.Desired{}); none != nil {
		t.Errorf("of nothing: %v", none)
	}
}
