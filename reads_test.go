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
	"providers/kube/check.go":                   "the pieces, each of which is read strictly",
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

// lenientJSON are the files that may read JSON whose keys stand twice, and why the last one may count there.
var lenientJSON = map[string]string{
	"providers/strictjson/strictjson.go":        "the reader itself",
	"providers/strictjson/scan.go":              "the reader itself",
	"config/tree.go":                            "a value that upkeep encoded",
	"config/difference.go":                      "a value that upkeep encoded",
	"config/duration.go":                        "one text",
	"planner/file.go":                           "the version alone, before all of it is read strictly",
	"planner/origin.go":                         "the key of the state stands for every byte",
	"planner/digest.go":                         "arguments of a plan that was read strictly, or just built",
	"providers/facts/address.go":                "one text",
	"providers/facts/memory.go":                 "the version alone, before all of it is read strictly",
	"providers/facts/reading.go":                "the pieces, each of which is read strictly",
	"state/codec.go":                            "the version alone, before all of it is read strictly",
	"state/seen/codec.go":                       "the version alone, before all of it is read strictly",
	"providers/backup/bundle/signature.go":      "a label that upkeep encoded",
	"providers/node/client.go":                  "a line of progress in a frame that was read strictly",
	"providers/node/agent/requests.go":          "a number and a text in a frame that was read strictly",
	"providers/node/agent/unit/session.go":      "the result in a record that was read strictly",
	"providers/node/agent/unit/record.go":       "the version alone, before all of it is read strictly; what upkeep encoded",
	"providers/node/agent/pki/secret.go":        "k3s takes the last one, too",
	"providers/node/agent/cri/handlers.go":      "the container runtime's answer",
	"providers/node/agent/timer/restore.go":     "the API server's answer",
	"providers/sandbox/child_linux.go":          "what upkeep sends itself",
	"providers/sandbox/run_linux.go":            "what upkeep sends itself",
	"providers/etcd/restore/inspect.go":         "etcd takes the last one, too",
	"providers/etcd/restore/serve.go":           "what upkeep sends itself",
	"providers/kube/maintenance.go":             "the API server's answer, and an annotation in it",
	"providers/kube/tenant.go":                  "the API server's answer",
	"providers/kube/workload.go":                "what was made of YAML that was read strictly",
	"providers/release/decode.go":               "a value that upkeep encoded",
	"providers/akash/decode.go":                 "a value that upkeep encoded",
	"providers/akash/quote/hourly.go":           "an answer that upkeep encoded, token by token",
	"providers/akash/script/policy.go":          "it must be what upkeep encodes again, byte by byte",
	"providers/helm/repository_index.go":        "token by token, and refuses what stands twice itself",
	"providers/helm/definitions/definitions.go": "an object that upkeep encoded",
	"providers/helm/values/keys.go":             "words of a schema, in any order",
	"providers/helm/values/wanted.go":           "a value that upkeep encoded",
	"providers/helm/values/digest.go":           "arguments of a plan that was read strictly, or just built",
	"providers/helm/values/values.go":           "values that upkeep encoded",
	"providers/helm/child.go":                   "what upkeep sends itself",
	"providers/helm/fakehelm/world.go":          "tests alone",
	"providers/helm/contained.go":               "Helm takes the last one, too",
}

// TestJSONIsReadStrictly: encoding/json takes the last one of two keys without a word, and in a struct a key in another case.
func TestJSONIsReadStrictly(t *testing.T) {
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
			if !ok || call.Sel.Name != "Unmarshal" && call.Sel.Name != "NewDecoder" {
				return true
			}
			if pkg, named := call.X.(*ast.Ident); named && (pkg.Name == "json" || pkg.Name == "utiljson") {
				if found[file] = true; lenientJSON[file] == "" {
					t.Errorf("%s reads JSON leniently: use providers/strictjson", set.Position(n.Pos()))
				}
			}
			return true
		})
	}
	for file := range lenientJSON {
		if !found[file] {
			t.Errorf("%s reads no JSON leniently any more: take it out of the list", file)
		}
	}
}
