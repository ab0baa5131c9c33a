//go:build linux

package fake_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"upkeep/providers/facts"
)

// gpu is what the fake has at an index.
func gpu(index int) facts.GPU {
	on := true
	return facts.GPU{
		Index: index, Name: "NVIDIA H100 80GB HBM3", UUID: fmt.Sprintf("GPU-00000000-0000-0000-0000-%012d", index),
		Serial: fmt.Sprintf("16500230000%02d", index), PCI: fmt.Sprintf("0000:%02x:00", 0x15+5*index), Device: "10de:2330",
		Fabric: facts.GPUFabric{State: "completed", Cluster: "abababab-abab-abab-abab-abababababab",
			Health: map[string]bool{"degraded bandwidth": false, "route recovery": true}},
		Recovery:    facts.GPURecovery{Action: facts.RecoveryNone},
		ECC:         facts.GPUECC{Enabled: true, Pending: true, Uncorrected: 1, Corrected: 11, UncorrectedTotal: 3, CorrectedTotal: 13},
		Remap:       facts.GPURemap{Uncorrectable: 2, Pending: true},
		MIG:         facts.GPUMIG{Enabled: true, Pending: true, Instances: 2},
		Persistence: &on,
	}
}

func answer(n int, change func([]facts.GPU)) facts.NVML {
	found := facts.NVML{Driver: "570.124.06", Library: "12.570.124.06", CUDA: "12.8", Lacks: []string{"nvmlDeviceGetGpuFabricInfo"}}
	for i := range n {
		found.GPUs = append(found.GPUs, gpu(i))
	}
	if change != nil {
		change(found.GPUs)
	}
	return found
}

func TestAsksTheLibrary(t *testing.T) {
	program := build(t, "CGO_ENABLED=1")
	nowhere := filepath.Join(t.TempDir(), "libnvidia-ml.so.1")
	text := filepath.Join(t.TempDir(), "libnvidia-ml.so.1")
	if err := os.WriteFile(text, []byte("no library"), 0o644); err != nil {
		t.Fatal(err)
	}
	old := compile(t, "nvml.c", "-DWITHOUT_UUID")
	noFabric := answer(1, func(g []facts.GPU) {
		g[0].Fabric = facts.GPUFabric{Unknown: "the library lacks nvmlDeviceGetGpuFabricInfoV"}
	})
	noFabric.Lacks = []string{"nvmlDeviceGetGpuFabricInfoV", "nvmlDeviceGetGpuFabricInfo"}
	const cannot = "the NVIDIA management library cannot be used: "
	for _, test := range []struct {
		name, library string
		want          facts.NVML
	}{
		{"eight GPUs", compile(t, "nvml.c"), answer(8, nil)},
		{"the older structure of the fabric", compile(t, "nvml.c", "-DGPUS=1", "-DFABRIC=2"), answer(1, nil)},
		{"no function for the fabric", compile(t, "nvml.c", "-DGPUS=1", "-DWITHOUT_FABRIC"), noFabric},
		{"one of eight is lost", compile(t, "nvml.c", "-DLOST=3"), answer(8, func(g []facts.GPU) {
			g[3] = facts.GPU{Index: 3, Unknown: "nvmlDeviceGetHandleByIndex: GPU is lost", Kind: facts.NVMLLost}
		})},
		{"a GPU must be reset", compile(t, "nvml.c", "-DGPUS=1", "-DRECOVERY=1"), answer(1, func(g []facts.GPU) {
			g[0].Recovery.Action = facts.RecoveryReset
		})},
		{"an action that nobody told upkeep", compile(t, "nvml.c", "-DGPUS=1", "-DRECOVERY=6"), answer(1, func(g []facts.GPU) {
			g[0].Recovery.Action = "unknown (6)"
		})},
		{"a library that lacks a function", old, facts.NVML{Kind: facts.NVMLSymbols, Unknown: cannot + old + " lacks nvmlDeviceGetUUID"}},
		{"a driver of another version", compile(t, "nvml.c", "-DINIT=18"),
			facts.NVML{Kind: facts.NVMLMismatch, Unknown: "nvmlInit: Driver/library version mismatch"}},
		{"no driver", compile(t, "nvml.c", "-DINIT=9"), facts.NVML{Kind: facts.NVMLUnloaded, Unknown: "nvmlInit: Driver Not Loaded"}},
		{"no library", nowhere, facts.NVML{Kind: facts.NVMLAbsent, Unknown: cannot + nowhere +
			": cannot open shared object file: No such file or directory"}},
		{"a text", text, facts.NVML{Kind: facts.NVMLAbsent, Unknown: cannot + text + ": file too short"}},
	} {
		t.Run(test.name, func(t *testing.T) { equal(t, ask[facts.NVML](t, program, test.library), test.want) })
	}
}

