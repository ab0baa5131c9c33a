package config

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// TestTextIsSafeForATerminal: what stands in a file or its name cannot move the cursor or change colours.
func TestTextIsSafeForATerminal(t *testing.T) {
	directory := write(t, map[string]string{"a\x1b[2J.upkeep.hcl": "node \"a\x1b[2Jb\" {\n\thost = \"\x1b]0;x\a\u202e\xff\"\n}\n"})
	_, sources, diags := Load(directory, Options{})
	if !diags.HasErrors() {
		t.Fatal("no error")
	}
	var text bytes.Buffer
	if err := WriteText(&text, Describe(diags, sources), TextOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"\x1b", "\a", "\u202e", "\xff", "\t"} {
		if strings.Contains(text.String(), bad) {
			t.Errorf("%q reaches the terminal:\n%s", bad, text.String())
		}
	}
}

func TestLongConstructsShowTheirFirstLine(t *testing.T) {
	directory := write(t, map[string]string{"a.upkeep.hcl": "node \"a\" {\n  host = [\n" + strings.Repeat("    1,\n", 20) + "  ]\n}\n"})
	_, sources, diags := Load(directory, Options{})
	got := Describe(diags, sources)
	if len(got) != 1 || got[0].Snippet == nil {
		t.Fatalf("got %+v", got)
	}
	s := got[0].Snippet
	if s.Code != "  host = [" || s.Code[s.HighlightStartOffset:s.HighlightEndOffset] != "[" {
		t.Errorf("got %+v", s)
	}
}

func TestDiagnosticsWithoutAPlace(t *testing.T) {
	d := Describe(hcl.Diagnostics{{Severity: hcl.DiagWarning, Summary: "Odd", Detail: "First line.\n  kept as it is, however long this line may be when it begins with a blank\nThe rest is wrapped where it is too long."}}, nil)
	want := "\n╷\n│ Warning: Odd\n│\n│ First line.\n│   kept as it is, however long this line may be when it begins with a blank\n│ The rest is wrapped\n│ where it is too\n│ long.\n╵\n"
	if diff := cmp.Diff(want, d[0].Text(TextOptions{Width: 22})); diff != "" {
		t.Error(diff)
	}
}

func TestStatements(t *testing.T) {
	for want, v := range map[string]cty.Value{
		`is "a"`:                            cty.StringVal("a"),
		`is a string of 200 bytes`:          cty.StringVal(strings.Repeat("x", 200)),
		`is 1.5`:                            cty.NumberFloatVal(1.5),
		`is true`:                           cty.True,
		`is null`:                           cty.NullVal(cty.String),
		``:                                  cty.DynamicVal,
		`has a sensitive value`:             cty.StringVal("a").Mark(sensitiveMark{}),
		`is an object with 1 attribute`:     cty.ObjectVal(map[string]cty.Value{"a": cty.True}),
		`is a tuple with 2 elements`:        cty.TupleVal([]cty.Value{cty.True, cty.True}),
		`is a map of number with 1 element`: cty.MapVal(map[string]cty.Value{"a": cty.Zero}),
		`is a set of nodes`:                 cty.CapsuleVal(SelectionType, &Selection{}),
		`is a connection`:                   cty.CapsuleVal(ConnectionType, &Reference{}),
	} {
		if got := statementOf(v); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestDiagnosticsDoNotFlood: whatever a file repeats, and however long its lines are, what is told of it stays
// short.
func TestDiagnosticsDoNotFlood(t *testing.T) {
	const n = 20000
	for name, text := range map[string]string{
		"a key again and again":   "locals {\n  a = {" + strings.Repeat("k = 1, ", n) + "}\n}\n",
		"a block again and again": strings.Repeat("foo \"a\" {}\n", n),
		"a long line":             "locals {\n  a = [" + strings.Repeat("1, ", n) + "local.none]\n}\n",
		"labels":                  "foo " + strings.Repeat("\"x\" ", n) + "{}\n",
		"a long name":             "node \"" + strings.Repeat("ä", n) + "\" {}\n",
		"a long argument":         strings.Repeat("a", n) + " = 1\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, sources, diags := Load(write(t, map[string]string{"a.upkeep.hcl": text}), Options{})
			if !diags.HasErrors() {
				t.Fatal("no error")
			}
			var told bytes.Buffer
			if err := WriteText(&told, Describe(diags, sources), TextOptions{}); err != nil {
				t.Fatal(err)
			}
			if len(diags) > mostDiagnostics+1 || told.Len()/len(diags) > 12000 || !utf8.Valid(told.Bytes()) {
				t.Errorf("%d diagnostics, %d bytes", len(diags), told.Len())
			}
		})
	}
}

// TestTheRestOfTheDiagnostics: warnings before an error never make a configuration right.
func TestTheRestOfTheDiagnostics(t *testing.T) {
	warning := &hcl.Diagnostic{Severity: hcl.DiagWarning, Summary: "Odd"}
	many := make(hcl.Diagnostics, mostDiagnostics+3)
	for i := range many {
		many[i] = warning
	}
	if got := mostOf(many); got.HasErrors() || len(got) != mostDiagnostics+1 || !strings.HasPrefix(got[mostDiagnostics].Detail, "3 more problems") {
		t.Errorf("of warnings: %v", got[mostDiagnostics:])
	}
	many[len(many)-1] = problem("Wrong", "It is wrong.")
	if got := mostOf(many); !got.HasErrors() {
		t.Error("an error that is left out leaves none")
	}
}
