// Command upkeep-nvml asks NVIDIA's libraries what they know of this node's GPUs, and prints the answer as one
// line of JSON. Where it cannot, the field "unknown" says why; the exit status is 0 either way, because "this
// machine has no NVML" is an answer.
//
//	upkeep-nvml [LIBRARY]        the management library (NVML), libnvidia-ml.so.1: prints facts.NVML
//	upkeep-nvml -cuda [LIBRARY]  cuInit and cuDeviceGetCount of libcuda.so.1: prints facts.CUDA
//	upkeep-nvml -product=DEVICE [LIBRARY]
//	                             a product of two matrices on one device of CUDA: prints facts.Product
//
// It is a program of its own because everything that links go-nvml needs cgo, and dies at start on a machine
// without NVML unless it is linked with -ldflags=-extldflags=-Wl,-z,lazy. It must be built with that flag (the
// Makefile does). Both libraries can also hang in the driver, or end the process. So each question is a
// run of its own, for which the helper sets a time limit.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"

	"upkeep/providers/facts"
)

func main() {
	flags := flag.NewFlagSet("upkeep-nvml", flag.ExitOnError)
	cuda := flags.Bool("cuda", false, "ask CUDA")
	device := flags.Int("product", -1, "have this `DEVICE` of CUDA multiply two matrices")
	flags.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: upkeep-nvml [-cuda | -product=DEVICE] [LIBRARY]")
	}
	_ = flags.Parse(os.Args[1:]) // an error ends the process
	if flags.NArg() > 1 {
		flags.Usage()
		os.Exit(1)
	}
	library := flags.Arg(0)
	var answer any
	switch {
	case *device >= 0:
		answer = product(*device, library)
	case *cuda:
		answer = compute(library)
	default:
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
