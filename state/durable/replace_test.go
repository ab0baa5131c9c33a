package durable_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/state/durable"
)

func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, content := range []string{"first and long", "second", ""} {
		var crossed []string
		if err := durable.Replace(path, []byte(content), 0o640, func(b string) { crossed = append(crossed, b) }); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != content {
			t.Errorf("got %q, %v, want %q", got, err, content)
		}
		if info, err := os.Stat(path); err != nil || info.Mode() != 0o640 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
		if diff := cmp.Diff([]string{"created", "written", "renamed", "synced"}, crossed); diff != "" {
			t.Error(diff)
		}
	}
	if err := durable.Replace(filepath.Join(t.TempDir(), "missing", "file"), nil, 0o600, nil); err == nil {
		t.Error("a missing directory was made")
	}
	for range 2 {
		if err := durable.Remove(path); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}

func TestRemoveLeftovers(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"s.json", ".s.json", ".s.json123", ".s.json9", ".s.json.lock", ".s.json12x", ".other.json1", "s.json1"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := durable.RemoveLeftovers(filepath.Join(dir, "s.json")); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if diff := cmp.Diff([]string{".other.json1", ".s.json", ".s.json.lock", ".s.json12x", "s.json", "s.json1"}, left); diff != "" {
		t.Error(diff)
	}
}
