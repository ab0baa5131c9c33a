package config

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// directoryWith makes a configuration directory of files by their names.
func directoryWith(t *testing.T, files map[string]string) string {
	t.Helper()
	directory := filepath.Join(t.TempDir(), "conf")
	for name, text := range files {
		path := filepath.Join(directory, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return directory
}

// sentences returns "summary: detail" of each diagnostic.
func sentences(diags hcl.Diagnostics) (out []string) {
	for _, d := range diags {
		out = append(out, d.Summary+": "+d.Detail)
	}
	return out
}

// TestBombs: no configuration fills the memory or keeps the machine busy. Each is refused by one diagnostic.
func TestBombs(t *testing.T) {
	loops := func(depth int) string {
		return strings.Repeat("[for x in range(1000) : ", depth) + "1" + strings.Repeat("]", depth)
	}
	doubling := `locals {
  a0 = "0123456789abcdef"
`
	sharing := `locals {
  a0 = ["x"]
`
	squaring := `locals {
  a0 = 1e1000
`
	for i := range 40 {
		doubling += fmt.Sprintf("  a%d = \"${local.a%d}${local.a%d}\"\n", i+1, i, i)
		sharing += fmt.Sprintf("  a%d = [local.a%d, local.a%d]\n", i+1, i, i)
		squaring += fmt.Sprintf("  a%d = local.a%d * local.a%d\n", i+1, i, i)
	}
	list := "[" + strings.Repeat("1,", 999) + "1]"
	eight := `  ten = range(10)
  k   = join("", [for i in range(1024) : "0123456789abcdef"])
  m   = join("", [for i in range(512) : local.k])
`
	for name, text := range map[string]string{
		"setproduct":           "locals {\n  r = range(1000)\n  x = setproduct(local.r, local.r, local.r, local.r)\n}\n",
		"setproduct of a few":  "locals {\n  x = length(setproduct(range(1000), range(1000)))\n}\n",
		"inside try":           "locals {\n  x = try(setproduct(range(1000), range(1000), range(1000)), 1)\n}\n",
		"inside can":           "locals {\n  x = can(setproduct(range(1000), range(1000), range(1000)))\n}\n",
		"width":                "locals {\n  x = format(\"%2000000000d\", 1)\n}\n",
		"widths":               "locals {\n  x = format(\"" + strings.Repeat("%90000d", 2000) + "\", 1)\n}\n",
		"precision":            "locals {\n  x = format(\"%.900000000f\", 1)\n}\n",
		"formatlist":           "locals {\n  x = formatlist(\"%99999d\", range(1000))\n}\n",
		"loops":                "locals {\n  x = " + loops(6) + "\n}\n",
		"loops without ranges": "locals {\n  l = " + list + "\n  x = [for a in local.l : [for b in local.l : [for c in local.l : [for d in local.l : a]]]]\n}\n",
		"loops of templates":   "locals {\n  l = " + list + "\n  x = \"%{for a in local.l}%{for b in local.l}%{for c in local.l}x%{endfor}%{endfor}%{endfor}\"\n}\n",
		"doubling texts":       doubling + "}\n",
		"sharing lists":        sharing + "}\n",
		"squares":              squaring + "  text = \"${local.a40}\"\n}\n",
		"one long template":    "locals {\n" + eight + "  x = \"" + strings.Repeat("${local.m}", 300) + "\"\n}\n",
		"join":                 "locals {\n" + eight + "  x = join(local.m, range(1000))\n}\n",
		"replace":              "locals {\n" + eight + "  x = replace(local.k, \"0\", local.k)\n}\n",
		"replace by pattern":   "locals {\n" + eight + "  x = replace(local.m, \"/./\", \"0123456789\")\n}\n",
		"split":                "locals {\n" + eight + "  x = split(\"\", local.m)\n}\n",
		"indent":               "locals {\n  x = indent(2000000000, \"a\\nb\")\n}\n",
		"regexall":             "locals {\n" + eight + "  x = regexall(\"(.)\", local.m)\n}\n",
		"digits":               "locals {\n" + eight + "  x = local.m * 2\n}\n",
		"digits of a function": "locals {\n" + eight + "  x = ceil(local.m)\n}\n",
		"tonumber":             "locals {\n" + eight + "  x = tonumber(local.m)\n}\n",
		"parseint":             "locals {\n" + eight + "  x = parseint(local.m, 16)\n}\n",
		"deep JSON":            "locals {\n" + eight + "  x = jsondecode(replace(local.m, \"0123456789abcdef\", \"[[[[[[[[[[[[[[[[\"))\n}\n",
		"deeper JSON":          "locals {\n  x = jsondecode(\"" + strings.Repeat("[", 100000) + "\")\n}\n",
		"CSV":                  "locals {\n" + eight + "  x = csvdecode(replace(local.m, \"0123456789abcdef\", \",,,,,,,,,,,,,,,,\"))\n}\n",
		"instances":            "locals {\n  r = toset([for i in range(1000) : tostring(i)])\n}\nnode \"n\" {\n  for_each = { for p in setproduct(local.r, toset([\"a\", \"b\", \"c\", \"d\", \"e\", \"f\", \"g\", \"h\", \"i\", \"j\", \"k\"])) : \"${p[0]}${p[1]}\" => 1 }\n  host     = each.key\n}\n",
		"large instances":      "locals {\n" + eight + "}\nnode \"n\" {\n  for_each = { for i in range(1000) : \"n${i}\" => i }\n  host     = \"h${each.key}${local.m}\"\n}\n",
		"a default":            "variable \"v\" {\n  default = " + loops(5) + "\n}\n",
	} {
		t.Run(name, func(t *testing.T) {
			directory := directoryWith(t, map[string]string{"a" + Suffix: text})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, _, diags := Load(directory, Options{Types: testTypes()})
			runtime.ReadMemStats(&after)
			if !diags.HasErrors() || len(diags) > 3 {
				t.Errorf("%d diagnostics: %.300s", len(diags), sentences(diags))
			}
			// What is made on the way is more than what is held; even all of it together is bounded.
			if made := after.TotalAlloc - before.TotalAlloc; made > 4<<30 {
				t.Errorf("%d MiB were allocated", made>>20)
			}
		})
	}
}

// TestBombsInVariables: a file of variables is evaluated, too.
func TestBombsInVariables(t *testing.T) {
	list := "[" + strings.Repeat("1,", 999) + "1]"
	bomb := "[for a in " + list + " : [for b in " + list + " : [for c in " + list + " : [a, b, c]]]]"
	declared := "variable \"v\" {\n  type = any\n}\n"
	for name, o := range map[string]Options{
		"file": {},
		"flag": {Variables: []VariableAssignment{{Name: "v", Value: bomb}}},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"a" + Suffix: declared}
			if name == "file" {
				files["a"+VariablesSuffix] = "v = " + bomb + "\n"
			}
			_, _, diags := Load(directoryWith(t, files), o)
			if len(diags) != 1 || diags[0].Summary != "Expression too large" {
				t.Errorf("%.300s", sentences(diags))
			}
		})
	}
}

