package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"upkeep/config"
)

// A file that has the name of a configuration and cannot be read is an error: left out without a word, whatever it
// declares would look as if nobody had wanted it.
func TestUnreadableFilesAreErrors(t *testing.T) {
	const good = "node \"cp1\" {\n  host  = \"10.0.0.11\"\n  roles = [\"control-plane\"]\n}\n"
	for name, test := range map[string]struct {
		make func(path string) error
		want string
	}{
		"a link to nothing":     {func(p string) error { return os.Symlink("absent.hcl", p) }, "is a link to absent.hcl, which does not exist"},
		"a link to itself":      {func(p string) error { return os.Symlink(filepath.Base(p), p) }, "too many levels of symbolic links"},
		"a pipe":                {func(p string) error { return syscall.Mkfifo(p, 0o600) }, "is not a regular file"},
		"a directory":           {func(p string) error { return os.Mkdir(p, 0o700) }, "is a directory, not a file"},
		"a link to a directory": {func(p string) error { return os.Symlink(t.TempDir(), p) }, "is a directory, not a file"},
	} {
		for _, suffix := range []string{config.Suffix, config.VariablesSuffix} {
			t.Run(name+" "+suffix, func(t *testing.T) {
				directory := t.TempDir()
				if err := os.WriteFile(filepath.Join(directory, "a"+config.Suffix), []byte(good), 0o600); err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(directory, "b"+suffix)
				if err := test.make(path); err != nil {
					t.Fatal(err)
				}
				_, _, diags := config.Load(directory, config.Options{})
				if !strings.Contains(diags.Error(), test.want) {
					t.Errorf("%s, want it to say %q", diags, test.want)
				}
			})
		}
	}
}

// The same holds for what an include block names.
func TestUnreadableIncludesAreErrors(t *testing.T) {
	directory := t.TempDir()
	if err := os.WriteFile(filepath.Join(directory, "a"+config.Suffix), []byte("include {\n  files = [\"more/*.upkeep.hcl\"]\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(directory, "more", "b"+config.Suffix), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(directory, "more", "c"+config.Suffix), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, diags := config.Load(directory, config.Options{})
	if !strings.Contains(diags.Error(), "is a directory, not a file") {
		t.Errorf("%v", diags)
	}
}

// Hidden files are of editors, and nobody's configuration.
func TestHiddenFilesAreLeftOut(t *testing.T) {
	directory := t.TempDir()
	if err := os.WriteFile(filepath.Join(directory, "a"+config.Suffix), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("ops@laptop.4711", filepath.Join(directory, ".#a"+config.Suffix)); err != nil {
		t.Fatal(err)
	}
	if _, _, diags := config.Load(directory, config.Options{}); diags.HasErrors() {
		t.Errorf("%v", diags)
	}
}
