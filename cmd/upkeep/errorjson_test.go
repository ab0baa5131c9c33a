package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v3"
)

// withJSON returns the names of all commands that have -json, "backup list".
func withJSON(command *cli.Command, above string) (names []string) {
	name := strings.TrimSpace(above + " " + command.Name)
	for _, flag := range command.Flags {
		if slices.Contains(flag.Names(), "json") {
			names = append(names, name)
		}
	}
	for _, below := range command.Commands {
		names = append(names, withJSON(below, name)...)
	}
	return names
}

// TestEveryErrorIsToldInJSON runs every command that has -json where it cannot work: who reads JSON reads that it failed.
func TestEveryErrorIsToldInJSON(t *testing.T) {
	const sound = "cluster {\n  kubeconfig = \"kubeconfig\"\n}\n\nnode \"cp1\" {\n  host  = \"10.0.0.11\"\n  roles = [\"control-plane\"]\n}\n\n" +
		"certificates \"a\" {\n  window  = \"always\"\n  nodes   = role(\"control-plane\")\n  without = { backup = \"a test\" }\n}\n"
	names := withJSON(app(environment{args: []string{"upkeep"}, now: time.Now}), "")
	if len(names) < 20 {
		t.Fatalf("only %q have -json", names)
	}
	for situation, files := range map[string]map[string]string{
		"a broken configuration":  {"a.upkeep.hcl": "cluster {\n  kubeconfig = 1 +\n}\n"},
		"a damaged state":         {"a.upkeep.hcl": sound, "upkeep.state.json": `{"version": 1, "lin`},
		"words that mean nothing": {"a.upkeep.hcl": sound},
	} {
		for _, name := range names {
			t.Run(situation+"/"+name, func(t *testing.T) {
				directory := t.TempDir()
				t.Chdir(directory)
				for file, text := range files {
					if err := os.WriteFile(filepath.Join(directory, file), []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				args := append(append([]string{"upkeep"}, strings.Fields(strings.TrimPrefix(name, "upkeep"))...), "-json")
				if situation == "words that mean nothing" {
					args = append(args, "-no-such-flag")
				}
				var stdout, stderr bytes.Buffer
				code := run(context.Background(), environment{args: args, stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, environ: os.Environ(), now: func() time.Time { return placeNow }})
				if code == 0 {
					if situation == "words that mean nothing" {
						t.Errorf("exit 0")
					}
					return // it needs neither configuration nor state
				}
				checkErrorJSON(t, name, stdout.String(), stderr.String())
			})
		}
	}
}

func checkErrorJSON(t *testing.T, name, stdout, stderr string) {
	t.Helper()
	if name == "upkeep apply" {
		last := stdout[strings.LastIndex(strings.TrimSuffix(stdout, "\n"), "\n")+1:]
		if !strings.Contains(last, `"@level":"error"`) || !strings.Contains(last, `"type":"diagnostic"`) || !strings.HasPrefix(stdout, `{"@level":"info","@message":"upkeep `) {
			t.Errorf("events:\n%s%s", stdout, stderr)
		}
		return
	}
	var told struct {
		Status string `json:"status"`
		Valid  *bool  `json:"valid"`
		Error  string `json:"error"`
	}
	if err := json.Unmarshal([]byte(stdout), &told); err != nil {
		t.Fatalf("%v\n%s%s", err, stdout, stderr)
	}
	if invalid := told.Valid != nil && !*told.Valid; !invalid && told.Status != "error" && told.Status != "unknown" {
		t.Errorf("status %q:\n%s%s", told.Status, stdout, stderr)
	}
}

// The diagnostics of a configuration stand in the document, with their places.
func TestDiagnosticsStandInTheErrorOfACommand(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("a.upkeep.hcl", []byte("nodde \"x\" {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout bytes.Buffer
	code := run(context.Background(), environment{args: []string{"upkeep", "plan", "--json"}, stdout: &stdout, stderr: &bytes.Buffer{}, environ: os.Environ(), now: time.Now})
	var told errorJSON
	if err := json.Unmarshal(stdout.Bytes(), &told); err != nil {
		t.Fatal(err)
	}
	if code != 1 || told.ExitCode != 1 || len(told.Diagnostics) == 0 || told.Diagnostics[0].Range == nil || told.Diagnostics[0].Range.Filename != "a.upkeep.hcl" {
		t.Errorf("exit %d, %+v", code, told)
	}
}

func TestAsksJSON(t *testing.T) {
	for line, want := range map[string][2]bool{
		"upkeep": {}, "upkeep plan": {}, "upkeep plan -json": {true, false}, "upkeep plan --json=true": {true, false},
		"upkeep plan -json=false": {}, "upkeep -chdir=x apply -json": {true, true}, "upkeep apply -json -auto-approve p": {true, true},
		"upkeep plan -- -json": {}, "upkeep explain apply -json": {true, false},
	} {
		asked, stream := asksJSON(strings.Fields(line))
		if asked != want[0] || asked && stream != want[1] {
			t.Errorf("%s: %t %t, want %v", line, asked, stream, want)
		}
	}
}
