//go:build !faultpoints

package main

import "upkeep/state/durable"

// faultPoints are none: see faultpoints_tests.go.
func faultPoints() durable.Tracer { return nil }