func TestComputes(t *testing.T) {
	program := build(t, "CGO_ENABLED=1")
	partial := compile(t, "cuda.c", "-DWITHOUT_COUNT")
	for _, test := range []struct {
		name, library string
		want          facts.CUDA
	}{
		{"eight devices", compile(t, "cuda.c"), facts.CUDA{Devices: 8, Version: "12.8"}},
		{"seven devices", compile(t, "cuda.c", "-DDEVICES=7"), facts.CUDA{Devices: 7, Version: "12.8"}},
		{"not ready", compile(t, "cuda.c", "-DINIT=802"), facts.CUDA{Result: facts.CUDASystemNotReady, Call: "cuInit", Version: "12.8",
			Meaning: "the system is not ready: the fabric manager has not brought up the fabric"}},
		{"another version", compile(t, "cuda.c", "-DINIT=803"), facts.CUDA{Result: facts.CUDAMismatch, Call: "cuInit", Version: "12.8",
			Meaning: "libcuda and the loaded kernel module have different versions"}},
		{"no compatibility", compile(t, "cuda.c", "-DINIT=804"), facts.CUDA{Result: facts.CUDACompat, Call: "cuInit", Version: "12.8",
			Meaning: "this GPU does not support the forward compatibility package of CUDA"}},
		{"no device", compile(t, "cuda.c", "-DINIT=100"), facts.CUDA{Result: facts.CUDANoDevice, Call: "cuInit", Version: "12.8", Meaning: "CUDA sees no device"}},
		{"unknown", compile(t, "cuda.c", "-DINIT=999"), facts.CUDA{Result: facts.CUDAUnknown, Call: "cuInit", Version: "12.8",
			Meaning: "an unknown error, often a kernel module or a device node that is missing"}},
		{"a result of the second call, in the library's words", compile(t, "cuda.c", "-DCOUNT=46"), facts.CUDA{Result: 46, Call: "cuDeviceGetCount", Version: "12.8",
			Meaning: "CUDA-capable device(s) is/are busy or unavailable"}},
		{"a result without words", compile(t, "cuda.c", "-DINIT=777"), facts.CUDA{Result: 777, Call: "cuInit", Version: "12.8",
			Meaning: "a result that libcuda has no words for"}},
		{"half a library", partial, facts.CUDA{Unknown: partial + " lacks cuDeviceGetCount"}},
		{"no library", filepath.Join(t.TempDir(), "libcuda.so.1"), facts.CUDA{Absent: true}},
	} {
		t.Run(test.name, func(t *testing.T) { equal(t, ask[facts.CUDA](t, program, "-cuda", test.library), test.want) })
	}
}

func TestMultiplies(t *testing.T) {
	program := build(t, "CGO_ENABLED=1")
	const pci = "0000:1a:00" // of device 1
	partial := compile(t, "cuda.c", "-DWITHOUT_LAUNCH")
	nowhere := filepath.Join(t.TempDir(), "libcuda.so.1")
	for _, test := range []struct {
		name, library string
		want          facts.Product
	}{
		{"right", compile(t, "cuda.c", "-O2"), facts.Product{Device: 1, PCI: pci, Right: true}},
		{"wrong in one place", compile(t, "cuda.c", "-O2", "-DWRONG=1"), facts.Product{Device: 1, PCI: pci,
			Failed: "1 of 65536 numbers are wrong: row 1, column 2 is 223972608, not 1297714432"}},
		{"another device is wrong", compile(t, "cuda.c", "-O2", "-DWRONG=2"), facts.Product{Device: 1, PCI: pci, Right: true}},
		{"nothing starts on it", compile(t, "cuda.c", "-DDEAD=1"), facts.Product{Device: 1, PCI: pci,
			Failed: "cuCtxCreate_v2 returns 46: CUDA-capable device(s) is/are busy or unavailable"}},
		{"no such device", compile(t, "cuda.c", "-DDEVICES=1"), facts.Product{Device: 1,
			Failed: "cuDeviceGet returns 101: a result that libcuda has no words for"}},
		{"not ready", compile(t, "cuda.c", "-DINIT=802"), facts.Product{Device: 1,
			Failed: "cuInit returns 802: the system is not ready: the fabric manager has not brought up the fabric"}},
		{"half a library", partial, facts.Product{Device: 1, PCI: pci, Failed: partial + " lacks cuLaunchKernel"}},
		{"no library", nowhere, facts.Product{Device: 1, Failed: "there is no " + nowhere}},
	} {
		t.Run(test.name, func(t *testing.T) {
			equal(t, ask[facts.Product](t, program, "-product=1", test.library), test.want)
		})
	}
}

// TestMocks runs the tests of the program itself with go-nvml's mocks. A test binary that links go-nvml dies at
// start on a machine without NVML unless it is linked like the program.
func TestMocks(t *testing.T) {
	if _, err := exec.LookPath("cc"); err != nil {
		t.Skip("this machine has no C compiler")
	}
	cmd := exec.Command("go", "test", "-tags=nvmlmocks", "-ldflags=-extldflags=-Wl,-z,lazy", "..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1", "CGO_CFLAGS=-O2 -g -Wno-deprecated-declarations")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "ok ") {
		t.Fatalf("%v\n%s", err, out)
	}
}

// compile compiles a library that stands for NVIDIA's.
func compile(t *testing.T, source string, options ...string) string {
	t.Helper()
	module, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/NVIDIA/go-nvml").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	library := filepath.Join(t.TempDir(), "lib.so.1")
	args := slices.Concat([]string{"-shared", "-fPIC", "-Wno-deprecated-declarations", "-I", strings.TrimSpace(string(module)) + "/pkg/nvml",
		"-o", library, "testdata/" + source}, options)
	if out, err := exec.Command("cc", args...).CombinedOutput(); err != nil {
		t.Fatalf("cc: %v\n%s", err, out)
	}
	return library
}
