// Package fake_test runs upkeep-nvml as a program. It lies in a directory of its own because a test binary that links
// go-nvml dies at start on a machine without NVML.
package fake_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/facts"
)

func TestWithoutCgoSaysSo(t *testing.T) {
	program := build(t, "CGO_ENABLED=0")
	got := ask[facts.NVML](t, program)
	if !strings.Contains(got.Unknown, "built without cgo") {
		t.Errorf("unknown = %q, want that it was built without cgo", got.Unknown)
	}
	if got := ask[facts.CUDA](t, program, "-cuda"); !strings.Contains(got.Unknown, "built without cgo") {
		t.Errorf("unknown = %q, want that it was built without cgo", got.Unknown)
	}
}

// build builds the program as the Makefile does.
func build(t *testing.T, environment string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "upkeep-nvml")
	cmd := exec.Command("go", "build", "-ldflags=-extldflags=-Wl,-z,lazy", "-o", program, "..")
	cmd.Env = append(os.Environ(), environment, "CGO_CFLAGS=-O2 -g -Wno-deprecated-declarations")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

// ask runs the program and decodes what it printed.
func ask[T any](t *testing.T, program string, args ...string) T {
	t.Helper()
	out, err := exec.Command(program, args...).Output()
	if err != nil {
		t.Fatalf("%s: %v", program, err)
	}
	var got T
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	return got
}

func equal[T any](t *testing.T, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}
