package config

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Options is what a configuration depends on in addition to its files.
type Options struct {
	// Types are the registered block types.
	Types []BlockType
	// Variables are the values of -var and -var-file in the order given; the last one wins.
	Variables []VariableAssignment
	// Environ is the environment as os.Environ returns it, for UPKEEP_VAR_NAME, env() and HOME.
	Environ []string
	// Findings are the ids that an ignore block may name; nil: any.
	Findings []string
	// Trust says what expressions may read of the machine; AllowEnv names environment variables that they may read anyway.
	Trust    Trust
	AllowEnv []string
	// Read is told every file that the configuration reads: its own, and those of file() and of arguments. Nil: nobody.
	Read func(path string)
	// Selector checks a label selector of Kubernetes; nil: any is right.
	Selector func(string) error
	// Version is upkeep's own version, for required_version; empty satisfies every constraint.
	Version string
}

// Sources holds the files that were read, by the file name in ranges, without the literals of secret arguments.
// Rendering a diagnostic needs them.
type Sources map[string]*hcl.File

// Load reads the configuration in a directory: every file that ends in .upkeep.hcl and those that they include. All
// problems come back at once, in the order of their places. The desired state is empty where one of them is an error.
// The sources are there in any case.
func Load(directory string, o Options) (Desired, Sources, hcl.Diagnostics) {
	l := newLoader(directory, o)
	if l.readFiles(); len(l.sources) > 0 {
		l.collect()
		l.assignVariables()
		l.resolveAll()
		l.decodeAll()
		l.sayWhatWasLeft()
	}
	diags := l.settle()
	sources := l.sources.masked(l.entries)
	if diags.HasErrors() {
		return Desired{}, sources, diags
	}
	return l.desired, sources, diags
}

// loader is one run of Load.
type loader struct {
	directory string
	options   Options
	entries   map[string]entry
	sources   Sources
	diags     hcl.Diagnostics
	functions *hcl.EvalContext
	reach     reach
	// left is what an Unread configuration did not read.
	left []string
	// partial: a file could not be read or parsed to its end. What is not declared may be declared there.
	partial bool
	// valuesPartial is the same of a file of variables.
	valuesPartial bool
	budget        *budget
	// budgetReported: the diagnostic of what was too much is written.
	budgetReported bool

	files        []*hclsyntax.Body
	declarations []*declaration
	byAddress    map[string]*declaration
	variables    map[string]*variable
	locals       map[string]*local
	// stack is what is being resolved, to find cycles.
	stack []string

	desired Desired
	// later are the questions that can be answered once every block of the language is decoded.
	later []func()
	// defaults is what the defaults block says; the zero value where there is none.
	defaults defaults
	// roles are those that any declared node or fleet has; nil until all of them are decoded.
	roles map[string]bool
	// nodes are the accepted nodes by name; primary is the one of them that is.
	nodes map[string]Node
	// machines are the nodes by the places that they are reached at.
	machines map[string]Node
	primary  *Node
	// owners are the blocks that things belong to, by what BlockType.Owns calls them.
	owners map[string]owner
	// nodesKnown and nodesFailed hold the answer of failedNodes.
	nodesKnown, nodesFailed bool
}

// entry is a block type with what the language itself must know of it.
type entry struct {
	BlockType
	// single: at most one such block.
	single bool
	// plain: no for_each.
	plain bool
	// unnamed: nothing can refer to it, although it has a label.
	unnamed bool
	// names is what its label may be; nil: what an address can name.
	names *regexp.Regexp
	// declare takes a block that is not decoded as others are; nil: it is.
	declare func(*loader, *declaration)
	// refer returns what a reference to one instance stands for; nil: the reference itself.
	refer func(Reference) cty.Value
	// check reports what Load would not have let into a desired state; nil: nothing.
	check func(Desired) error
	// registered: the type came by Options.Types.
	registered bool
}

// declaration is one block of a file.
type declaration struct {
	entry
	block *hclsyntax.Block
	// body holds only what the schema knows.
	body    *hclsyntax.Body
	forEach hclsyntax.Expression
	name    string
	ranges  map[string]hcl.Range
	// sound: the structure of the block is right.
	sound bool

	resolved  bool
	visiting  bool
	failed    bool
	instances []instance
	reference cty.Value
	// keys are those of the instances; nil until they are asked for.
	keys map[string]bool
}

// instance is one of the blocks that for_each makes, or the only one.
type instance struct {
	key   string
	value cty.Value
}

func (d *declaration) address() string { return d.Name + "." + d.name }

