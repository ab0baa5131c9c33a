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

// TestWhatTheParserCannotBear: what takes the parser time that grows with its square, or its stack, is a diagnostic.
// Commas and newlines within an expression end no chain.
func TestWhatTheParserCannotBear(t *testing.T) {
	const n = 30000
	for name, test := range map[string]struct{ value, summary string }{
		"operators":                 {"1" + strings.Repeat("+1", n), "Expression too long"},
		"operators on lines":        {"[1" + strings.Repeat("\n+1", n) + "]", "Expression too long"},
		"operators on lines of for": {"{\n for k in [] : k => 1" + strings.Repeat("\n+1", n) + "}", "Expression too long"},
		"operators and calls":       {"max(1,2)" + strings.Repeat("+max(1,2)", n), "Expression too long"},
		"comparisons":               {"true" + strings.Repeat("&&true", n), "Expression too long"},
		"indices":                   {"[1]" + strings.Repeat("[0]", n), "Expression too long"},
		"splats":                    {"[1]" + strings.Repeat("[*]", n), "Expression too long"},
		"attributes":                {"{}" + strings.Repeat(".a", n), "Expression too long"},
		"conditionals and calls":    {strings.Repeat("true?max(1,2):", n) + "1", "Nested too deeply"},
		"directives if":             {"\"" + strings.Repeat("%{if true}", n) + strings.Repeat("%{endif}", n) + "\"", "Nested too deeply"},
		"directives for":            {"\"" + strings.Repeat("%{~ for x in [1] ~}", n) + strings.Repeat("%{endfor}", n) + "\"", "Nested too deeply"},
		"directives in a heredoc":   {"<<X\n" + strings.Repeat("%{if true}\n", n) + strings.Repeat("%{endif}\n", n) + "X", "Nested too deeply"},
		"number":                    {strings.Repeat("1", n), "Number too long"},
		"heredoc":                   {"<<X\n" + strings.Repeat("x\n", n) + "X", "Text too long"},
		"heredocs":                  {"[" + strings.Repeat("<<X\n"+strings.Repeat("x\n", 3000)+"X\n,", 60) + "]", "Text too long"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, diags := Load(write(t, map[string]string{"a.upkeep.hcl": "locals {\n  a = " + test.value + "\n}\n"}), Options{})
			if len(diags) != 1 || diags[0].Summary != test.summary {
				t.Errorf("%d diagnostics, the first: %.200v", len(diags), diags)
			}
			if diags := Syntax([]byte("a = "+test.value+"\n"), "a"); len(diags) != 1 || diags[0].Summary != test.summary {
				t.Errorf("of the syntax: %d diagnostics, the first: %.200v", len(diags), diags)
			}
		})
	}
}

// TestLargeFilesAreNotTooMuch: many short expressions, a long script and many lists of lists are what people write.
func TestLargeFilesAreNotTooMuch(t *testing.T) {
	for name, value := range map[string]string{
		"sums":       "[\n" + strings.Repeat("1 + max(2, 3) * 4,\n", 5000) + "]",
		"an object":  "{\n" + strings.Repeat("\"a.b\" = [[1], [2]][0][0] + 1\n", 1) + "}",
		"a script":   "<<-X\n" + strings.Repeat("  if [ $a -gt 1 ]; then echo \"%%{x}\" && a=$(($a+1)); fi\n", 1500) + "X",
		"directives": "\"" + strings.Repeat("%{if true}a%{else}b%{endif}", 2000) + "\"",
	} {
		t.Run(name, func(t *testing.T) {
			_, _, diags := Load(write(t, map[string]string{"a.upkeep.hcl": "locals {\n  a = " + value + "\n}\n"}), Options{})
			if len(diags) > 0 {
				t.Errorf("%.300v", diags)
			}
		})
	}
}
