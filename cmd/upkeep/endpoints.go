package main

import (
	"upkeep/config"
	"upkeep/providers/backup"
	"upkeep/providers/observe"
)

// endpointsOf returns the etcds that a configuration names. They are one cluster's, whichever block names them.
func endpointsOf(desired config.Desired) (out []observe.Endpoint) {
	for _, spec := range backup.Declared(desired) {
		for _, e := range spec.Endpoints {
			out = append(out, observe.Endpoint{EtcdEndpoint: e, Through: spec.Nodes})
		}
	}
	return out
}