func newLoader(directory string, o Options) *loader {
	l := &loader{
		directory: directory,
		options:   o,
		entries:   map[string]entry{},
		sources:   Sources{},
		byAddress: map[string]*declaration{},
		variables: map[string]*variable{},
		locals:    map[string]*local{},
		desired:   Desired{State: defaultState()},
	}
	for _, t := range o.Types {
		l.entries[t.Name] = registeredEntry(t)
	}
	for _, e := range language() {
		l.entries[e.Name] = e
	}
	l.reach = reach{directory: directory, trust: o.Trust, environ: o.Environ, allowEnv: o.AllowEnv, left: func(what string) {
		if !slices.Contains(l.left, what) {
			l.left = append(l.left, what)
		}
	}}
	l.reach.told = o.Read
	l.budget = &budget{now: time.Now}
	l.functions = &hcl.EvalContext{Functions: l.budget.bounded(functions(l.reach)), Variables: map[string]cty.Value{}}
	maps.Copy(l.functions.Functions, l.budget.hooks())
	return l
}

// sayWhatWasLeft warns of what was not checked.
func (l *loader) sayWhatWasLeft() {
	for _, what := range l.left {
		l.report(&hcl.Diagnostic{Severity: hcl.DiagWarning, Summary: "Not checked", Detail: what +
			" was not read, so what depends on its value was not checked. The option -trusted reads it."})
	}
}

func (l *loader) report(d ...*hcl.Diagnostic) { l.diags = append(l.diags, d...) }

// errorAt reports an error about a range.
func (l *loader) errorAt(r hcl.Range, summary, format string, args ...any) {
	l.report(&hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...), Subject: &r})
}

// place names a position in a message.
func (l *loader) place(r hcl.Range) string { return PositionOf(r, l.directory).String() }

// path returns a path meant against the configuration directory, with ~ expanded, absolute.
func (l *loader) path(p string) string {
	if p = expandHome(p, l.options.Environ); p == "" || filepath.IsAbs(p) {
		return p
	}
	p = filepath.Join(l.directory, p)
	if absolute, err := filepath.Abs(p); err == nil {
		return absolute
	}
	return p
}

// expandHome replaces a leading ~ by HOME of the environment.
func expandHome(p string, environ []string) string {
	if p != "~" && !strings.HasPrefix(p, "~/") {
		return p
	}
	if home, ok := lookupEnv(environ, "HOME"); ok && home != "" {
		return filepath.Join(home, p[1:])
	}
	return p
}

// settle orders diagnostics by place and leaves out repetitions: a mistake in a block with for_each is one mistake.
func (l *loader) settle() hcl.Diagnostics {
	type identity struct {
		severity         hcl.DiagnosticSeverity
		summary, detail  string
		file             string
		start, end, line int
	}
	seen := map[identity]bool{}
	var out hcl.Diagnostics
	for _, d := range l.diags {
		id := identity{severity: d.Severity, summary: d.Summary}
		if d.Subject == nil {
			id.detail = d.Detail
		} else {
			id.file, id.start, id.end, id.line = d.Subject.Filename, d.Subject.Start.Byte, d.Subject.End.Byte, d.Subject.Start.Line
		}
		if !seen[id] {
			seen[id] = true
			out = append(out, l.improve(withoutSecrets(d)))
		}
	}
	slices.SortStableFunc(out, func(a, b *hcl.Diagnostic) int {
		return cmp.Or(
			cmp.Compare(place(a).Filename, place(b).Filename),
			cmp.Compare(place(a).Start.Byte, place(b).Start.Byte),
			cmp.Compare(a.Summary, b.Summary),
			cmp.Compare(a.Detail, b.Detail),
		)
	})
	return mostOf(out)
}

// mostDiagnostics bounds how many problems of one configuration are told.
const mostDiagnostics = 500

// mostOf leaves out what nobody reads, and says so. An error that is left out leaves an error.
func mostOf(diags hcl.Diagnostics) hcl.Diagnostics {
	if len(diags) <= mostDiagnostics {
		return diags
	}
	kept, rest := slices.Clone(diags[:mostDiagnostics]), diags[mostDiagnostics:]
	more := problem("More problems", fmt.Sprintf("%d more problems are not shown. Repair those above first.", len(rest)))
	if !rest.HasErrors() {
		more.Severity = hcl.DiagWarning
	}
	return append(kept, more)
}

func place(d *hcl.Diagnostic) hcl.Range {
	if d.Subject == nil {
		return hcl.Range{}
	}
	return *d.Subject
}
