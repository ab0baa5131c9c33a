package node

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// bootstrapped runs the bootstrap of a helper that only says its arguments, and returns what it says and which programs
// the shell started before the helper, sorted.
func bootstrapped(t *testing.T, directory, input string) (said string, programs []string) {
	t.Helper()
	sum := sha256.Sum256([]byte(stub))
	digest := hex.EncodeToString(sum[:])
	c := exec.Command("/bin/sh", "-x", "-c", bootstrap(), "upkeep", "nonce", directory, digest, digest, "-word")
	c.Stdin = strings.NewReader(input)
	var out, trace bytes.Buffer
	c.Stdout, c.Stderr = &out, &trace
	_ = c.Run() // what it says tells
	for _, m := range regexp.MustCompile(`(?m)^\++ ([a-z0-9]+)( |$)`).FindAllStringSubmatch(trace.String(), -1) {
		if slices.Contains([]string{"id", "uname", "stat", "mkdir", "chmod", "rm", "mv", "sync", "head", "mktemp", "find", "sha256sum"}, m[1]) {
			programs = append(programs, m[1])
		}
	}
	slices.Sort(programs)
	return out.String(), programs
}

const stub = "#!/bin/sh\necho helper \"$@\"\n"

// TestABootstrapStartsFewPrograms: each program costs milliseconds on every node in every session.
func TestABootstrapStartsFewPrograms(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "helper")
	for _, test := range []struct {
		name, input, says string
		programs          []string
	}{
		{"the first session installs the helper", fmt.Sprintf("%d\n%s", len(stub), stub), "helper -nonce nonce -word\n", []string{
			"chmod", "find", "find", "find", "head", "mkdir", "mktemp", "mv", "sha256sum", "stat", "sync", "sync", "uname",
		}},
		{"the second hashes it", "", "helper -nonce nonce -word\n", []string{"mv", "sha256sum", "stat", "uname"}},
		{"every other one only looks", "", "helper -nonce nonce -word\n", []string{"stat", "uname"}},
	} {
		said, programs := bootstrapped(t, directory, test.input)
		if !strings.HasSuffix(said, test.says) {
			t.Errorf("%s: it says %q, want %q", test.name, said, test.says)
		}
		if diff := cmp.Diff(test.programs, programs); diff != "" {
			t.Errorf("%s: programs (-want +got):\n%s", test.name, diff)
		}
	}
}

// TestABootstrapLooksAgain: what others could change until now is looked at again once they no longer can.
func TestABootstrapLooksAgain(t *testing.T) {
	parent := t.TempDir()
	directory := filepath.Join(parent, "helper")
	bootstrapped(t, directory, fmt.Sprintf("%d\n%s", len(stub), stub))
	bootstrapped(t, directory, "")
	for _, test := range []struct {
		name, path string
		programs   []string
	}{
		{"the directory around was open", parent, []string{"chmod", "stat", "stat", "uname"}},
		{"the directory was open", directory, []string{"chmod", "mv", "rm", "sha256sum", "stat", "stat", "uname"}},
	} {
		if err := os.Chmod(test.path, 0o777); err != nil {
			t.Fatal(err)
		}
		said, programs := bootstrapped(t, directory, "")
		if said != "helper -nonce nonce -word\n" {
			t.Errorf("%s: it says %q", test.name, said)
		}
		if diff := cmp.Diff(test.programs, programs); diff != "" {
			t.Errorf("%s: programs (-want +got):\n%s", test.name, diff)
		}
		if info, err := os.Stat(test.path); err != nil || info.Mode().Perm()&0o022 != 0 {
			t.Errorf("%s, and is still: %v, %v", test.name, info.Mode(), err)
		}
	}
}
