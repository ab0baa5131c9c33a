package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
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

func TestIndexNames(t *testing.T) {
	want := []string{"a", "akash-archive/ns/x/1/values.yaml", "main.upkeep.hcl", strings.Repeat("n", 10)}
	if diff := cmp.Diff(want, indexNames(index(want...))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, text := range []string{"", "DIRC", "DIRC\x00\x00\x00\x04\x00\x00\x00\x01", string(index("abc"))[:70]} {
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
	f.Add([]byte("DIRC\x00\x00\x00\x03\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, name := range indexNames(text) {
			if strings.ContainsRune(name, 0) || len(name) > len(text) {
				t.Fatalf("%q", name)
			}
		}
	})
}
