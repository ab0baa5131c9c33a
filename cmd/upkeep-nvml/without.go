//go:build !cgo || !linux

package main

import "upkeep/providers/facts"

// observe answers for a program that was built without what NVML needs.
func observe(string) facts.NVML {
	return unknown("this upkeep-nvml was built without cgo, which NVML needs; build it on Linux with CGO_ENABLED=1 and a C compiler")
}
