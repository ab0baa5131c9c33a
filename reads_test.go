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

// lenient are the files that may read YAML whose keys stand twice, and why the last one may count there.
var lenient = map[string]string{
	"config/functions.go":                       "go.yaml.in/yaml/v3 refuses keys that stand twice",
	"config/kubespray.go":                       "reads nodes, and refuses what stands twice itself",
	"providers/strict/strict.go":                "the reader itself",
	"providers/kube/check.go":                   "asks strictly before it reads",
	"providers/akash/quote/market.go":           "UnmarshalStrict",
	"providers/node/agent/kubeadm/kubeadm.go":   "finds a document by its kind; who reads the document is strict",
	"providers/node/agent/manifest/manifest.go": "the kubelet's own reading of a pod's name",
	"providers/node/agent/floor/floor.go":       "the kubelet takes the last one, too",
	"providers/node/agent/served/served.go":     "the kubelet takes the last one, too",
	"providers/node/agent/cri/socket.go":        "the kubelet takes the last one, too",
	"providers/node/agent/pki/kubeconfig.go":    "writes what was read strictly before",
	"providers/helm/defining.go":                "what Helm renders, as Helm reads it",
	"providers/helm/definitions/definitions.go": "what Helm renders, as Helm reads it",
	"providers/helm/fakehelm/cluster.go":        "tests alone",
	"providers/helm/manifest.go":                "what Helm renders, as Helm reads it",
}

// TestYAMLIsReadStrictly: sigs.k8s.io/yaml takes the last one of two keys without a word.
func TestYAMLIsReadStrictly(t *testing.T) {
	found := map[string]bool{}
	for _, file := range tracked(t, ".go") {
		folder := filepath.ToSlash(filepath.Dir(file))
		if strings.HasSuffix(file, "_test.go") || strings.HasPrefix(folder, "fixtures") || strings.HasPrefix(folder, "acceptance") {
			continue
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			call, ok := n.(*ast.SelectorExpr)
			if !ok || !strings.HasPrefix(call.Sel.Name, "Unmarshal") && !strings.HasPrefix(call.Sel.Name, "YAMLToJSON") && call.Sel.Name != "NewDecoder" {
				return true
			}
			if pkg, named := call.X.(*ast.Ident); named && pkg.Name == "yaml" {
				if found[file] = true; lenient[file] == "" {
					t.Errorf("%s reads YAML leniently: use providers/strict", set.Position(n.Pos()))
				}
			}
			return true
		})
	}
	for file := range lenient {
		if !found[file] {
			t.Errorf("%s reads no YAML leniently any more: take it out of the list", file)
		}
	}
}
