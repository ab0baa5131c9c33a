// Command upkeep-nvml asks the NVIDIA management library (NVML) for the driver's version and the GPUs, and prints them
// as one line of JSON (facts.NVML). Where it cannot, the field "unknown" says why; the exit status is 0 either way,
// because "this machine has no NVML" is an answer.
//
// It is a program of its own because everything that links go-nvml needs cgo, and dies at start on a machine without
// NVML unless it is linked with -ldflags=-extldflags=-Wl,-z,lazy. It must be built with that flag (the Makefile does).
//
// An argument names the library to load instead of libnvidia-ml.so.1.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"upkeep/providers/facts"
)

func main() {
	library := ""
	switch len(os.Args) {
	case 1:
	case 2:
		library = os.Args[1]
	default:
		fmt.Fprintln(os.Stderr, "usage: upkeep-nvml [LIBRARY]")
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(observe(library)); err != nil {
		fmt.Fprintln(os.Stderr, "upkeep-nvml:", err)
		os.Exit(1)
	}
}

// unknown is the answer of a machine that cannot be asked.
func unknown(format string, a ...any) facts.NVML {
	return facts.NVML{Unknown: fmt.Sprintf(format, a...)}
}
