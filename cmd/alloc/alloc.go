// Package alloc makes a program that lives for milliseconds end before it collects garbage for the first time.
//
// Programs that link Helm, client-go and gRPC allocate many megabytes of tables before main begins, all of which stay, and the
// collector looks at them three times: a quarter of the processor time of `upkeep version`. With this package imported the first
// collection waits until the heap has 32 MiB; from then on the collector works as always. Where GOGC is set, that is obeyed.
//
// It is a module of its own for the sake of its name. Go initialises packages in the order of their import paths, as far as their
// own imports are ready (the specification, "Program initialization", since Go 1.21): a path within the module upkeep would come
// last, after those tables, and one that begins with "a" comes as soon as package os is there, before the tables of Kubernetes.
package alloc

import (
	"os"
	"runtime"
	"runtime/debug"
)

// first is the percentage with which the first collection comes at 32 MiB: the runtime's least heap is 4 MiB at 100 percent
// (runtime/mgcpacer.go, heapMinimum).
const first = 800

func init() {
	if os.Getenv("GOGC") != "" {
		return
	}
	usual := debug.SetGCPercent(first)
	// Nothing refers to the object, so it is gone with the first collection.
	runtime.AddCleanup(new([64]byte), func(percent int) { debug.SetGCPercent(percent) }, usual)
}
