package akash

import (
	"upkeep/config"
	"upkeep/providers"
)

// Declared returns the akash_provider blocks of a configuration, in its order.
func Declared(desired config.Desired) []Spec { return providers.Declared[Spec](desired) }
