package findings

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestEveryPageHasItsForm: each page can be shown, and the index is none.
func TestEveryPageHasItsForm(t *testing.T) {
	ids := IDs()
	if len(ids) < 90 || !slices.IsSorted(ids) || slices.Contains(ids, "README") {
		t.Fatalf("%d ids: %v", len(ids), ids)
	}
	for _, id := range ids {
		page, err := Page(id)
		if err != nil {
			t.Error(err)
			continue
		}
		want := "# " + page.ID + "\n\n" + page.Title + "\n\n## What it means\n\n" + page.Meaning + "\n\n## What to do\n\n" + page.Remedy + "\n"
		if diff := cmp.Diff(want, page.Markdown); page.ID != id || diff != "" {
			t.Errorf("%s: the page is not spaced like all others (-want +got):\n%s", id, diff)
		}
	}
}

func TestPageOfNothing(t *testing.T) {
	for _, id := range []string{"", "NO_SUCH_FINDING", "README", "../findings/README", "cert_expired"} {
		if page, err := Page(id); err == nil || page.ID != "" {
			t.Errorf("%q: %+v, %v", id, page, err)
		}
	}
}

func TestParse(t *testing.T) {
	const page = "# A_B\n\nOne sentence.\n\n## What it means\n\nMeaning.\n\nMore.\n\n## What to do\n\nRemedy.\n"
	got, err := parse("A_B", page)
	want := Document{ID: "A_B", Title: "One sentence.", Meaning: "Meaning.\n\nMore.", Remedy: "Remedy.", Markdown: page}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Fatalf("%v (-want +got):\n%s", err, diff)
	}
	for _, test := range []struct{ name, old, new, want string }{
		{"another id", "# A_B", "# A_C", `the first line is "# A_C", not "# A_B"`},
		{"no title", "One sentence.", "", "the title is empty"},
		{"two sentences", "One sentence.", "One. Two.", `the title "One. Two." is not one sentence on one line`},
		{"no full stop", "One sentence.", "One sentence", `the title "One sentence" is not one sentence on one line`},
		{"two lines", "One sentence.", "One\nsentence.", `the title "One\nsentence." is not one sentence on one line`},
		{"no meaning", "## What it means", "## Meaning", `there is no line "## What it means"`},
		{"no remedy", "## What to do", "## Remedy", `there is no line "## What to do" after "## What it means"`},
		{"an empty meaning", "Meaning.\n\nMore.", "", "the section ## What it means is empty"},
		{"an empty remedy", "Remedy.", "", "the section ## What to do is empty"},
		{"one more section", "Remedy.", "Remedy.\n\n## See also", "the section ## What to do holds a heading"},
		{"a section twice", "More.", "## What it means", "the section ## What it means holds a heading"},
	} {
		t.Run(test.name, func(t *testing.T) {
			changed := strings.Replace(page, test.old, test.new, 1)
			if changed == page {
				t.Fatal("nothing was changed")
			}
			if _, err := parse("A_B", changed); err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}
