package providers

import "upkeep/config"

// Declared returns the resources of one type that a configuration declares, in its order; Declared[Resource] all of
// them.
func Declared[R any](desired config.Desired) []R {
	var out []R
	for _, declared := range desired.Resources {
		if resource, ok := declared.Value.(R); ok {
			out = append(out, resource)
		}
	}
	return out
}
