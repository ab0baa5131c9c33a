package planner_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/planner"
)

var update = flag.Bool("update", false, "write the pages of the findings anew")

// TestFindingPages keeps docs/findings fresh: a page for each finding that belongs to no domain.
func TestFindingPages(t *testing.T) {
	for _, doc := range planner.FindingDocs() {
		path := filepath.Join("..", "docs", "findings", doc.ID+".md")
		want := "# " + doc.ID + "\n\n" + doc.Title + ".\n\n## What it means\n\n" + doc.Meaning + "\n\n## What to do\n\n" + doc.Remedy + "\n"
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := os.ReadFile(path)
		if diff := cmp.Diff(want, string(got)); diff != "" || err != nil {
			t.Errorf("%s is stale (%v); run go test ./planner -update\n%s", path, err, diff)
		}
	}
}
