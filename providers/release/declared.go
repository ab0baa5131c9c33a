package release

import (
	"upkeep/config"
	"upkeep/providers"
)

// Declared returns the helm_release blocks of a configuration, in its order.
func Declared(desired config.Desired) []Spec { return providers.Declared[Spec](desired) }
