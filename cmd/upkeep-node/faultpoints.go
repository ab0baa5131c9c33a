//go:build !faultpoints

package main

// faultPlaces are none, as faultPoints are.
func faultPlaces() []string { return nil }

// faultPoints are none: see faultpoints_tests.go.
func faultPoints() func(string) { return nil }
