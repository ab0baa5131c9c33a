package upkeep

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The floors of the house, from the ground up. A package belongs to the entry with the longest matching prefix.
// A package may import packages on lower floors; on its own floor only what `with` names.
var floors = []struct {
	prefix string
	floor  int
	with   []string
	// A domain is pure but for the files that act.
	domain bool
	acts   []string
}{
	{prefix: "config", floor: 1},
	{prefix: "providers/plain", floor: 0},
	{prefix: "providers/bounded", floor: 0},
	{prefix: "providers/strict", floor: 0},
	{prefix: "providers/strictjson", floor: 0},
	{prefix: "providers/facts", floor: 1},
	{prefix: "providers/layout", floor: 1, with: []string{"providers/facts"}},
	{prefix: "providers/sqlitefile", floor: 1},
	{prefix: "state", floor: 1, with: []string{"providers/facts", "config", "state"}},
	{prefix: "fixtures", floor: 1, with: []string{"providers/facts", "providers/layout", "config", "fixtures"}},
	{prefix: "docs/findings", floor: 1},
	{prefix: "providers/nvidia/xid", floor: 1},
	{prefix: "providers/nvidia/kernellog", floor: 1},
	{prefix: "providers/nvidia/model", floor: 1},

	{prefix: "providers", floor: 2},
	{prefix: "providers/node", floor: 2, with: []string{"providers/node"}},
	{prefix: "providers/kube", floor: 2, with: []string{"providers"}},
	{prefix: "providers/floor", floor: 2, with: []string{"providers"}},
	{prefix: "providers/downtime", floor: 2, with: []string{"providers"}},
	{prefix: "providers/etcd", floor: 2, with: []string{"providers"}},
	{prefix: "providers/store", floor: 2, with: []string{"providers/store", "providers/node/protocol"}},
	{prefix: "providers/backup/keep", floor: 2},
	{prefix: "providers/backup/bundle", floor: 2, with: []string{"providers/store"}},
	{prefix: "providers/sandbox", floor: 2},
	{prefix: "providers/public", floor: 2},
	{prefix: "providers/archive", floor: 2, with: []string{"providers"}},
	{prefix: "providers/helm", floor: 2, with: []string{"providers", "providers/helm"}},

	// What stands for a node in tests is held to the helper's own table of methods.
	{prefix: "fixtures/fakenode", floor: 3, with: []string{"fixtures"}},
	// The simulated cluster serves the helper's own protocol, and etcd's.
	{prefix: "fixtures/fakecluster", floor: 3, with: []string{"fixtures"}},

	{prefix: "fixtures/calm", floor: 3},

	{prefix: "planner", floor: 3, with: []string{"planner/schedule", "planner/window"}},
	{prefix: "planner/schedule", floor: 3},
	{prefix: "planner/window", floor: 3},
	{prefix: "planner/apply", floor: 3, with: []string{"planner"}},
	{prefix: "planner/forecast", floor: 3, with: []string{"planner"}},
	{prefix: "planner/report", floor: 3, with: []string{"planner"}},
	{prefix: "providers/observe", floor: 3},
	{prefix: "providers/certificates", floor: 3, domain: true, acts: []string{"operations.go"}},
	{prefix: "providers/backup", floor: 3, domain: true, acts: []string{
		"recovery.go", "recovery_cold.go", "recovery_members.go", "recovery_sqlite.go", "operations.go", "operations_take.go", "operations_cold.go", "operations_prove.go",
		"operations_sqlite.go", "operations_workdir.go",
	}},
	{prefix: "providers/cluster", floor: 3, domain: true},
	{prefix: "providers/akash", floor: 3, with: []string{"providers/akash"}, domain: true, acts: []string{"operations.go", "operations_stages.go"}},
	{prefix: "providers/release", floor: 3, domain: true, acts: []string{"operations.go"}},
	{prefix: "providers/nvidia", floor: 3, domain: true, acts: []string{"operations.go"}},
	{prefix: "providers/reboot", floor: 3, domain: true},
	{prefix: "providers/driver", floor: 3, domain: true, acts: []string{"operations.go"}},
	{prefix: "providers/claim", floor: 3},

	{prefix: "cmd", floor: 4},
	{prefix: "cmd/upkeep", floor: 4, with: []string{"cmd/upkeep/wiring"}},
	{prefix: "cmd/upkeep/wiring", floor: 4},
	{prefix: "fixtures/bidscript", floor: 4},
	{prefix: "fixtures/plans", floor: 4},
	{prefix: "fixtures/fakeprovider", floor: 4, with: []string{"fixtures"}},
	{prefix: "fixtures/simulation", floor: 4, with: []string{"fixtures"}},
	{prefix: "fixtures/scaling", floor: 4, with: []string{"fixtures"}},
	{prefix: "fixtures/chartrepo/install", floor: 4},
}

