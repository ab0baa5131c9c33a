package main

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
)

// index writes the names as an index of version 2 has them.
func index(names ...string) []byte {
	text := append([]byte("DIRC"), 0, 0, 0, 2)
	text = binary.BigEndian.AppendUint32(text, uint32(len(names)))
	for _, name := range names {
		entry := append(make([]byte, 62), name...)
		entry = append(entry, make([]byte, 8-len(entry)%8)...)
		text = append(text, entry...)
	}
	return text
}

// The indexes that Git itself writes, of every version and of a work tree that has its directory elsewhere.
func TestIndexNamesOfGit(t *testing.T) {
	program, err := exec.LookPath("git")
	if err != nil {
		t.Skip("there is no git")
	}
	want := []string{"akash-archive/ns/x/1/values.yaml", "akash-archive/ns/x/2/values.yaml", "main.upkeep.hcl", strings.Repeat("n", 300) + ".json", "z"}
	for _, version := range []string{"2", "3", "4"} {
		root := t.TempDir()
		git := func(args ...string) {
			t.Helper()
			command := exec.Command(program, append([]string{"-C", root}, args...)...)
			command.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
			if out, err := command.CombinedOutput(); err != nil {
				t.Fatalf("git %v: %v\n%s", args, err, out)
			}
		}
		git("init", "-q", "--separate-git-dir="+filepath.Join(t.TempDir(), "elsewhere"))
		for _, name := range want {
			path := filepath.Join(root, name[:min(len(name), 200)])
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		git("update-index", "--index-version", version)
		git("add", ".")
		found, names := gitIndex(filepath.Join(root, "akash-archive"))
		cut := slices.Clone(want)
		for i := range cut {
			cut[i] = cut[i][:min(len(cut[i]), 200)]
		}
		if diff := cmp.Diff(cut, names); found != root || diff != "" {
			t.Errorf("version %s: root %q (-want +got):\n%s", version, found, diff)
		}
	}
}

func TestIndexNames(t *testing.T) {
	want := []string{"a", "akash-archive/ns/x/1/values.yaml", "main.upkeep.hcl", strings.Repeat("n", 10)}
	if diff := cmp.Diff(want, indexNames(index(want...))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, text := range []string{"", "DIRC", "DIRC\x00\x00\x00\x05\x00\x00\x00\x01", "DIRC\x00\x00\x00\x04\x00\x00\x00\x01" + strings.Repeat("\x00", 62) + "\x01x\x00", string(index("abc"))[:70]} {
		if got := indexNames([]byte(text)); len(got) > 0 {
			t.Errorf("%q has the names %q", text, got)
		}
	}
}

func TestTrackedSecretsAreAWarning(t *testing.T) {
	root := t.TempDir()
	directory := filepath.Join(root, "clusters", "a")
	for _, d := range []string{directory, filepath.Join(root, ".git")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	desired := config.Desired{State: config.State{Local: &config.LocalState{Path: "upkeep.state.json"}}}
	for name, test := range map[string]struct {
		tracked []string
		want    []string
	}{
		"nothing":       {[]string{"clusters/a/main.upkeep.hcl", "clusters/a/journal/.gitignore"}, nil},
		"the state":     {[]string{"clusters/a/upkeep.state.json"}, []string{"Git tracks clusters/a/upkeep.state.json,"}},
		"a journal":     {[]string{"clusters/a/journal/x.jsonl"}, []string{"Git tracks clusters/a/journal,"}},
		"another state": {[]string{"clusters/b/upkeep.state.json"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(filepath.Join(root, ".git", "index"), index(test.tracked...), 0o600); err != nil {
				t.Fatal(err)
			}
			got := warnTracked(directory, desired)
			if len(got) != len(test.want) {
				t.Fatalf("%v", got)
			}
			for i, d := range got {
				if !strings.HasPrefix(d.Detail, test.want[i]) {
					t.Errorf("%q, want %q", d.Detail, test.want[i])
				}
			}
		})
	}
}

func FuzzIndexNames(f *testing.F) {
	f.Add(index("a", "b/c"))
	four := append([]byte("DIRC\x00\x00\x00\x04\x00\x00\x00\x02"), make([]byte, 62)...)
	four = append(append(four, "\x00a/b\x00"...), make([]byte, 62)...)
	f.Add(append(four, "\x01c\x00"...))
	f.Add([]byte("DIRC\x00\x00\x00\x03\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, name := range indexNames(text) {
			if strings.ContainsRune(name, 0) || len(name) > longestName {
				t.Fatalf("%q", name)
			}
		}
	})
}
