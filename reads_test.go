package upkeep

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// unbounded are the files that may read another file whatever it is: it is the system's, or their own. Everything else that
// runs where a person sits reads with providers/bounded or config's reach, which hang on no pipe and take no gigabyte.
var unbounded = map[string]string{
	"cmd/upkeep/backups.go":            "/etc/machine-id",
	"state/local/process_linux.go":     "/proc",
	"providers/bounded/bounded.go":     "the reader itself",
	"providers/sandbox/child_linux.go": "/proc and cgroups",
}

// TestFilesAreReadWithinBounds: os.ReadFile has no limit and waits on a pipe.
func TestFilesAreReadWithinBounds(t *testing.T) {
	for _, file := range tracked(t, ".go") {
		folder := filepath.ToSlash(filepath.Dir(file))
		ours := strings.HasPrefix(folder, "cmd/upkeep") || strings.HasPrefix(folder, "config") || strings.HasPrefix(folder, "state") ||
			strings.HasPrefix(folder, "planner") || strings.HasPrefix(folder, "providers")
		if !ours || strings.HasPrefix(folder, "providers/node/agent") || folder == "providers/store/storetest" || folder == "cmd/upkeep-node" ||
			strings.HasSuffix(file, "_test.go") || unbounded[file] != "" {
			continue
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			call, ok := n.(*ast.SelectorExpr)
			if !ok || call.Sel.Name != "ReadFile" {
				return true
			}
			if pkg, named := call.X.(*ast.Ident); named && pkg.Name == "os" {
				t.Errorf("%s reads a file without a limit: use providers/bounded", set.Position(n.Pos()))
			}
			return true
		})
	}
}
