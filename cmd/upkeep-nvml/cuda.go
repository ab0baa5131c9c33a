//go:build cgo && linux

package main

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>

// Function pointers cannot be called from Go.
static int call_flags(void *f, unsigned flags) { return ((int (*)(unsigned))f)(flags); }
static int call_number(void *f, int *out) { return ((int (*)(int *))f)(out); }
static int call_text(void *f, int result, const char **out) { return ((int (*)(int, const char **))f)(result, out); }
*/
import "C"

import (
	"fmt"
	"strings"
	"unsafe"

	"upkeep/providers/facts"
)

// defaultCUDA is the name that the driver's packages install.
const defaultCUDA = "libcuda.so.1"

// libcuda is NVIDIA's library, as far as it could be loaded.
type libcuda struct {
	handle unsafe.Pointer
	path   string
}

// load loads libcuda. Where it cannot, handle is nil and the reason is there; the reason is empty where there is none.
func load(path string) (l libcuda, problem string) {
	if l.path = path; path == "" {
		l.path = defaultCUDA
	}
	name := C.CString(l.path)
	defer C.free(unsafe.Pointer(name))
	if l.handle = C.dlopen(name, C.RTLD_LAZY|C.RTLD_LOCAL); l.handle != nil {
		return l, ""
	}
	reason := C.GoString(C.dlerror())
	// glibc has no number for it.
	if strings.Contains(reason, "No such file or directory") && strings.HasPrefix(reason, l.path+":") {
		return l, ""
	}
	return l, "libcuda cannot be loaded: " + reason
}

// find returns a function; nil where the library lacks it.
func (l libcuda) find(symbol string) unsafe.Pointer {
	c := C.CString(symbol)
	defer C.free(unsafe.Pointer(c))
	return C.dlsym(l.handle, c)
}

// meaningOf falls back on the library's own words.
func (l libcuda) meaningOf(result int) string {
	if m := meaning(result); m != "" {
		return m
	}
	var words *C.char
	if f := l.find("cuGetErrorString"); f != nil && C.call_text(f, C.int(result), &words) == 0 && words != nil {
		return C.GoString(words)
	}
	return "a result that libcuda has no words for"
}

// compute does what every program that computes does first: cuInit, then cuDeviceGetCount. It makes no context,
// so that it takes no memory of a GPU and no place of a process. CUDA's driver interface has no function that
// ends it.
func compute(path string) facts.CUDA {
	l, problem := load(path)
	if l.handle == nil {
		return facts.CUDA{Absent: problem == "", Unknown: problem}
	}
	functions := map[string]unsafe.Pointer{}
	for _, symbol := range []string{"cuInit", "cuDeviceGetCount", "cuDriverGetVersion"} {
		if functions[symbol] = l.find(symbol); functions[symbol] == nil {
			return facts.CUDA{Unknown: fmt.Sprintf("%s lacks %s", l.path, symbol)}
		}
	}
	var found facts.CUDA
	var number C.int
	if C.call_number(functions["cuDriverGetVersion"], &number) == 0 {
		found.Version = release(int(number))
	}
	if r := int(C.call_flags(functions["cuInit"], 0)); r != 0 {
		found.Result, found.Call, found.Meaning = r, "cuInit", l.meaningOf(r)
		return found
	}
	number = 0
	if r := int(C.call_number(functions["cuDeviceGetCount"], &number)); r != 0 {
		found.Result, found.Call, found.Meaning = r, "cuDeviceGetCount", l.meaningOf(r)
		return found
	}
	found.Devices = int(number)
	return found
}

// meaning explains the results (CUresult of the CUDA driver API) that a node's own state causes; empty for others.
func meaning(result int) string {
	switch result {
	case facts.CUDANoDevice:
		return "CUDA sees no device"
	case facts.CUDASystemNotReady:
		return "the system is not ready: the fabric manager has not brought up the fabric"
	case facts.CUDAMismatch:
		return "libcuda and the loaded kernel module have different versions"
	case facts.CUDACompat:
		return "this GPU does not support the forward compatibility package of CUDA"
	case facts.CUDAUnknown:
		return "an unknown error, often a kernel module or a device node that is missing"
	}
	return ""
}
