//go:build cgo && linux

package main

/*
#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>

typedef unsigned long long address; // CUdeviceptr

// outcome is the call that failed and its result; -1 where the library lacks the function.
typedef struct { const char *call; int result; } outcome;

#define CALL(name, type, ...) do { \
	int (*call) type = (int (*) type)dlsym(library, name); \
	if (!call) return (outcome){name, -1}; \
	int result = call(__VA_ARGS__); \
	if (result) return (outcome){name, result}; \
} while (0)

// multiply gives nothing back: the process ends after it.
static outcome multiply(void *library, int index, const char *program, unsigned rows,
	unsigned *a, unsigned *b, unsigned *c, char *pci, int length)
{
	int device;
	void *context, *module, *function;
	address on_a, on_b, on_c;
	size_t size = (size_t)rows * rows * sizeof(unsigned);
	void *arguments[] = {&on_a, &on_b, &on_c, &rows};

	CALL("cuInit", (unsigned), 0);
	CALL("cuDeviceGet", (int *, int), &device, index);
	CALL("cuDeviceGetPCIBusId", (char *, int, int), pci, length, device);
	CALL("cuCtxCreate_v2", (void **, unsigned, int), &context, 0, device);
	CALL("cuModuleLoadData", (void **, const void *), &module, program);
	CALL("cuModuleGetFunction", (void **, void *, const char *), &function, module, "product");
	CALL("cuMemAlloc_v2", (address *, size_t), &on_a, size);
	CALL("cuMemAlloc_v2", (address *, size_t), &on_b, size);
	CALL("cuMemAlloc_v2", (address *, size_t), &on_c, size);
	CALL("cuMemcpyHtoD_v2", (address, const void *, size_t), on_a, a, size);
	CALL("cuMemcpyHtoD_v2", (address, const void *, size_t), on_b, b, size);
	CALL("cuMemcpyHtoD_v2", (address, const void *, size_t), on_c, c, size);
	CALL("cuLaunchKernel", (void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **,
		void **),
		function, (rows * rows + 255) / 256, 1, 1, 256, 1, 1, 0, NULL, arguments, NULL);
	CALL("cuCtxSynchronize", (void));
	CALL("cuMemcpyDtoH_v2", (void *, address, size_t), c, on_c, size);
	return (outcome){NULL, 0};
}
*/
import "C"

import (
	"cmp"
	_ "embed"
	"fmt"
	"os"
	"unsafe"

	"upkeep/providers/facts"
)

// program is for every GPU since Maxwell (sm_50): the driver compiles it for the one that is there.
//
//go:embed product.ptx
var program string

// rows are those of the matrices: 256 KiB each, and 17 million products.
const rows = 256

// product has a device multiply two matrices of integers, and compares with what the processor makes of them. The
// sums overflow, as the device's do. It takes some 400 MiB of the GPU, for its context, and ends with the process.
func product(device int, path string) facts.Product {
	found := facts.Product{Device: device}
	l, problem := load(path)
	if l.handle == nil {
		found.Failed = cmp.Or(problem, "there is no "+l.path)
		return found
	}
	a, b, want := matrices()
	got := make([]uint32, rows*rows)
	// Without it the driver leaves what it compiled in root's home directory.
	if err := os.Setenv("CUDA_CACHE_DISABLE", "1"); err != nil {
		found.Failed = err.Error()
		return found
	}
	text := C.CString(program)
	defer C.free(unsafe.Pointer(text))
	var pci [32]C.char
	words := func(m []uint32) *C.uint { return (*C.uint)(unsafe.Pointer(&m[0])) }
	end := C.multiply(l.handle, C.int(device), text, rows, words(a), words(b), words(got), &pci[0], C.int(len(pci)))
	found.PCI = facts.PCIAddress(C.GoString(&pci[0]))
	switch call := C.GoString(end.call); {
	case end.result < 0:
		found.Failed = fmt.Sprintf("%s lacks %s", l.path, call)
	case end.result > 0:
		found.Failed = fmt.Sprintf("%s returns %d: %s", call, int(end.result), l.meaningOf(int(end.result)))
	default:
		found.Failed = differing(want, got)
		found.Right = found.Failed == ""
	}
	return found
}

// differing says how far a result is off; empty where it is right.
func differing(want, got []uint32) string {
	wrong, first := 0, 0
	for i := len(want) - 1; i >= 0; i-- {
		if want[i] != got[i] {
			wrong, first = wrong+1, i
		}
	}
	if wrong == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d numbers are wrong: row %d, column %d is %d, not %d",
		wrong, len(want), first/rows, first%rows, got[first], want[first])
}

// matrices returns two matrices that have every bit in use, and their product.
func matrices() (a, b, c []uint32) {
	a, b, c = make([]uint32, rows*rows), make([]uint32, rows*rows), make([]uint32, rows*rows)
	word := uint32(1)
	for i := range a {
		word = word*1664525 + 1013904223 // Numerical Recipes, section 7.1
		a[i] = word
		word = word*1664525 + 1013904223
		b[i] = word
	}
	for row := range rows {
		sums := c[row*rows : (row+1)*rows]
		for k, factor := range a[row*rows : (row+1)*rows] {
			for column, other := range b[k*rows : (k+1)*rows] {
				sums[column] += factor * other
			}
		}
	}
	return a, b, c
}