// Doors: the only packages that may import a heavy library, directly.
var doors = []struct {
	library string
	doors   []string
}{
	{"k8s.io/client-go", []string{"providers/kube", "providers/helm"}},
	{"k8s.io/apimachinery", []string{"providers/kube", "providers/helm", "fixtures/fakeprovider"}},
	{"k8s.io/api/", []string{"providers/kube", "providers/helm", "fixtures/fakeprovider"}},
	{"k8s.io/cri-api", []string{"providers/node/agent"}},
	{"go.etcd.io/etcd", []string{"providers/etcd", "fixtures/fakecluster"}},
	// etcd's server makes a program start slowly, and its database can crash it: only a child process links them.
	{"go.etcd.io/etcd/server", []string{"providers/etcd/restore"}},
	{"go.etcd.io/etcd/etcdutl", []string{"providers/etcd/restore"}},
	{"go.etcd.io/bbolt", []string{"providers/etcd/restore"}},
	{"modernc.org/sqlite", []string{"providers/etcd/restore"}},
	{"upkeep/providers/etcd/restore", []string{"cmd/upkeep-etcd"}},
	{"helm.sh/helm", []string{"providers/helm"}},
	{"k8s.io/apiextensions-apiserver", []string{"providers/helm"}},
	{"github.com/NVIDIA/go-nvml", []string{"cmd/upkeep-nvml"}},
	{"github.com/urfave/cli", []string{"cmd/upkeep"}}, // and see light
	{"filippo.io/age", []string{"providers/backup/bundle"}},
	{"github.com/minio/minio-go", []string{"providers/store", "state"}},
}

// Light packages link no SDK, neither directly nor through what they import: `make race` builds all that they link once more,
// instrumented, and Helm and client-go would take longer than everything else together.
var light = []string{
	"cmd/upkeep/wiring", "planner", "planner/apply", "planner/report/events", "planner/report/runbook", "planner/report/text", "providers/claim", "providers/node",
	"providers/observe",
}

// domains lists the domains, whose rooms on lower floors are theirs, too. A light package knows none of them.
func domains() (out []string) {
	for _, f := range floors {
		if f.domain {
			out = append(out, "upkeep/"+f.prefix)
		}
	}
	return out
}

var sdks = []string{
	"k8s.io/", "sigs.k8s.io/", "helm.sh/", "go.etcd.io/", "github.com/minio/", "github.com/urfave/cli", "modernc.org/sqlite", "github.com/NVIDIA/go-nvml",
}

