package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// A command asks a domain for its blocks (Declared); it does not look into what a configuration declares by itself.
func TestNoCommandAssertsADomainsSpec(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 50 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			var types []ast.Expr
			switch n := n.(type) {
			case *ast.TypeAssertExpr:
				types = []ast.Expr{n.Type}
			case *ast.CaseClause:
				types = n.List
			}
			for _, of := range types {
				if selector, ok := of.(*ast.SelectorExpr); ok && selector.Sel.Name == "Spec" {
					t.Errorf("%s asserts a domain's Spec", set.Position(n.Pos()))
				}
			}
			return true
		})
	}
}
