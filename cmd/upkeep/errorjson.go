package main

import (
	"strings"

	"upkeep/config"
	"upkeep/planner/report"
	"upkeep/planner/report/events"
)

// errorJSON is what a command prints with -json where an error keeps it from printing anything else.
type errorJSON struct {
	FormatVersion string         `json:"format_version"` // "1.0"
	Version       string         `json:"upkeep_version"`
	Status        report.Verdict `json:"status"` // "error"
	ExitCode      int            `json:"exit_code"`
	Error         string         `json:"error"`
	// Diagnostics say what is wrong with the configuration, as those of `validate -json`.
	Diagnostics []config.Diagnostic `json:"diagnostics"`
}

// misconfigured is the error of a configuration that cannot be used. Its diagnostics have been printed for people.
type misconfigured struct{ diagnostics []config.Diagnostic }

func (*misconfigured) Error() string { return "the configuration has errors" }

// tellJSON says an error to who asked for JSON: as a document of its own where nothing was printed, or, of an apply, as events.
func tellJSON(env environment, printed bool, code int, text string, diagnostics []config.Diagnostic) {
	if text == "" && len(diagnostics) == 0 {
		return // the command has said everything already
	}
	if text == "" {
		text = (*misconfigured)(nil).Error()
	}
	asked, stream := asksJSON(env.args)
	switch {
	case asked && stream:
		out := events.New(env.stdout, env.now)
		if !printed {
			_ = out.Version(version) // who cannot be told here is told on standard error
		}
		for _, d := range diagnostics {
			_ = out.Diagnostic(d.Severity, d.Summary, d.Detail, d.Address)
		}
		if len(diagnostics) == 0 {
			_ = out.Diagnostic("error", text, "", "")
		}
	case asked && !printed:
		if diagnostics == nil {
			diagnostics = []config.Diagnostic{}
		}
		_ = report.JSON(env.stdout, errorJSON{
			FormatVersion: "1.0", Version: version, Status: report.Failed, ExitCode: code, Error: text, Diagnostics: diagnostics,
		})
	}
}

// asksJSON reports whether a command line asks for JSON, and whether for a stream of events, which apply writes. It looks at the
// words, since a command line that cannot be parsed is an error to tell as well.
func asksJSON(args []string) (asked, stream bool) {
	command := ""
	for _, word := range args[min(1, len(args)):] {
		if word == "--" {
			break
		}
		name, value, given := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(word, "-"), "-"), "=")
		switch {
		case !strings.HasPrefix(word, "-"):
			if command == "" {
				command = word
			}
		case name == "json":
			asked = !given || value == "true" || value == "1" || value == "t"
		}
	}
	return asked, command == "apply"
}
