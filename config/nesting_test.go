package config

import (
	"strings"
	"testing"
)

// TestDeepNesting: nesting that would exhaust the stack, which ends a process without a way to catch it, is a
// diagnostic.
func TestDeepNesting(t *testing.T) {
	const n = 30000
	for name, value := range map[string]string{
		"lists":        strings.Repeat("[", n) + strings.Repeat("]", n),
		"objects":      strings.Repeat("{a=", n) + "1" + strings.Repeat("}", n),
		"signs":        strings.Repeat("-", n*3) + "1",
		"templates":    strings.Repeat("\"${", n) + "1" + strings.Repeat("}\"", n),
		"calls":        strings.Repeat("upper(", n) + "1" + strings.Repeat(")", n),
		"conditionals": strings.Repeat("true?1:", n) + "1",
		"in comments":  strings.Repeat("[ #]\n", n) + strings.Repeat("]\n", n),
	} {
		t.Run(name, func(t *testing.T) {
			for file, text := range map[string]string{"a.upkeep.hcl": "locals {\n  a = " + value + "\n}\n", "b.auto.upkeepvars": "a = " + value + "\n"} {
				_, _, diags := Load(write(t, map[string]string{"main.upkeep.hcl": "", file: text}), Options{})
				if len(diags) != 1 || diags[0].Summary != "Nested too deeply" {
					t.Errorf("%s: %d diagnostics", file, len(diags))
				}
			}
			_, _, diags := Load(write(t, map[string]string{"main.upkeep.hcl": "variable \"a\" {\n  type = any\n}\n"}),
				Options{Variables: []VariableAssignment{{Name: "a", Value: value}}})
			if len(diags) != 1 || diags[0].Summary != "Nested too deeply" {
				t.Errorf("-var: %d diagnostics", len(diags))
			}
		})
	}
}

// TestManyBracketsAreNotDeep: a large file is not a deep one.
func TestManyBracketsAreNotDeep(t *testing.T) {
	text := "locals {\n  a = [\n" + strings.Repeat("    [{ a = (true ? -1 : 2) }],\n", 10000) + "  ]\n}\n"
	if _, _, diags := Load(write(t, map[string]string{"a.upkeep.hcl": text}), Options{}); len(diags) > 0 {
		t.Error(diags)
	}
}
