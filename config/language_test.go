package config

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func mustLoad(t testing.TB, files map[string]string) Desired {
	t.Helper()
	desired, sources, diags := Load(write(t, files), Options{Types: testTypes(), Environ: testEnviron, Version: "1.4.2"})
	for _, d := range Describe(diags, sources) {
		t.Error(d.Text(TextOptions{}))
	}
	if len(diags) > 0 {
		t.FailNow()
	}
	return desired
}

const someNodes = `
node "cp" {
  for_each = { cp2 = "2", cp1 = "1", cp3 = "3" }
  host     = each.value
  roles    = ["control-plane"]
}
node "etcd1" {
  host  = "e"
  roles = ["etcd", "etcd"]
}
node "none" {
  for_each = {}
  host     = each.value
}
nodes "gpu" {
  roles = ["gpu"]
  from_kubernetes {
    selector = "gpu=yes"
  }
}
nodes "by_zone" {
  for_each = toset(["a", "b"])
  from_kubernetes {
    selector = "zone=${each.key}"
  }
}
`

func TestSelections(t *testing.T) {
	for expression, want := range map[string]Selection{
		`role("control-plane")`:        {Roles: []string{"control-plane"}},
		`role("gpu", "control-plane")`: {Roles: []string{"control-plane", "gpu"}},
		`node.cp`:                      {Names: []string{"cp1", "cp2", "cp3"}},
		`node.cp["cp2"]`:               {Names: []string{"cp2"}},
		`node.cp.cp2`:                  {Names: []string{"cp2"}},
		`node["cp"]["cp2"]`:            {Names: []string{"cp2"}},
		`node.etcd1`:                   {Names: []string{"etcd1"}},
		`nodes.gpu`:                    {Fleets: []string{"gpu"}},
		`nodes.by_zone["a"]`:           {Fleets: []string{`by_zone["a"]`}},
		`nodes.by_zone`:                {Fleets: []string{`by_zone["a"]`, `by_zone["b"]`}},
		`[node.etcd1, nodes.gpu, role("etcd"), node.none]`:   {Names: []string{"etcd1"}, Fleets: []string{"gpu"}, Roles: []string{"etcd"}},
		`[node.cp["cp1"], [node.cp["cp1"], node.cp["cp3"]]]`: {Names: []string{"cp1", "cp3"}},
		`toset([role("gpu"), role("gpu")])`:                  {Roles: []string{"gpu"}},
		`[for name, n in node.cp : n if name != "cp2"]`:      {Names: []string{"cp1", "cp3"}},
		`true ? node.etcd1 : nodes.gpu`:                      {Names: []string{"etcd1"}},
		`local.chosen`:                                       {Names: []string{"cp1"}},
		`node.cp[local.key]`:                                 {Names: []string{"cp3"}},
		`values(node.cp)`:                                    {Names: []string{"cp1", "cp2", "cp3"}},
	} {
		t.Run(expression, func(t *testing.T) {
			desired := mustLoad(t, map[string]string{"a.upkeep.hcl": someNodes + "locals {\n  chosen = node.cp[\"cp1\"]\n  key = \"cp3\"\n}\ncerts \"x\" {\n  nodes = " + expression + "\n}\n"})
			got := desired.Resources[0].Value.(certs).Nodes
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestMatcherAgreesWithHas: the quick way to ask gives the same answers.
func TestMatcherAgreesWithHas(t *testing.T) {
	word := rapid.SampledFrom([]string{"a", "b", "c", "d"})
	words := rapid.SliceOfN(word, 0, 3)
	rapid.Check(t, func(t *rapid.T) {
		s := Selection{Roles: words.Draw(t, "roles"), Fleets: words.Draw(t, "fleets"), Names: words.Draw(t, "names")}
		n := Node{Name: word.Draw(t, "name"), Block: word.Draw(t, "block"), Fleet: rapid.Bool().Draw(t, "fleet"), Roles: words.Draw(t, "node roles")}
		if s.Matcher()(n) != s.Has(n) || unite(s).Has(n) != s.Has(n) {
			t.Fatalf("%+v and %+v", s, n)
		}
	})
}

func TestForEachChainsAndConnections(t *testing.T) {
	desired := mustLoad(t, map[string]string{"a.upkeep.hcl": `
connection "c" {
  for_each   = { fra = 22, ams = 2222 }
  port       = each.value
  proxy_jump = "ops@${each.key}.example.net, second.example.net"
}
node "a" {
  for_each   = { a1 = "fra", a2 = "ams" }
  host       = each.key
  connection = connection.c[each.value]
}
certs "one" {
  for_each = node.a
  nodes    = each.value
}
certs "two" {
  nodes = node.a
  after = certs.one["a2"]
}
`})
	var got []string
	for _, c := range desired.Connections {
		got = append(got, fmt.Sprintf("%s %d %s", c.Name, c.Port, c.ProxyJump))
	}
	for _, n := range desired.Nodes {
		got = append(got, n.Name+" by "+n.Connection)
	}
	for _, r := range desired.Resources {
		c := r.Value.(certs)
		got = append(got, fmt.Sprintf("%s %s %v %s", r.Name, r.Key, c.Nodes.Names, c.After))
	}
	want := []string{
		`c["ams"] 2222 ops@ams.example.net,second.example.net`,
		`c["fra"] 22 ops@fra.example.net,second.example.net`,
		`a1 by c["fra"]`, `a2 by c["ams"]`,
		`one a1 [a1] `, `one a2 [a2] `, `two  [a1 a2] certs.one["a2"]`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestFunctions(t *testing.T) {
	for expression, want := range map[string]string{
		`duration("36h")`:                               `129600`,
		`duration("30d") / 86400`:                       `30`,
		`per_hour(1)`:                                   `730.488`,
		`per_hour(2.5)`:                                 `1826.22`,
		`env("HOME")`:                                   `"/home/ops"`,
		`env("EMPTY")`:                                  `""`,
		`try(env("NOT_SET"), "none")`:                   `"none"`,
		`can(env("NOT_SET"))`:                           `false`,
		`file("note.txt")`:                              `"hello\n"`,
		`trimspace(file("./note.txt"))`:                 `"hello"`,
		`merge({ a = 1 }, { b = 2 })`:                   `{"a":1,"b":2}`,
		`concat([1], [2, 3])`:                           `[1,2,3]`,
		`lookup({ a = 1 }, "b", 5)`:                     `5`,
		`format("%s-%02d", "a", 7)`:                     `"a-07"`,
		`formatlist("n%d", [1, 2])`:                     `["n1","n2"]`,
		`join(",", ["a", "b"])`:                         `"a,b"`,
		`split(",", "a,b")`:                             `["a","b"]`,
		`replace("a-b-c", "-", "_")`:                    `"a_b_c"`,
		`replace("a1b22", "/[0-9]+/", "#")`:             `"a#b#"`,
		`regex("[0-9]+", "cp12")`:                       `"12"`,
		`length("añb")`:                                 `3`,
		`length({ a = 1 })`:                             `1`,
		`keys({ b = 1, a = 2 })`:                        `["a","b"]`,
		`contains(["a"], "a")`:                          `true`,
		`distinct(["a", "a"])`:                          `["a"]`,
		`flatten([[1], [2, [3]]])`:                      `[1,2,3]`,
		`toset(["b", "a", "b"])`:                        `["a","b"]`,
		`zipmap(["a"], [1])`:                            `{"a":1}`,
		`range(3)`:                                      `[0,1,2]`,
		`max(1, 5, 3)`:                                  `5`,
		`coalesce(null, "a")`:                           `"a"`,
		`jsondecode("{\"a\":[1]}").a[0]`:                `1`,
		`startswith("control-plane", "control")`:        `true`,
		`endswith("a.pem", ".key")`:                     `false`,
		`strcontains("abc", "b")`:                       `true`,
		`alltrue([true, false])`:                        `false`,
		`anytrue([false, true])`:                        `true`,
		`[for k, v in { a = 1 } : "${k}${v}" if v > 0]`: `["a1"]`,
		`tonumber("7") + 1`:                             `8`,
		`role("a") == role("a")`:                        `true`,
	} {
		t.Run(expression, func(t *testing.T) {
			desired := mustLoad(t, map[string]string{
				"note.txt":     "hello\n",
				"a.upkeep.hcl": "locals {\n  v = " + expression + "\n}\nnode \"n\" {\n  host = \"a\"\n}\ncerts \"x\" {\n  nodes = node.n\n  kubeconfigs = [jsonencode(local.v)]\n}\n",
			})
			if got := desired.Resources[0].Value.(certs).Kubeconfigs[0]; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestIncludeReadsAFileOnce(t *testing.T) {
	desired := mustLoad(t, map[string]string{
		"a.upkeep.hcl":          "include {\n  files = [\"sub/*.upkeep.hcl\", \"./sub/x.upkeep.hcl\", \"a.upkeep.hcl\"]\n}\nnode \"a\" {\n  host = \"a\"\n}\n",
		"sub/x.upkeep.hcl":      "include {\n  files = [\"../a.upkeep.hcl\", \"y.upkeep.hcl\", \"deep/*.upkeep.hcl\"]\n}\nnode \"x\" {\n  host = \"x\"\n}\n",
		"sub/y.upkeep.hcl":      "node \"y\" {\n  host = trimspace(file(\"host.txt\"))\n}\n",
		"sub/deep/z.upkeep.hcl": "node \"z\" {\n  host = \"z\"\n}\n",
		"host.txt":              "from-the-directory\n",
		"ignored.hcl":           "this is not ours",
	})
	var got []string
	for _, n := range desired.Nodes {
		got = append(got, n.Name+" "+n.Host+" "+n.Position.String())
	}
	want := []string{"a a a.upkeep.hcl:4", "x x sub/x.upkeep.hcl:4", "y from-the-directory sub/y.upkeep.hcl:1", "z z sub/deep/z.upkeep.hcl:1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRequiredVersion(t *testing.T) {
	for _, test := range []struct {
		constraint, version string
		ok                  bool
	}{
		{">= 0.1", "0.1.0-dev", true},
		{">= 0.1", "0.0.9", false},
		{"~> 1.2", "1.9.0", true},
		{"~> 1.2", "2.0.0", false},
		{"~> 1.2", "1.1.9", false},
		{"~> 1.2.3", "1.2.9", true},
		{"~> 1.2.3", "1.3.0", false},
		{">= 1.2, < 1.5", "1.5.0", false},
		{">= 1.2, < 1.5", "1.4.9", true},
		{"!= 1.0.1", "1.0.1", false},
		{"> 9", "", true},
		{"> 9", "unknown", true},
	} {
		directory := write(t, map[string]string{"a.upkeep.hcl": "upkeep {\n  required_version = \"" + test.constraint + "\"\n}\n"})
		_, _, diags := Load(directory, Options{Version: test.version})
		if diags.HasErrors() == test.ok {
			t.Errorf("%s with %q: ok is %t: %v", test.version, test.constraint, !test.ok, diags)
		}
	}
}

func TestDirectories(t *testing.T) {
	for name, test := range map[string]struct{ directory, want string }{
		"missing":  {"testdata/no-such-directory", "Configuration directory not found"},
		"empty":    {t.TempDir(), "No configuration files"},
		"a file":   {"testdata/schema.json", "Configuration directory not readable"},
		"only dot": {write(t, map[string]string{".hidden.upkeep.hcl": "x"}), "No configuration files"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, diags := Load(test.directory, Options{})
			if len(diags) != 1 || diags[0].Summary != test.want {
				t.Errorf("got %v, want %q", diags, test.want)
			}
		})
	}
}

// TestFileOrderDoesNotMatter deals the blocks of a configuration out to files in any way: what is desired stays the
// same.
func TestFileOrderDoesNotMatter(t *testing.T) {
	blocks := strings.SplitAfter(strings.TrimSpace(someNodes), "\n}\n")
	blocks = append(blocks,
		"variable \"v\" {\n  default = \"10d\"\n}\n",
		"locals {\n  a = local.b\n}\n", "locals {\n  b = var.v\n}\n",
		"certs \"one\" {\n  nodes = node.cp\n  renew_before = local.a\n}\n",
		"certs \"two\" {\n  for_each = node.cp\n  nodes = [each.value, nodes.gpu]\n}\n",
		"cluster {\n  kubeconfig = \"k\"\n}\n",
	)
	want := unordered(t, mustLoad(t, map[string]string{"all.upkeep.hcl": strings.Join(blocks, "\n")}))
	rapid.Check(t, func(rt *rapid.T) {
		files := map[string]string{}
		for _, i := range rapid.Permutation(indices(len(blocks))).Draw(rt, "order") {
			files[rapid.SampledFrom([]string{"a", "b", "c", "z"}).Draw(rt, "file")+".upkeep.hcl"] += blocks[i] + "\n"
		}
		if diff := cmp.Diff(want, unordered(t, mustLoad(t, files))); diff != "" {
			rt.Fatal(diff)
		}
	})
}

func indices(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// unordered returns every part of a desired state as text, without positions, sorted.
func unordered(t *testing.T, d Desired) []string {
	t.Helper()
	var out []string
	add := func(v any) {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(data))
	}
	d.Cluster.Position = Position{}
	add(d.Cluster)
	for _, n := range d.Nodes {
		n.Position = Position{}
		add(n)
	}
	for _, f := range d.Fleets {
		f.Position = Position{}
		add(f)
	}
	for _, r := range d.Resources {
		r.Position = Position{}
		add(r)
	}
	slices.Sort(out)
	return out
}
