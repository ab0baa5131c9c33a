package config

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestMeta: the meta-arguments of a block, what the defaults block adds to them, and what survives a plan file.
func TestMeta(t *testing.T) {
	const node = "node \"n\" {\n  host = \"h\"\n}\n"
	waived := func(guard, reason string, line int) Waiver {
		return Waiver{Guard: guard, Reason: reason, Position: Position{File: "a.upkeep.hcl", Line: line}}
	}
	for name, test := range map[string]struct {
		text string
		want Meta
	}{
		"nothing":   {"", Meta{}},
		"a window":  {`window = "always"`, Meta{Windows: []string{"always"}}},
		"one guard": {`without = { backup = "  a lab " }`, Meta{Without: []Waiver{waived("backup", "a lab", 6)}}},
		"two guards, each in its place": {
			"without = {\n    leases = \"no tenants\"\n    backup = \"a lab\"\n  }",
			Meta{Without: []Waiver{waived("backup", "a lab", 8), waived("leases", "no tenants", 7)}},
		},
		"a guard that is null is asked for": {`without = { backup = null }`, Meta{}},
		"computed":                          {`without = { for g in ["backup"] : g => "no ${g}" }`, Meta{Without: []Waiver{waived("backup", "no backup", 6)}}},
		"the older spelling that is null":   {`guard_none = null`, Meta{}},
	} {
		t.Run(name, func(t *testing.T) {
			desired := mustLoad(t, map[string]string{"a.upkeep.hcl": node + "certs \"x\" {\n  nodes = node.n\n  " + test.text + "\n}\n"})
			if diff := cmp.Diff(test.want, desired.Resources[0].Meta); diff != "" {
				t.Error(diff)
			}
			if diff := diffDesired(desired, roundTrip(t, desired)); diff != "" {
				t.Errorf("a plan file (-before +after):\n%s", diff)
			}
		})
	}
}

// TestDefaults: what the defaults block says holds for every block that does not say otherwise.
func TestDefaults(t *testing.T) {
	desired := mustLoad(t, map[string]string{"a.upkeep.hcl": `
node "a" {
  host = "a"
}
node "b" {
  host       = "b"
  connection = connection.other
}
node "c" {
  host       = "c"
  connection = null
}
nodes "gpu" {
  selector = "gpu=yes"
}
nodes "far" {
  selector   = "far=yes"
  connection = connection.other
}
connection "usual" {
}
connection "other" {
}
certs "x" {
  nodes = node.a
}
defaults {
  connection = connection.usual
  window     = "always"
}
`})
	got := map[string]string{"certs.x": strings.Join(desired.Resources[0].Meta.Windows, " ")}
	for _, n := range desired.Nodes {
		got[n.Name] = n.Connection
	}
	for _, f := range desired.Fleets {
		got[f.Name] = f.Connection + " " + f.Selector
	}
	want := map[string]string{"a": "usual", "b": "other", "c": "usual", "gpu": "usual gpu=yes", "far": "other far=yes", "certs.x": "always"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestDeprecated: the older spelling of a waiver is read, and the warning says what to write instead.
func TestDeprecated(t *testing.T) {
	directory := "testdata/deprecated"
	desired, sources, diags := Load(directory, Options{Types: testTypes(), Environ: testEnviron})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	want := Meta{Without: []Waiver{{Guard: "backup", Reason: "backed up in fra", Position: Position{File: "main.upkeep.hcl", Line: 10}}}}
	if diff := cmp.Diff(want, desired.Resources[0].Meta); diff != "" {
		t.Error(diff)
	}
	var text bytes.Buffer
	if err := WriteText(&text, Describe(diags, sources), TextOptions{Width: 100}); err != nil {
		t.Fatal(err)
	}
	golden(t, directory+"/diagnostics.txt", text.Bytes())
}

// TestExemptions: nodes that are out and findings that are ignored, as a configuration and a plan file have them.
func TestExemptions(t *testing.T) {
	desired := mustLoad(t, map[string]string{"a.upkeep.hcl": `
nodes "gpu" {
  selector = "gpu=yes"
}
out "gpu7.example.net" {
  reason = "RMA 1234"
  owner  = "ops"
  until  = "2027-01-31"
}
out "rack" {
  for_each = toset(["gpu1", "gpu2"])
  reason   = "rack moves, ${each.key}"
  owner    = "dc"
  until    = "2027-02-28"
}
ignore "rma" {
  finding = "NVIDIA_XID_63"
  nodes   = ["gpu7", "gpu8"]
  reason  = "RMA 1234"
  owner   = "ops"
  until   = "2027-01-31"
}
`})
	at := func(line int) Position { return Position{File: "a.upkeep.hcl", Line: line} }
	want := Desired{
		Outs: []Out{
			{Node: "gpu7.example.net", Reason: "RMA 1234", Owner: "ops", Until: "2027-01-31", Position: at(5)},
			{Node: "gpu1", Reason: "rack moves, gpu1", Owner: "dc", Until: "2027-02-28", Position: at(10)},
			{Node: "gpu2", Reason: "rack moves, gpu2", Owner: "dc", Until: "2027-02-28", Position: at(10)},
		},
		Ignores: []Ignore{{
			Name: "rma", Finding: "NVIDIA_XID_63", Nodes: []string{"gpu7", "gpu8"}, Reason: "RMA 1234", Owner: "ops", Until: "2027-01-31", Position: at(16),
		}},
	}
	if diff := cmp.Diff(want, Desired{Outs: desired.Outs, Ignores: desired.Ignores}); diff != "" {
		t.Error(diff)
	}
	if diff := diffDesired(desired, roundTrip(t, desired)); diff != "" {
		t.Errorf("a plan file (-before +after):\n%s", diff)
	}
}

func TestUntil(t *testing.T) {
	until, err := ParseUntil("2027-01-31")
	if err != nil {
		t.Fatal(err)
	}
	for at, ended := range map[string]bool{
		"2027-01-30T00:00:00Z": false, "2027-01-31T23:59:59Z": false, "2027-02-01T00:00:00Z": true, "2027-02-01T00:30:00+01:00": false,
	} {
		now, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if until.Ended(now) != ended {
			t.Errorf("at %s: ended is %t", at, !ended)
		}
	}
	for _, wrong := range []string{"", "31.01.2027", "2027-02-30", "2027-1-1", "2027-01-31T00:00:00Z"} {
		if _, err := ParseUntil(wrong); err == nil {
			t.Errorf("%q is a date", wrong)
		}
	}
}
