package config

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
)

// valueOf loads a configuration that declares var.x and uses it as a host.
func valueOf(t *testing.T, declaration string, extra map[string]string, o Options) (string, hcl.Diagnostics) {
	t.Helper()
	files := map[string]string{"main.upkeep.hcl": declaration + "\nnode \"n\" {\n  host = jsonencode(var.x) == \"null\" ? \"null\" : join(\"-\", flatten([jsondecode(jsonencode(var.x))]))\n}\n"}
	for name, text := range extra {
		files[name] = text
	}
	directory := write(t, files)
	for i := range o.Variables {
		if o.Variables[i].File != "" {
			o.Variables[i].File = filepath.Join(directory, o.Variables[i].File)
		}
	}
	desired, _, diags := Load(directory, o)
	if diags.HasErrors() {
		return "", diags
	}
	return desired.Nodes[0].Host, diags
}

func TestVariablePrecedence(t *testing.T) {
	const declaration = "variable \"x\" {\n  default = \"default\"\n}"
	auto := map[string]string{"a.auto.upkeepvars": "x = \"auto-a\"\n", "b.auto.upkeepvars": "x = \"auto-b\"\n", "other.upkeepvars": "x = \"file\"\n"}
	env := []string{"UPKEEP_VAR_x=env"}
	flag := VariableAssignment{Name: "x", Value: "flag"}
	file := VariableAssignment{File: "other.upkeepvars"}
	for name, test := range map[string]struct {
		extra map[string]string
		o     Options
		want  string
	}{
		"default":                     {nil, Options{}, "default"},
		"environment":                 {nil, Options{Environ: env}, "env"},
		"auto file beats environment": {auto, Options{Environ: env}, "auto-b"},
		"flag beats auto file":        {auto, Options{Environ: env, Variables: []VariableAssignment{flag}}, "flag"},
		"the last of the flags":       {auto, Options{Variables: []VariableAssignment{flag, file}}, "file"},
		"the last of the files":       {auto, Options{Variables: []VariableAssignment{file, flag}}, "flag"},
	} {
		t.Run(name, func(t *testing.T) {
			got, diags := valueOf(t, declaration, test.extra, test.o)
			if got != test.want || len(diags) > 0 {
				t.Errorf("got %q, want %q: %v", got, test.want, diags)
			}
		})
	}
}

func TestVariableValues(t *testing.T) {
	for name, test := range map[string]struct{ declaration, value, want, wrong string }{
		"string":               {"type = string", "a", "a", ""},
		"string like a number": {"type = string", "07", "07", ""},
		"number":               {"type = number", "7", "7", ""},
		"not a number":         {"type = number", "seven", "", "must be a number"},
		"bool":                 {"type = bool", "true", "true", ""},
		"untyped is a string":  {"", "[1", "[1", "not an address"},
		"list":                 {"type = list(string)", `["a", "b"]`, "a-b", ""},
		"list of numbers":      {"type = list(string)", `[1, 2]`, "1-2", ""},
		"any is an expression": {"type = any", `["a"]`, "a", ""},
		"not an expression":    {"type = list(string)", `["a"`, "", "bracket"},
		"no references":        {"type = list(string)", `[var.y]`, "", "Variables may not be used here"},
		"wrong element":        {"type = list(number)", `["a"]`, "", "[0]: a number is required"},
		"object with optional": {"type = list(object({ a = string, b = optional(string, \"z\") }))", `[{ a = "q" }]`, "", "Invalid function argument"},
		"null":                 {"type = list(string)", `null`, "null", ""},
		"null not allowed":     {"type = list(string)\n  nullable = false", `null`, "", "null is not allowed"},
		"null is the default":  {"type = list(string)\n  nullable = false\n  default = [\"d\"]", `null`, "d", ""},
		"validation":           {"type = string\n  validation {\n    condition = length(var.x) == 1\n    error_message = \"One letter.\"\n  }", "ab", "", "One letter."},
	} {
		t.Run(name, func(t *testing.T) {
			got, diags := valueOf(t, "variable \"x\" {\n  "+test.declaration+"\n}", nil, Options{Variables: []VariableAssignment{{Name: "x", Value: test.value}}})
			if test.wrong != "" {
				if text := diags.Error() + summaries(diags); !diags.HasErrors() || !strings.Contains(text, test.wrong) {
					t.Errorf("got %s, want %q", text, test.wrong)
				}
				return
			}
			if got != test.want || len(diags) > 0 {
				t.Errorf("got %q, want %q: %v", got, test.want, diags)
			}
		})
	}
}

