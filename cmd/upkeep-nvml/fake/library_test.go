//go:build cgo && linux

package fake_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"upkeep/providers/facts"
)

func TestAsksTheLibrary(t *testing.T) {
	program := build(t, "CGO_ENABLED=1")
	nowhere := filepath.Join(t.TempDir(), "libnvidia-ml.so.1")
	old := compile(t, "-DWITHOUT_UUID")
	for _, test := range []struct {
		name, library string
		want          facts.NVML
	}{
		{"two GPUs", compile(t), facts.NVML{Driver: "570.124.06", GPUs: []facts.GPU{
			{Index: 0, Name: "NVIDIA H100 80GB HBM3", UUID: "GPU-00000000-0000-0000-0000-000000000000"},
			{Index: 1, Name: "NVIDIA H100 80GB HBM3", UUID: "GPU-00000000-0000-0000-0000-000000000001"},
		}}},
		{"a library that lacks a function", old,
			facts.NVML{Unknown: "the NVIDIA management library cannot be used: " + old + " lacks nvmlDeviceGetUUID"}},
		{"a driver of another version", compile(t, "-DINIT=18"),
			facts.NVML{Unknown: "nvmlInit: Driver/library version mismatch"}},
		{"no library", nowhere, facts.NVML{Unknown: "the NVIDIA management library cannot be used: " + nowhere +
			": cannot open shared object file: No such file or directory"}},
	} {
		t.Run(test.name, func(t *testing.T) { equal(t, ask(t, program, test.library), test.want) })
	}
}

// compile compiles a library that stands for NVML.
func compile(t *testing.T, options ...string) string {
	t.Helper()
	library := filepath.Join(t.TempDir(), "libnvidia-ml.so.1")
	args := append([]string{"-shared", "-fPIC", "-o", library, "testdata/nvml.c"}, options...)
	if out, err := exec.Command("cc", args...).CombinedOutput(); err != nil {
		t.Fatalf("cc: %v\n%s", err, out)
	}
	return library
}
