package config

import (
	"strings"
	"testing"
)

// What is looked up by its name stands once: HCL, JSON and CSV keep the last of two without a word.
func TestNamesStandOnce(t *testing.T) {
	for name, test := range map[string]struct{ expression, want string }{
		"two keys":                    {`{ a = 1, a = 2 }`, "Duplicate key"},
		"a key in quotes":             {`{ a = 1, "a" = 2 }`, "Duplicate key"},
		"a key that is evaluated":     {`{ a = 1, (local.k) = 2 }`, "Duplicate key"},
		"a key that is a template":    {`{ ab = 1, "a${local.b}" = 2 }`, "Duplicate key"},
		"two that are evaluated":      {`{ (local.k) = 1, (local.k) = 2 }`, "Duplicate key"},
		"a number":                    {`{ "1" = 1, (local.one) = 2 }`, "Duplicate key"},
		"inside a call":               {`merge({ a = 1, (local.k) = 2 }, {})`, "Duplicate key"},
		"inside a list":               {`[{ a = 1 }, { a = 1, (local.k) = 2 }]`, "Duplicate key"},
		"a sensitive one":             {`{ (var.s) = 1, (var.s) = 2 }`, "Duplicate key"},
		"two objects":                 {`[{ a = 1 }, { (local.k) = 2 }]`, ""},
		"others":                      {`{ a = 1, (local.b) = 2 }`, ""},
		"laid over":                   {`merge({ a = 1 }, { (local.k) = 2 })`, ""},
		"JSON":                        {`jsondecode("{\"a\": 1, \"a\": 2}")`, "a key stands twice"},
		"JSON, escaped":               {`jsondecode("{\"a\": 1, \"\\u0061\": 2}")`, "a key stands twice"},
		"JSON, deep":                  {`jsondecode("[{\"a\": {\"b\": 1, \"b\": 1}}]")`, "a key stands twice"},
		"JSON in another case":        {`jsondecode("{\"a\": 1, \"A\": 2}")`, ""},
		"JSON made of what is merged": {`jsondecode(jsonencode({ a = 1 }))`, ""},
		"YAML":                        {`yamldecode("a: 1\na: 2\n")`, "a key stands twice"},
		"YAML, deep":                  {`yamldecode("a:\n- {b: 1, b: 1}\n")`, "a key stands twice"},
		"CSV":                         {`csvdecode("a,b,a\n1,2,3\n")`, "has the name of an earlier one"},
		"CSV, once":                   {`csvdecode("a,b\n1,2\n")`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			const head = "variable \"s\" {\n  type = string\n  sensitive = true\n}\nlocals {\n  k = \"a\"\n  b = \"b\"\n  one = 1\n}\n"
			got, wrong := shown(t, head+"locals {\n  x = "+test.expression+"\n}\n", "UPKEEP_VAR_s=hunter2")
			if wrong != (test.want != "") || !strings.Contains(got, test.want) || strings.Contains(got, "hunter2") {
				t.Errorf("want %q, got:\n%s", test.want, got)
			}
		})
	}
}
