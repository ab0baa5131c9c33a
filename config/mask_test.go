package config

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// shown is everything that a person is told of a configuration: as JSON, and as text.
func shown(t *testing.T, text string, environ ...string) (string, bool) {
	t.Helper()
	_, sources, diags := Load(write(t, map[string]string{"a.upkeep.hcl": text}), Options{Types: testTypes(), Environ: environ})
	data, err := json.Marshal(Validate(diags, sources))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := WriteText(&out, Describe(diags, sources), TextOptions{}); err != nil {
		t.Fatal(err)
	}
	return string(data) + out.String(), diags.HasErrors()
}

// A message of HCL quotes what it is about. None quotes a sensitive value, however the expression comes by it.
func TestMessagesQuoteNoSensitiveValue(t *testing.T) {
	const head = "variable \"s\" {\n  type = string\n  sensitive = true\n}\nvariable \"l\" {\n  type = list(string)\n  sensitive = true\n}\n"
	for name, expression := range map[string]string{
		"two keys of a for":            "{ for k in [var.s, var.s] : k => 1 }",
		"two keys of a sensitive list": "{ for k in var.l : k => 1 }",
		"derived keys":                 "{ for k in [1, 2] : upper(var.s) => k }",
		"a key of a for in a call":     "keys({ for k in var.l : k => 1 })",
		"an index":                     "{ a = 1 }[var.s]",
		"a number":                     "tonumber(var.s)",
		"arithmetic":                   "1 + var.s",
		"an attribute":                 "var.s.missing",
		"a parsed text":                "jsondecode(var.s)",
		"a key of a parsed text":       "jsondecode(\"{\\\"${var.s}\\\": 1, \\\"${var.s}\\\": 2}\")",
		"a key of parsed YAML":         "yamldecode(\"${var.s}: 1\\n${var.s}: 2\\n\")",
		"an anchor of parsed YAML":     "yamldecode(\"a: *${var.s}\\n\")",
		"a number in parsed YAML":      "yamldecode(\"a: !!int ${var.s}\\n\")",
		"a column of parsed CSV":       "csvdecode(\"${var.s},${var.s}\\n1,2\\n\")",
		"a key that is looked up":      "lookup({}, var.s)",
		"a key of an object":           "{ (var.s) = 1 }.missing",
		"a condition":                  "var.s ? 1 : 2",
		"a splat":                      "[for k in var.l : tonumber(k)]",
	} {
		t.Run(name, func(t *testing.T) {
			got, wrong := shown(t, head+"locals {\n  x = "+expression+"\n}\n", "UPKEEP_VAR_s=hunter2", `UPKEEP_VAR_l=["hunter2", "hunter2"]`)
			if !wrong || strings.Contains(strings.ToLower(got), "hunter2") {
				t.Errorf("wrong %t:\n%s", wrong, got)
			}
		})
	}
}

// A snippet shows no literal of an argument that is secret, in a file that parses and in one that does not.
func TestSnippetsShowNoSecretLiteral(t *testing.T) {
	const node = "node \"a\" {\n  host = \"a\"\n}\n"
	for name, text := range map[string]string{
		"the argument itself":       node + "certs \"x\" {\n  nodes = node.a\n  token = [\"hunter2\"]\n}\n",
		"a line above":              node + "certs \"x\" { nodes = node.missing\n  token = \"hunter2\"\n}\n",
		"on one line":               node + "certs \"x\" { token = \"hunter2\" }\nfoo bar\n",
		"no end of the text":        node + "certs \"x\" {\n  nodes = node.a\n  token = \"hunter2\n}\n",
		"no end of the block":       node + "certs \"x\" {\n  token = \"hunter2\"\n",
		"a heredoc":                 node + "certs \"x\" {\n  nodes = node.a\n  token = [<<E\nhunter2\nE\n  ]\n}\n",
		"a template":                node + "certs \"x\" {\n  nodes = node.a\n  token = \"hunter2${missing}\"\n}\n",
		"a variable's default":      "variable \"s\" {\n  default = { a = \"hunter2\" }\n  type = number\n  sensitive = true\n}\n",
		"a key in a map":            "locals {\n  x = { \"db_password\" = \"hunter2\", b = missing }\n}\n",
		"a number":                  node + "certs \"x\" {\n  nodes = node.a\n  token = [7171717171, missing]\n}\n",
		"a key in a map with colon": "locals {\n  x = { password: \"hunter2\", b: missing }\n}\n",
	} {
		t.Run(name, func(t *testing.T) {
			got, wrong := shown(t, text)
			if !wrong || strings.Contains(got, "hunter2") || name == "a number" && strings.Contains(got, "7171717171") {
				t.Errorf("wrong %t:\n%s", wrong, got)
			}
		})
	}
}

func TestMaskLiterals(t *testing.T) {
	const in = "certs \"x\" {\n  token = \"a${var.b}c\" # why\n  host  = \"plain\"\n}\nvariable \"v\" {\n  default = \"d\"\n}\n"
	const want = "certs \"x\" {\n  token = \"*${var.b}*\" # why\n  host  = \"plain\"\n}\nvariable \"v\" {\n  default = \"d\"\n}\n"
	if diff := cmp.Diff(want, string(maskLiterals([]byte(in), "a", map[string]bool{"token": true}))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Masking moves nothing: the places of diagnostics stay those of the file.
func FuzzMaskLiterals(f *testing.F) {
	for _, seed := range []string{"token = \"a\"", "token = <<E\nx\nE\n", "a { token = [\"x\", { b = \"y\" }]\n}", "token = \"${\"", "variable \"v\" {\n sensitive = true\n default = 1\n}", "token : \"\xff\""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		got := maskLiterals(src, "a", map[string]bool{"token": true})
		if len(got) != len(src) || bytes.Count(got, []byte("\n")) != bytes.Count(src, []byte("\n")) {
			t.Fatalf("%q became %q", src, got)
		}
		if utf8.Valid(src) && !utf8.Valid(got) {
			t.Fatalf("%q became %q, which is no UTF-8", src, got)
		}
	})
}
