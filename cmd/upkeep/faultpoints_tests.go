//go:build faultpoints

package main

import (
	"os"

	"upkeep/fixtures/faultpoints"
	"upkeep/state/durable"
)

// faultPoints are those of a program that was built for tests alone: in the directory that the environment names.
func faultPoints() durable.Tracer { return faultpoints.In(os.Getenv("UPKEEP_FAULTPOINTS")) }
