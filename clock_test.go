package upkeep

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// decided are the folders whose outcomes time can change. There, who compares an instant with Input.Now instead of
// asking Input.Clock leaves the comparison out of Outcome.Until.
var decided = []string{"providers/certificates", "providers/backup", "providers/akash", "providers/release", "providers/cluster", "providers/nvidia", "providers/floor", "providers/helm/pending"}

// TestClocksAreAsked: nothing is compared with a field or method Now but through providers.Clock. Methods that only
// compare give a truth; Sub gives a length, which words are made of.
func TestClocksAreAsked(t *testing.T) {
	compares := map[string]bool{"Before": true, "After": true, "Compare": true, "Equal": true}
	isNow := func(e ast.Expr) bool {
		if call, ok := e.(*ast.CallExpr); ok {
			e = call.Fun
		}
		s, ok := e.(*ast.SelectorExpr)
		return ok && s.Sel.Name == "Now"
	}
	sub := func(e ast.Expr) bool { // X.Sub(in.Now) < Y
		call, ok := e.(*ast.CallExpr)
		if !ok || len(call.Args) != 1 {
			return false
		}
		s, ok := call.Fun.(*ast.SelectorExpr)
		return ok && s.Sel.Name == "Sub" && (isNow(s.X) || isNow(call.Args[0]))
	}
	looked := 0
	for _, folder := range decided {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") || strings.HasPrefix(filepath.Base(name), "operations") {
				continue
			}
			looked++
			source, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			fset := token.NewFileSet()
			file, err := parser.ParseFile(fset, name, source, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CallExpr:
					s, ok := n.Fun.(*ast.SelectorExpr)
					if ok && compares[s.Sel.Name] && len(n.Args) == 1 && (isNow(s.X) || isNow(n.Args[0])) {
						t.Errorf("%s compares with the clock itself; ask Input.Clock", fset.Position(n.Pos()))
					}
				case *ast.BinaryExpr:
					switch n.Op {
					case token.LSS, token.LEQ, token.GTR, token.GEQ, token.EQL, token.NEQ:
						if sub(n.X) || sub(n.Y) {
							t.Errorf("%s compares with the clock itself; ask Input.Clock", fset.Position(n.Pos()))
						}
					}
				}
				return true
			})
		}
	}
	if looked < 50 {
		t.Errorf("looked at %d files only", looked)
	}
}
