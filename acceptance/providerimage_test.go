package acceptance

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// What the image of a provider has beside the provider: the requirements of its scripts (akash.md 3.1), and what upkeep runs to
// measure. They are this machine's own programs with the libraries that they need.
var providerTools = []string{
	"awk", "base64", "bash", "bc", "cat", "chmod", "cp", "date", "find", "grep", "head", "jq", "mkdir", "mktemp", "printenv", "rm", "sed", "sha256sum",
	"sleep", "timeout", "tr", "true",
}

// addProviderImage gives the nodes the image of the lab's provider: a program that stands for provider-services and its RPC
// node, in bash, which answers as the real ones do, and the tools that the real image has.
func (s *suite) addProviderImage(t *testing.T) {
	t.Helper()
	files := map[string]string{}
	for _, tool := range providerTools {
		path, err := exec.LookPath(tool)
		if err != nil {
			t.Fatalf("the image of the provider needs %s of this machine: %v", tool, err)
		}
		if path, err = filepath.EvalSymlinks(path); err != nil {
			t.Fatal(err)
		}
		files["/usr/bin/"+tool] = path
		addLibraries(t, files, path)
	}
	files["/bin/bash"], files["/bin/sh"] = files["/usr/bin/bash"], files["/usr/bin/bash"]
	for _, name := range []string{"provider-services", "curl"} {
		files["/usr/local/bin/"+name] = filepath.Join("testdata", "provider", name)
	}
	if err := s.lab.AddImageWith(s.ctx, providerImage, files, s.build(t, "env")); err != nil {
		t.Fatal(err)
	}
}

// libraryPath finds the paths in what ldd prints: "libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x...)".
var libraryPath = regexp.MustCompile(`(/\S+) \(0x`)

func addLibraries(t *testing.T, files map[string]string, program string) {
	t.Helper()
	out, err := exec.Command("ldd", program).Output()
	if err != nil {
		return // a static program needs none
	}
	for _, m := range libraryPath.FindAllStringSubmatch(string(out), -1) {
		path, err := filepath.EvalSymlinks(m[1])
		if err != nil {
			t.Fatal(err)
		}
		files[m[1]] = path
	}
	if _, err := os.Stat(program); err != nil {
		t.Fatal(err)
	}
}
