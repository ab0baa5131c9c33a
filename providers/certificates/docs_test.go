package certificates_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers"
	"upkeep/providers/certificates"
)

var update = flag.Bool("update", false, "write the pages of the findings anew")

// TestFindingPages keeps docs/findings fresh: a page for each finding of this domain.
func TestFindingPages(t *testing.T) {
	for _, doc := range certificates.Type().Findings {
		path := filepath.Join("..", "..", "docs", "findings", doc.ID+".md")
		want := page(doc)
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Errorf("%v; run go test ./providers/certificates -update", err)
			continue
		}
		if d := cmp.Diff(want, string(got)); d != "" {
			t.Errorf("%s is stale; run go test ./providers/certificates -update\n%s", path, d)
		}
	}
}

func page(doc providers.FindingDoc) string {
	var b strings.Builder
	b.WriteString("# " + doc.ID + "\n\n" + doc.Title + ".\n\n")
	b.WriteString("## What it means\n\n" + doc.Meaning + "\n\n")
	b.WriteString("## What to do\n\n" + doc.Remedy + "\n")
	return b.String()
}