func summaries(diags hcl.Diagnostics) string {
	var b strings.Builder
	for _, d := range diags {
		b.WriteString(d.Summary + ": " + d.Detail + "\n")
	}
	return b.String()
}

func TestOptionalAttributesHaveTheirDefaults(t *testing.T) {
	desired, _, diags := Load(write(t, map[string]string{"a.upkeep.hcl": `
variable "hosts" {
  type    = map(object({ host = string, roles = optional(list(string), ["worker"]) }))
  default = { a = { host = "1" }, b = { host = "2", roles = ["etcd"] } }
}
node "n" {
  for_each = var.hosts
  host     = each.value.host
  roles    = each.value.roles
}
`}), Options{})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	if got := desired.Nodes[0].Roles[0] + " " + desired.Nodes[1].Roles[0]; got != "worker etcd" {
		t.Errorf("got %q", got)
	}
}

func TestUndeclaredVariables(t *testing.T) {
	const declaration = "variable \"x\" {\n  default = \"a\"\n}"
	_, diags := valueOf(t, declaration, nil, Options{Variables: []VariableAssignment{{Name: "xs", Value: "1"}}})
	if !diags.HasErrors() || !strings.Contains(summaries(diags), `Did you mean "x"?`) {
		t.Errorf("-var of an unknown variable: %v", diags)
	}
	_, diags = valueOf(t, declaration, map[string]string{"v.auto.upkeepvars": "xs = 1\n"}, Options{})
	if diags.HasErrors() || len(diags) != 1 || diags[0].Severity != hcl.DiagWarning {
		t.Errorf("a file may serve several configurations, so an unknown name in it is a warning: %v", diags)
	}
	_, diags = valueOf(t, declaration, nil, Options{Environ: []string{"UPKEEP_VAR_zzz=1"}})
	if len(diags) > 0 {
		t.Errorf("the environment may serve several configurations: %v", diags)
	}
	_, diags = valueOf(t, declaration, nil, Options{Variables: []VariableAssignment{{File: "gone.upkeepvars"}}})
	if !diags.HasErrors() || !strings.Contains(summaries(diags), "gone.upkeepvars") {
		t.Errorf("a missing file: %v", diags)
	}
	_, diags = valueOf(t, declaration, map[string]string{"v.upkeepvars": "block {\n}\nx = upper(\"a\"\n"}, Options{Variables: []VariableAssignment{{File: "v.upkeepvars"}}})
	if !diags.HasErrors() {
		t.Error("a broken file passes")
	}
}

// TestSensitiveAssignmentsAreNotShown: no way to give a wrong value to a sensitive variable shows it.
func TestSensitiveAssignmentsAreNotShown(t *testing.T) {
	for name, o := range map[string]Options{
		"flag":        {Variables: []VariableAssignment{{Name: "x", Value: "[\"s3cr3t"}}},
		"environment": {Environ: []string{"UPKEEP_VAR_x={ a = \"s3cr3t\" "}},
		"wrong type":  {Variables: []VariableAssignment{{Name: "x", Value: "{ a = \"s3cr3t\" }"}}},
		"file":        {Variables: []VariableAssignment{{File: "v.upkeepvars"}}},
		"broken file": {Variables: []VariableAssignment{{File: "w.upkeepvars"}}},
	} {
		t.Run(name, func(t *testing.T) {
			directory := write(t, map[string]string{
				"main.upkeep.hcl": "variable \"x\" {\n  type      = list(number)\n  sensitive = true\n}\n",
				"v.upkeepvars":    "x = [\"s3cr3t\"]\n",
				"w.upkeepvars":    "x = [\"s3cr3t\n",
			})
			for i := range o.Variables {
				if o.Variables[i].File != "" {
					o.Variables[i].File = filepath.Join(directory, o.Variables[i].File)
				}
			}
			_, sources, diags := Load(directory, o)
			if !diags.HasErrors() {
				t.Fatal("no error")
			}
			for _, d := range Describe(diags, sources) {
				if text := d.Text(TextOptions{}); strings.Contains(text, "s3cr3t") {
					t.Errorf("the secret shows:\n%s", text)
				}
			}
		})
	}
}

func TestParseAssignment(t *testing.T) {
	got, err := ParseAssignment("a=b=c, d")
	if err != nil || got != (VariableAssignment{Name: "a", Value: "b=c, d"}) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, wrong := range []string{"", "a", "=b", "a b=c"} {
		if _, err := ParseAssignment(wrong); err == nil {
			t.Errorf("%q passes", wrong)
		}
	}
}
