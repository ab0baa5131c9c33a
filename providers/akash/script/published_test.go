package script

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"upkeep/providers/akash/price"
)

var (
	update = flag.Bool("update", false, "write the table of published scripts anew, from -bodies")
	bodies = flag.String("bodies", "", "the directory of published bodies, named COMMIT.sh")
)

// The table says of every body what upkeep needs to know, and with -bodies it says the truth.
func TestPublishedTable(t *testing.T) {
	if *bodies != "" {
		rebuild(t)
	}
	all := published()
	if len(all) != 20 {
		t.Fatalf("%d published scripts", len(all))
	}
	forms := map[string]bool{}
	versions := map[price.Version]bool{}
	for _, p := range all {
		if _, known := p.Version.Traits(); !known || len(p.Revision) != 40 || len(p.SHA256) != 64 || len(p.Form) != 64 || len(p.marks) < 90 {
			t.Errorf("%s: %q %q %q, %d lines", p.Version, p.Revision, p.SHA256, p.Form, len(p.marks))
		}
		if forms[p.Form] {
			t.Errorf("%s: the form stands twice", p.Revision)
		}
		forms[p.Form], versions[p.Version] = true, true
		if again, ok := parsePublished(p.String()); !ok || !slices.Equal(again.marks, p.marks) {
			t.Errorf("%s: is not read as it is written", p.Revision)
		}
	}
	for _, v := range price.Versions() {
		if !versions[v] {
			t.Errorf("%s has no published body", v)
		}
	}
}

// rebuild checks the table against the bodies, and writes it with -update. A new body is a line "VERSION COMMIT - - -".
func rebuild(t *testing.T) {
	var text strings.Builder
	for _, row := range published() {
		body, err := os.ReadFile(filepath.Join(*bodies, row.Revision+".sh"))
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString(PublishedOf(body, row.Version, row.Revision).String() + "\n")
		if *update {
			continue
		}
		if r := Recognise(body); !r.Known || r.Version != row.Version || len(r.Unread) > 0 || r.Unusable != "" || len(r.Targets) < 8 {
			t.Errorf("%s: %+v", row.Revision, r)
		}
		if d, ok := Compare(body); !ok || len(d.Hunks) > 0 {
			t.Errorf("%s: differs from itself: %v", row.Revision, d.Hunks)
		}
	}
	switch {
	case *update:
		if err := os.WriteFile("published.txt", []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		publishedTable = text.String()
	case publishedTable != text.String():
		t.Error("the table is not that of the bodies; run with -update")
	}
}
