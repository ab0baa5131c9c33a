//go:build !cgo || !linux

package main

import "upkeep/providers/facts"

const withoutCgo = "this upkeep-nvml was built without cgo, which NVIDIA's libraries need; " +
	"build it on Linux with CGO_ENABLED=1 and a C compiler"

// observe, compute and product answer for a program that was built without what the libraries need.
func observe(string) facts.NVML { return unknown("", "%s", withoutCgo) }

func compute(string) facts.CUDA { return facts.CUDA{Unknown: withoutCgo} }

func product(device int, _ string) facts.Product {
	return facts.Product{Device: device, Failed: withoutCgo}
}