// Pure packages import nothing that could act, read a clock or roll dice, and wait for nothing. Domains are pure, too.
var pure = withDomains([]pureness{
	{"planner", nil},
	{"planner/report", nil},
	{"planner/report/events", nil},
	{"planner/report/runbook", nil},
	{"planner/report/text", nil},
	{"planner/schedule", nil},
	{"planner/window", nil},
	{"providers/akash/price", nil},
	{"providers/akash/quote", nil},
	{"providers/akash/script", nil},
	{"providers/akash/vocabulary", nil},
	{"providers/facts", nil},
	{"providers/layout", nil},
	{"providers/plain", nil},
	{"providers/strictjson", nil},
	{"providers/backup/keep", nil},
	{"state/seen", nil},
	{"docs/findings", nil},
	{"providers/floor", nil},
	{"providers/downtime", []string{"operations.go"}},
	{"providers/nvidia/xid", nil},
	{"providers/nvidia/kernellog", nil},
	{"providers/helm/catalogue", nil},
	{"providers/helm/definitions", nil},
	{"providers/helm/objects", nil},
	{"providers/helm/values", nil},
	{"providers/helm/pending", nil},
	{"providers/helm/revision", []string{"operations.go"}},
	{"providers/helm/versions", nil},
	{"providers", []string{"contract.go"}},
})

type pureness struct {
	dir    string
	except []string // files of the package that act
}

func withDomains(all []pureness) []pureness {
	for _, f := range floors {
		if f.domain {
			all = append(all, pureness{f.prefix, f.acts})
		}
	}
	return all
}

var impure = []string{"os", "os/exec", "net", "net/http", "math/rand", "math/rand/v2", "crypto/rand", "syscall"}

// Functions of packages that pure packages may import: the clock, and what waits for it.
var clocks = map[string][]string{
	"time":    {"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTicker", "NewTimer"},
	"context": {"WithTimeout", "WithTimeoutCause", "WithDeadline", "WithDeadlineCause"},
}

func TestImportsGoDown(t *testing.T) {
	for _, imp := range imports(t) {
		if imp.test {
			continue // tests may meet whom they like
		}
		if target, ok := strings.CutPrefix(imp.path, "upkeep/"); ok {
			checkFloor(t, imp, target)
		}
		for _, d := range doors {
			if strings.HasPrefix(imp.path, d.library) && !throughDoor(imp.pkg, d.doors) {
				t.Errorf("%s imports %s; only %s may", imp.file, imp.path, strings.Join(d.doors, " and "))
			}
		}
	}
}

func throughDoor(pkg string, doors []string) bool {
	for _, door := range doors {
		if pkg == door || strings.HasPrefix(pkg, door+"/") {
			return true
		}
	}
	return false
}

func TestPurePackagesCannotAct(t *testing.T) {
	for _, imp := range imports(t) {
		for _, p := range pure {
			if imp.test || imp.pkg != p.dir || contains(p.except, path.Base(imp.file)) {
				continue
			}
			if contains(impure, imp.path) {
				t.Errorf("%s imports %s, but %s is pure", imp.file, imp.path, p.dir)
			}
		}
	}
}

func TestPurePackagesReadNoClock(t *testing.T) {
	looked := 0
	for _, p := range pure {
		files, err := filepath.Glob(filepath.Join(filepath.FromSlash(p.dir), "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", p.dir, len(files), err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") || contains(p.except, filepath.Base(file)) {
				continue
			}
			looked++
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, use := range clocksIn(t, file, string(text)) {
				t.Errorf("%s uses %s, but %s is pure: take the time as an argument", file, use, p.dir)
			}
		}
	}
	if looked < 50 {
		t.Fatalf("looked at %d files: the walk is broken", looked)
	}
	// The search itself finds every way to name a clock, and nothing else.
	const sample = `package p
import ("context"; clock "time"; "time")
var a = time.Now
var b = func() { clock.Sleep(1); <-time.After(2); context.WithTimeout(nil, 3) }
var c = time.Duration(4)
var d = struct{ Now int }{}
var e = d.Now`
	want := []string{"time.Now", "time.Sleep", "time.After", "context.WithTimeout"}
	if got := clocksIn(t, "sample.go", sample); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("in the sample: %v, want %v", got, want)
	}
}