// TestEvaluationHasATime: an expression ends after ten seconds by the clock.
func TestEvaluationHasATime(t *testing.T) {
	directory := directoryWith(t, map[string]string{"a" + Suffix: "locals {\n  x = [for i in range(1000) : i]\n}\n"})
	l := newLoader(directory, Options{})
	clock := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	l.budget.now = func() time.Time {
		clock = clock.Add(time.Second)
		return clock
	}
	l.readFiles()
	l.collect()
	l.resolveAll()
	if diags := l.settle(); len(diags) != 1 || !strings.Contains(diags[0].Detail, "longer than 10s") {
		t.Error(sentences(diags))
	}
}

// TestWithinBounds: what people write is far below.
func TestWithinBounds(t *testing.T) {
	text := `locals {
  nodes = { for p in setproduct(range(100), range(100)) : "n${p[0]}-${p[1]}" => "10.${p[0]}.${p[1]}.1" }
  table = format("%-20s|%5.2f", "a100", 120)
  joined = join(",", keys(local.nodes))
  back   = split(",", local.joined)
  number = tonumber("12") * 2 + max(1, 2)
  json   = jsondecode(jsonencode({ a = [1, 2, { b = "c" }] }))
}
node "n" {
  for_each = local.nodes
  host     = each.value
}
`
	desired, _, diags := Load(directoryWith(t, map[string]string{"a" + Suffix: text}), Options{})
	if diags.HasErrors() || len(desired.Nodes) != 10000 {
		t.Errorf("%d nodes, %.500s", len(desired.Nodes), sentences(diags))
	}
}
