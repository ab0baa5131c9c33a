package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// environmentPrefix begins the environment variables that give a variable its value.
const environmentPrefix = "UPKEEP_VAR_"

// VariableAssignment is one -var or -var-file of the command line.
type VariableAssignment struct {
	// Name and Value are those of -var NAME=VALUE.
	Name, Value string
	// File is the path that -var-file names, against the working directory; Name and Value are then empty.
	File string
}

// ParseAssignment reads the argument of -var.
func ParseAssignment(s string) (VariableAssignment, error) {
	name, value, ok := strings.Cut(s, "=")
	name = strings.TrimSpace(name)
	if !ok || !namePattern.MatchString(name) {
		return VariableAssignment{}, fmt.Errorf("-var needs NAME=VALUE, such as -var 'region=fra'; what follows -var here is not that")
	}
	return VariableAssignment{Name: name, Value: value}, nil
}

// assigned is a value that was given to a variable from outside of the configuration.
type assigned struct {
	// text is the value as given; it is parsed once the variable's type is known. Not used where value is set.
	text  string
	value cty.Value
	// source says where it came from, in words. file is the name of its range.
	source string
	at     hcl.Range
	// shown: the source text may be shown in a diagnostic.
	file string
}

// assignments gathers the values given to variables; what comes later wins: the environment, *.auto.upkeepvars in the
// order of their names, then the command line in its order.
func (l *loader) assignments() map[string]assigned {
	out := map[string]assigned{}
	for name := range l.variables {
		if text, ok := lookupEnv(l.options.Environ, environmentPrefix+name); ok {
			out[name] = assigned{text: text, source: "the environment variable " + environmentPrefix + name}
		}
	}
	files, err := filesIn(l.directory, VariablesSuffix)
	if err != nil {
		l.report(problem("Variable files not readable", err.Error()+"."))
	}
	for _, file := range files {
		l.assignFile(out, file, false)
	}
	for _, v := range l.options.Variables {
		switch {
		case v.File != "":
			l.assignFile(out, v.File, true)
		case l.variables[v.Name] == nil && l.partial: // it may be declared in what could not be read
		case l.variables[v.Name] == nil:
			l.report(problem("Value for a variable that is not declared", fmt.Sprintf("-var gives a value to %q, and the configuration declares no such variable.%s", v.Name, hint(v.Name, l.variableNames(), "Declared are"))))
		default:
			out[v.Name] = assigned{text: v.Value, source: "-var"}
		}
	}
	return out
}

// readVariables reads a variable file: wherever it is where the command line names it.
func (l *loader) readVariables(name string, named bool) ([]byte, error) {
	if named {
		return reach{directory: "."}.read(name, largestSource)
	}
	return l.readSource(name)
}

// assignFile reads a variable file: arguments NAME = VALUE, without references.
func (l *loader) assignFile(out map[string]assigned, name string, named bool) {
	src, err := l.readVariables(name, named)
	if err != nil {
		l.valuesPartial = true
		l.report(problem("Variable file not readable", fmt.Sprintf("%s cannot be read: %v. Correct the path after -var-file.", name, reason(err))))
		return
	}
	if found, over := tooMuch(src, name); over {
		l.valuesPartial = true
		l.report(found.in(name))
		return
	}
	file, diags := hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	if !l.anySensitive() {
		// With a sensitive variable about, no line of the file is shown: it may hold the value.
		l.sources[name] = file
		if file == nil {
			l.sources[name] = &hcl.File{Bytes: src}
		}
	}
	l.report(diags...)
	if diags.HasErrors() {
		l.valuesPartial = true
		return
	}
	body := file.Body.(*hclsyntax.Body)
	for _, block := range body.Blocks {
		l.errorAt(block.DefRange(), "Unexpected block", "A variable file has only arguments: NAME = VALUE. Blocks belong into a file that ends in %s.", Suffix)
	}
	l.lint(body)
	for _, attr := range sortedAttributes(body) {
		if l.variables[attr.Name] == nil && l.partial {
			continue // it may be declared in what could not be read
		}
		if l.variables[attr.Name] == nil {
			l.report(&hcl.Diagnostic{
				Severity: hcl.DiagWarning, Summary: "Value for a variable that is not declared",
				Detail:  fmt.Sprintf("The configuration declares no variable %q.%s", attr.Name, hint(attr.Name, l.variableNames(), "Declared are")),
				Subject: attr.NameRange.Ptr(),
			})
			continue
		}
		value, diags := l.constant(attr.Expr)
		l.report(diags...)
		if !diags.HasErrors() {
			out[attr.Name] = assigned{value: value, source: l.place(attr.NameRange), at: attr.Expr.Range(), file: name}
		} else {
			out[attr.Name] = assigned{value: cty.DynamicVal, source: l.place(attr.NameRange), at: attr.Expr.Range(), file: name}
		}
	}
}

func (l *loader) variableNames() []string {
	var names []string
	for name := range l.variables {
		names = append(names, name)
	}
	return names
}

func (l *loader) anySensitive() bool {
	for _, v := range l.variables {
		if v.sensitive {
			return true
		}
	}
	return false
}

// lookupEnv finds a name in an environment of NAME=VALUE strings; the last one counts, as in os/exec.
func lookupEnv(environ []string, name string) (string, bool) {
	for _, entry := range slices.Backward(environ) {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value, true
		}
	}
	return "", false
}
