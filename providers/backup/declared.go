package backup

import (
	"upkeep/config"
	"upkeep/providers"
)

// Declared returns the etcd_backup blocks of a configuration, in its order.
func Declared(desired config.Desired) []Spec { return providers.Declared[Spec](desired) }
