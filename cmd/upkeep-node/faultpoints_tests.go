//go:build faultpoints

package main

import "upkeep/fixtures/faultpoints"

// faultPoints are those of a program that was built for tests alone. Neither ssh nor systemd hands a unit the
// environment of the test, so that the directory is fixed.
func faultPoints() func(string) { return faultpoints.In(faultDirectory) }

const faultDirectory = "/run/upkeep-faultpoints"

// faultPlaces are where a unit writes down that it has reached one.
func faultPlaces() []string { return []string{faultDirectory} }