// clocksIn lists what a file uses of clocks, by package path and name, in the order of the text. A dot import is one, too.
func clocksIn(t *testing.T, file, text string) (uses []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{} // of a package in this file
	for _, spec := range parsed.Imports {
		of, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case clocks[of] == nil:
		case spec.Name == nil:
			names[path.Base(of)] = of
		case spec.Name.Name == ".":
			uses = append(uses, of+" by a dot import")
		default:
			names[spec.Name.Name] = of
		}
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if selector, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := selector.X.(*ast.Ident); ok && contains(clocks[names[x.Name]], selector.Sel.Name) {
				uses = append(uses, names[x.Name]+"."+selector.Sel.Name)
			}
		}
		return true
	})
	return uses
}

func TestLightPackagesLinkNoSDKAndNoDomain(t *testing.T) {
	for _, pkg := range light {
		for _, dependency := range linked(t, pkg) {
			for _, heavy := range slices.Concat(sdks, domains()) {
				if strings.HasPrefix(dependency, heavy) {
					t.Errorf("%s links %s", pkg, dependency)
				}
			}
		}
	}
	// A package that does link one is seen to.
	if !contains(linked(t, "providers/kube"), "k8s.io/client-go/rest") {
		t.Error("providers/kube is not seen to link client-go: the look is broken")
	}
}

// linked lists every package that a package links, itself included.
func linked(t *testing.T, pkg string) []string {
	t.Helper()
	var complaint strings.Builder
	list := exec.Command("go", "list", "-deps", "./"+pkg)
	list.Stderr = &complaint
	out, err := list.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", list, err, complaint.String())
	}
	return strings.Fields(string(out))
}

// What tests need stays out of programs that are released: only files that stand behind a build tag may link it.
func TestFixturesStayOutOfPrograms(t *testing.T) {
	behind := 0
	for _, imp := range imports(t) {
		if imp.test || !strings.HasPrefix(imp.path, "upkeep/fixtures/") || strings.HasPrefix(imp.pkg, "fixtures/") {
			continue
		}
		text, err := os.ReadFile(imp.file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(text), "//go:build faultpoints\n") {
			t.Errorf("%s imports %s without the build tag faultpoints", imp.file, imp.path)
		}
		behind++
	}
	if behind != 2 {
		t.Errorf("%d files behind the tag, want those of upkeep and upkeep-node", behind)
	}
}

func checkFloor(t *testing.T, imp imported, target string) {
	from, to := place(imp.pkg), place(target)
	if from < 0 {
		t.Errorf("%s: package %s stands on no floor; add it to the table in layers_test.go", imp.file, imp.pkg)
		return
	}
	if to < 0 {
		t.Errorf("%s imports %s, which stands on no floor", imp.file, target)
		return
	}
	if floors[to].floor < floors[from].floor || imp.pkg == target {
		return
	}
	if floors[to].floor == floors[from].floor {
		for _, allowed := range floors[from].with {
			if target == allowed || strings.HasPrefix(target, allowed+"/") {
				return
			}
		}
	}
	t.Errorf("%s imports %s: floor %d may not import floor %d", imp.file, target, floors[from].floor, floors[to].floor)
}

func place(pkg string) int {
	best := -1
	for i, f := range floors {
		if pkg == f.prefix || strings.HasPrefix(pkg, f.prefix+"/") {
			if best < 0 || len(f.prefix) > len(floors[best].prefix) {
				best = i
			}
		}
	}
	return best
}

type imported struct {
	file, pkg, path string
	test            bool
}

func imports(t *testing.T) []imported {
	t.Helper()
	var out []imported
	err := filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if entry.Name() == "acceptance" || entry.Name() == "testdata" || (strings.HasPrefix(entry.Name(), ".") && file != ".") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(file, ".go") || filepath.Dir(file) == "." {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			out = append(out, imported{filepath.ToSlash(file), filepath.ToSlash(filepath.Dir(file)), name, strings.HasSuffix(file, "_test.go")})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 50 {
		t.Fatalf("found only %d imports: the walk is broken", len(out))
	}
	return out
}

func contains(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}
