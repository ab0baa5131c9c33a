//go:build !faultpoints

package main

// faultPoints are none: see faultpoints_tests.go.
func faultPoints() func(string) { return nil }
