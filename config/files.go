package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Suffix is how every configuration file ends.
const Suffix = ".upkeep.hcl"

// VariablesSuffix is how the variable files end that are read without being named.
const VariablesSuffix = ".auto.upkeepvars"

// readFiles parses the directory's files in the order of their names, then those they include. A file is read once,
// however often it is named, so files may include one another.
func (l *loader) readFiles() {
	names, err := filesIn(l.directory, Suffix)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		l.report(problem("Configuration directory not found", "There is no directory "+l.directory+"."))
		return
	case err != nil:
		l.report(problem("Configuration directory not readable", err.Error()+"."))
		return
	case len(names) == 0:
		l.report(problem("No configuration files", "No file in "+l.directory+" ends in "+Suffix+
			". Write one (see `upkeep schema`), or name the directory that has them."))
		return
	}
	read := map[string]bool{}
	for len(names) > 0 {
		name := names[0]
		names = names[1:]
		if id := identityOf(name); read[id] {
			continue
		} else {
			read[id] = true
		}
		src, err := l.readSource(name)
		if err != nil {
			l.partial = true
			l.report(problem("Configuration file not readable", err.Error()+". Repair the file, or give it a name that does not end in "+Suffix+"."))
			continue
		}
		if body := l.parse(name, src); body != nil {
			l.files = append(l.files, body)
			names = append(names, l.includedBy(name, body)...)
		}
	}
}

// largestSource bounds one file of a configuration, and mostSources how many there are.
const (
	largestSource = 4 << 20
	mostSources   = 1000
)

// readSource reads a file of the configuration.
func (l *loader) readSource(name string) ([]byte, error) {
	if len(l.sources) >= mostSources {
		return nil, fmt.Errorf("a configuration has at most %d files", mostSources)
	}
	absolute, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	if err := irregular(name); err != nil {
		return nil, err
	}
	r := l.reach
	if r.trust == Unread {
		r.trust = Trusted // which files belong to a configuration does not depend on the machine
	}
	data, err := r.read(absolute, largestSource)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, reason(err))
	}
	return data, nil
}

func (l *loader) parse(name string, src []byte) *hclsyntax.Body {
	if found, over := tooMuch(src, name); over {
		l.partial = true
		l.sources[name] = &hcl.File{Bytes: src}
		l.errorAt(found.at, found.summary, "%s", found.detail)
		return nil
	}
	file, diags := hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	l.report(withoutEchoes(diags)...)
	if file == nil {
		l.partial = true
		l.sources[name] = &hcl.File{Bytes: src}
		return nil
	}
	l.sources[name] = file
	body := file.Body.(*hclsyntax.Body)
	if diags.HasErrors() {
		l.partial = true
		return before(body, diags)
	}
	return body
}

// before returns the blocks that end before the first error of their file: what follows may be half of something.
func before(body *hclsyntax.Body, diags hcl.Diagnostics) *hclsyntax.Body {
	first := body.EndRange.End.Byte
	for _, d := range diags {
		if d.Severity == hcl.DiagError && d.Subject != nil {
			first = min(first, d.Subject.Start.Byte)
		}
	}
	out := &hclsyntax.Body{Attributes: hclsyntax.Attributes{}, SrcRange: body.SrcRange, EndRange: body.EndRange}
	for _, block := range body.Blocks {
		if end := block.CloseBraceRange.End.Byte; end > 0 && end <= first && end > block.OpenBraceRange.Start.Byte {
			out.Blocks = append(out.Blocks, block)
		}
	}
	return out
}

// includedBy returns the files that the include blocks of a file name, relative to that file.
func (l *loader) includedBy(name string, body *hclsyntax.Body) []string {
	var found []string
	for _, block := range body.Blocks {
		attr, ok := block.Body.Attributes["files"]
		if block.Type != "include" || !ok {
			continue
		}
		value, diags := attr.Expr.Value(nil)
		l.report(diags...)
		if diags.HasErrors() {
			continue
		}
		patterns, ok := stringsIn(value)
		if !ok {
			l.errorAt(attr.Expr.Range(), "Invalid include", `"files" must be a list of paths in quotation marks, such as ["gpu/*%s"].`, Suffix)
			continue
		}
		if len(patterns) == 0 {
			l.errorAt(attr.Expr.Range(), "Invalid include", `"files" names no file. Name one, such as "gpu/*%s", or remove the block.`, Suffix)
		}
		for _, pattern := range patterns {
			found = append(found, l.match(name, pattern, attr.Expr.Range())...)
		}
	}
	return found
}

func (l *loader) match(from, pattern string, at hcl.Range) []string {
	if l.reach.trust == Untrusted {
		absolute := pattern
		if !filepath.IsAbs(pattern) {
			absolute, _ = filepath.Abs(filepath.Join(filepath.Dir(from), pattern)) // a name of this process's directory
		}
		if _, err := l.reach.local(absolute); err != nil {
			l.partial = true
			l.errorAt(at, "Included file outside of the directory", "%q leads out of the configuration directory, and a configuration that another person wrote includes only files below it.", pattern)
			return nil
		}
	}
	full := pattern
	if !filepath.IsAbs(pattern) {
		full = filepath.Join(filepath.Dir(from), pattern)
	}
	if !strings.HasSuffix(pattern, Suffix) {
		l.errorAt(at, "Invalid include", "%q does not end in %s. Configuration files do; rename the file, or correct the pattern.", pattern, Suffix)
		return nil
	}
	matches, err := filepath.Glob(full)
	if err != nil {
		l.errorAt(at, "Invalid include", "%q is not a pattern: %s.", pattern, err)
		return nil
	}
	if len(matches) == 0 {
		l.partial = true
		l.errorAt(at, "Included file not found", "No file matches %q (looked for %s).", pattern, filepath.ToSlash(full))
	}
	return matches
}

// filesIn returns the files of a directory with a suffix, sorted by name, whatever they are: what cannot be read is an
// error of whoever reads it, and never left out. Hidden files are left out, as everywhere: editors keep their own so.
func filesIn(directory, suffix string) ([]string, error) {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), suffix) && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, filepath.Join(directory, e.Name()))
		}
	}
	return names, nil
}

// irregular says why a file is no regular one, nor a link to one. Reading a pipe could wait for ever.
func irregular(name string) error {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		if target, linked := os.Readlink(name); linked == nil {
			return fmt.Errorf("%s is a link to %s, which does not exist", name, target)
		}
	}
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s is a directory, not a file", name)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file", name)
	}
	return nil
}

// identityOf returns a name that is the same for every way to name a file.
func identityOf(name string) string {
	if absolute, err := filepath.Abs(name); err == nil {
		name = absolute
	}
	if real, err := filepath.EvalSymlinks(name); err == nil {
		name = real
	}
	return name
}

// stringsIn returns the strings of a list, tuple or set; false where it holds anything else.
func stringsIn(v cty.Value) ([]string, bool) {
	if v.IsNull() || !v.IsWhollyKnown() || v.ContainsMarked() || !(v.Type().IsTupleType() || v.Type().IsListType() || v.Type().IsSetType()) {
		return nil, false
	}
	out := []string{}
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		if e.IsNull() || e.Type() != cty.String {
			return nil, false
		}
		out = append(out, e.AsString())
	}
	return out, true
}

// problem is an error that has no place in a file.
func problem(summary, detail string) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail}
}
