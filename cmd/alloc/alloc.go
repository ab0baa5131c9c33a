// Package alloc says when garbage is collected: not at all in a program that lives for milliseconds, and early in one
// with much memory.
//
// Programs that link Helm, client-go and gRPC allocate many megabytes of tables before main begins, all of which stay, and the
// collector looks at them three times: a quarter of the processor time of `upkeep version`. With this package imported the first
// collection waits until the heap has 32 MiB; from then on the collector works as always, until large bytes are in use. A plan of
// 10,000 nodes keeps 200 MiB, and as much again would be garbage; with less, it collects a few times more. Where GOGC is set, that
// is obeyed.
//
// It is a module of its own for the sake of its name. Go initialises packages in the order of their import paths, as far as their
// own imports are ready (the specification, "Program initialization", since Go 1.21): a path within the module upkeep would come
// last, after those tables, and one that begins with "a" comes as soon as package os is there, before the tables of Kubernetes.
package alloc

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// first is the percentage with which the first collection comes at 32 MiB: the runtime's least heap is 4 MiB at 100
	// percent (runtime/mgcpacer.go, heapMinimum).
	first = 800
	// large is from how many bytes in use on the percentage is spare.
	large = 64 << 20
	spare = 40
)

func init() {
	if os.Getenv("GOGC") == "" {
		after(debug.SetGCPercent(first))
	}
}

// after sets the percentage after the next collection: nothing refers to the object, so it is gone then.
func after(usual int) {
	runtime.AddCleanup(new([64]byte), func(usual int) {
		debug.SetGCPercent(percentage(inUse(), usual))
		after(usual)
	}, usual)
}

// percentage is how much garbage may come until the next collection, in percent of what is in use.
func percentage(used uint64, usual int) int {
	if used < large {
		return usual
	}
	return spare
}

func inUse() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
