package journal_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/state/journal"
)

func plant(t *testing.T, dir, plan, lineage string) *journal.Journal {
	t.Helper()
	j, _, err := journal.Open(dir, plan, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	if lineage != "" {
		if err := j.Append(journal.Record{Kind: journal.RunStarted, Plan: plan, Digest: "sha256:ab", Lineage: lineage}); err != nil {
			t.Fatal(err)
		}
	}
	return j
}

func TestPrune(t *testing.T) {
	dir := t.TempDir()
	for plan, lineage := range map[string]string{"old1": "us", "old2": "us", "last": "us", "kept": "us", "theirs": "them", "empty": "", "open": "us", "old": "us", "broken": "us"} {
		j := plant(t, dir, plan, lineage)
		if plan != "open" {
			j.Close()
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "broken.jsonl"), []byte("nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"old1.plan", "old1.runbook.md", "last.plan", "old.more.plan", "theirs.plan", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	removed, err := journal.Prune(dir, "us", []string{"kept", "last"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"old", "old1", "old2"}, removed); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}
	var left []string
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		left = append(left, e.Name())
	}
	want := []string{".gitignore", "broken.jsonl", "empty.jsonl", "kept.jsonl", "last.jsonl", "last.plan", "notes.txt", "old.more.plan", "open.jsonl", "theirs.jsonl", "theirs.plan"}
	if diff := cmp.Diff(want, left); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

func TestPruneWithoutKnowingTheLastDoesNothing(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, "a", "us").Close()
	for _, test := range []struct {
		lineage string
		keep    []string
	}{{"us", nil}, {"", []string{"b"}}} {
		if removed, err := journal.Prune(dir, test.lineage, test.keep); err != nil || removed != nil {
			t.Errorf("removed %v, %v", removed, err)
		}
	}
	if removed, err := journal.Prune(filepath.Join(dir, "none"), "us", []string{"b"}); err != nil || removed != nil {
		t.Errorf("without a directory: %v, %v", removed, err)
	}
}
