package upkeep

import (
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

// widest is how many characters a line of Go may have; a tab counts as one, as gofmt leaves its width to the reader.
const widest = 120

// wide are how many lines of the program's own Go files are still wider, comments and code. The numbers may only fall. They leave
// a little room for branches that began before the rule: take it away when they have landed.
var wide = struct{ comments, code int }{540, 1825}

// wrapped are the folders in which no comment is wider.
var wrapped = []string{"config/", "state/", "planner/", "providers/kube/", "providers/etcd/", "providers/facts/", "providers/helm/", "providers/release/",
	"providers/akash/"}

// TestLinesAreNarrow counts the lines of the program's own Go files that are wider than a page.
func TestLinesAreNarrow(t *testing.T) {
	comments, code := 0, 0
	for _, file := range tracked(t, ".go") {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(data), "\n") {
			if utf8.RuneCountInString(line) <= widest {
				continue
			}
			if !strings.HasPrefix(strings.TrimSpace(line), "//") {
				code++
				continue
			}
			comments++
			for _, folder := range wrapped {
				if strings.HasPrefix(file, folder) && !strings.HasPrefix(strings.TrimSpace(line), "//\t") && strings.Contains(line, "// ") {
					t.Errorf("%s:%d: a comment of more than %d characters: %s", file, i+1, widest, strings.TrimSpace(line))
				}
			}
		}
	}
	t.Logf("%d wide lines of comments, %d of code", comments, code)
	if comments > wide.comments || code > wide.code {
		t.Errorf("%d lines of comments and %d lines of code have more than %d characters; at most %d and %d may: wrap those that you wrote",
			comments, code, widest, wide.comments, wide.code)
	}
}
