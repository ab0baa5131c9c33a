package main

import (
	"bytes"
	"os"
	"path/filepath"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/urfave/cli/v3"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/providers"
	"upkeep/providers/kube"
)

// loaded is what reading a configuration directory came to.
type loaded struct {
	directory string // absolute
	desired   config.Desired
	sources   config.Sources
	diags     hcl.Diagnostics
	// read are the files that it read besides, such as those of file().
	read []string
}

func load(env environment, cmd *cli.Command, directory string, types []providers.Type) (loaded, error) {
	l := loaded{directory: directory}
	trust, allowed, err := trustOf(cmd)
	if err != nil {
		return l, err
	}
	l.desired, l.sources, l.diags = config.Load(directory, config.Options{
		Types: planner.BlockTypes(types), Variables: variables(cmd), Environ: env.environ, Version: version, Findings: findingIDs(types),
		Selector: kube.CheckSelector, Trust: trust, AllowEnv: allowed,
		Read: func(path string) { l.read = append(l.read, path) },
	})
	l.diags = append(l.diags, windowDiagnostics(l, types, env.now())...)
	l.diags = append(l.diags, warnTracked(directory, l.desired)...)
	if recorded := hasFlag(cmd, "facts") && cmd.String("facts") != ""; !recorded && !l.diags.HasErrors() {
		severity := hcl.DiagWarning
		if cmd.Name == "validate" {
			severity = hcl.DiagError
		}
		l.diags = append(l.diags, kubeconfigDiagnostics(l, severity)...)
	}
	return l, nil
}

// readConfiguration reads the configuration directory of a command, and prints its diagnostics; an error among them
// ends the command.
func readConfiguration(env environment, cmd *cli.Command) (loaded, error) {
	directory, err := directoryOf(cmd)
	if err != nil {
		return loaded{}, err
	}
	read, err := load(env, cmd, directory, domains())
	if err != nil {
		return read, err
	}
	return read, read.print(env, cmd)
}

// argument is where an argument of the block at a position stands; the line of the block where that is not known.
func (l loaded) argument(at config.Position, name string) *hcl.Range {
	line := l.line(at)
	source := l.sources[line.Filename]
	if source == nil {
		return line
	}
	body, parsed := source.Body.(*hclsyntax.Body)
	if !parsed {
		return line
	}
	for _, block := range body.Blocks {
		if written := block.Body.Attributes[name]; block.TypeRange.Start.Line == at.Line && written != nil {
			return &written.SrcRange
		}
	}
	return line
}

// line is the range of the line at which something is declared.
func (l loaded) line(at config.Position) *hcl.Range {
	r := hcl.Range{Filename: filepath.Join(l.directory, filepath.FromSlash(at.File)), Start: hcl.Pos{Line: at.Line, Column: 1}}
	r.End = r.Start
	source, known := l.sources[r.Filename]
	if !known {
		return &r
	}
	number := 0
	for text := range bytes.Lines(source.Bytes) {
		if number++; number == at.Line {
			text = bytes.TrimRight(text, "\r\n")
			r.End = hcl.Pos{Line: at.Line, Column: utf8.RuneCount(text) + 1, Byte: r.Start.Byte + len(text)}
			return &r
		}
		r.Start.Byte += len(text)
	}
	return &r
}

// print shows all diagnostics on the terminal's error side; an error among them ends the command.
func (l loaded) print(env environment, cmd *cli.Command) error {
	t := terminalOf(env, env.stderr, cmd.Bool("no-color"))
	described := fromHere(config.Describe(l.diags, l.sources))
	if err := config.WriteText(env.stderr, described, config.TextOptions{Color: t.Colour, Width: t.Width}); err != nil {
		return err
	}
	if l.diags.HasErrors() {
		return &misconfigured{described}
	}
	return nil
}

// printJSON writes the answer of `validate -json`.
func (l loaded) printJSON(env environment) error {
	answer := config.Validate(l.diags, l.sources)
	relative(answer.Diagnostics, l.directory)
	if err := printJSON(env.stdout, answer); err != nil {
		return err
	}
	if !answer.Valid {
		return exit{code: exitError}
	}
	return nil
}

// fromHere names the files of diagnostics as seen from the current directory, as a person would type them.
func fromHere(diagnostics []config.Diagnostic) []config.Diagnostic {
	if here, err := os.Getwd(); err == nil {
		relative(diagnostics, here)
	}
	return diagnostics
}

// relative names the files below a directory by their path in it; others keep their whole path.
func relative(diagnostics []config.Diagnostic, directory string) {
	for i := range diagnostics {
		if r := diagnostics[i].Range; r != nil {
			if path, err := filepath.Rel(directory, r.Filename); err == nil && filepath.IsLocal(path) {
				r.Filename = path
			}
		}
	}
}
