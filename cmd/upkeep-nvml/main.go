// Command upkeep-nvml asks NVIDIA's libraries what they know of this node's GPUs, and prints the answer as one
// line of JSON. Where it cannot, the field "unknown" says why; the exit status is 0 either way, because "this
// machine has no NVML" is an answer.
//
//	upkeep-nvml [LIBRARY]        the management library (NVML), libnvidia-ml.so.1: prints facts.NVML
//	upkeep-nvml -cuda [LIBRARY]  cuInit and cuDeviceGetCount of libcuda.so.1: prints facts.CUDA
//
// It is a program of its own because everything that links go-nvml needs cgo, and dies at start on a machine
// without NVML unless it is linked with -ldflags=-extldflags=-Wl,-z,lazy. It must be built with that flag (the
// Makefile does). Both libraries can also hang in the driver, or end the process. So the two questions are two
// runs of it, for each of which the helper sets a time limit.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"upkeep/providers/facts"
)

func main() {
	args := os.Args[1:]
	cuda := len(args) > 0 && args[0] == "-cuda"
	if cuda {
		args = args[1:]
	}
	library := ""
	switch len(args) {
	case 0:
	case 1:
		library = args[0]
	default:
		fmt.Fprintln(os.Stderr, "usage: upkeep-nvml [-cuda] [LIBRARY]")
		os.Exit(1)
	}
	var answer any
	if cuda {
		answer = compute(library)
	} else {
		answer = observe(library)
	}
	if err := json.NewEncoder(os.Stdout).Encode(answer); err != nil {
		fmt.Fprintln(os.Stderr, "upkeep-nvml:", err)
		os.Exit(1)
	}
}

// unknown is the answer of a machine that cannot be asked. The problem is one of the constants facts.NVML...
func unknown(problem, format string, a ...any) facts.NVML {
	return facts.NVML{Kind: problem, Unknown: fmt.Sprintf(format, a...)}
}
