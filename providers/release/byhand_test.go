package release_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/release"
)

// tools puts programs into a folder that write down how they are called, and returns it with their log.
func tools(t *testing.T, names ...string) (folder, log string) {
	t.Helper()
	folder = t.TempDir()
	log = filepath.Join(folder, "log")
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/sh\necho \""+name+" $*\" >> "+log+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return folder, log
}

// TestRunbookRuns runs the scripts of a plan with programs that only write down what they are told.
func TestRunbookRuns(t *testing.T) {
	w := open(t)
	w.install(t, "0.15.0", map[string]any{"runtimeClassName": "nvidia"})
	interrupted := w.spec("0.16.2", map[string]any{"runtimeClassName": "other"})
	w.execute(t, w.plan(t, interrupted), interrupted)
	setStatus(t, w, 1, facts.ReleaseDeployed, clock.Add(-2*time.Hour))
	setStatus(t, w, 2, facts.ReleasePendingUpgrade, clock.Add(-time.Hour))
	s := w.spec("0.16.2", map[string]any{"runtimeClassName": "it's"})
	p := w.plan(t, s)
	folder, log := tools(t, "helm", "kubectl")
	directory := t.TempDir()
	var undo []string
	for _, step := range p.Steps {
		for _, command := range release.Type().Effects[step.Operation].ByHand(inputOf(p), step) {
			if command.What == "" || command.See == "" {
				t.Errorf("%s says too little: %+v", step.ID, command)
			}
			run(t, directory, folder, command.Run)
			if command.Undo != "" {
				undo = append(undo, command.Undo)
			}
		}
	}
	for _, script := range undo {
		run(t, directory, folder, script)
	}
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"helm -n nvidia-device-plugin history nvdp",
		"helm -n nvidia-device-plugin rollback nvdp",
		"helm upgrade nvdp nvidia-device-plugin --repo REPOSITORY -n nvidia-device-plugin --version 0.16.2 --reset-then-reuse-values -f changes-nvdp.json --atomic --timeout 5m0s",
		"helm -n nvidia-device-plugin list --filter ^nvdp$",
		"helm -n nvidia-device-plugin rollback nvdp",
	}
	if diff := cmp.Diff(want, strings.Split(strings.TrimSpace(strings.ReplaceAll(string(data), w.repository, "REPOSITORY")), "\n")); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
	changes, err := os.ReadFile(filepath.Join(directory, "changes-nvdp.json"))
	if err != nil || string(changes) != "{\n  \"runtimeClassName\": \"it's\"\n}\n" {
		t.Errorf("values: %s, %v", changes, err)
	}
}

// TestRunbookStopsAtPlaceholders: Helm is not called before somebody has written the secrets in.
func TestRunbookStopsAtPlaceholders(t *testing.T) {
	w := open(t)
	declared, said := read(t, `helm_release "device_plugin" {
  release          = "nvdp"
  namespace        = "nvidia-device-plugin"
  create_namespace = true
  chart {
    repository = "`+w.repository+`"
    name       = "nvidia-device-plugin"
    version    = "0.16.2"
  }
  values = { token = "canary" }
}
`)
	if len(said) > 0 {
		t.Fatal(said)
	}
	s, err := declared.Seal(declared, mac)
	if err != nil {
		t.Fatal(err)
	}
	p := w.plan(t, s)
	commands := release.Type().Effects[p.Steps[0].Operation].ByHand(inputOf(p), p.Steps[0])
	folder, log := tools(t, "helm")
	directory := t.TempDir()
	run(t, directory, folder, commands[0].Run)
	if out, err := script(directory, folder, commands[1].Run); err == nil || !strings.Contains(out, "put the sensitive values in their place first") {
		t.Errorf("it went on: %s, %v", out, err)
	}
	if _, err := os.Stat(log); err == nil {
		t.Error("helm was called")
	}
	if !slices.ContainsFunc(commands, func(c providers.Command) bool { return strings.Contains(c.Stop, "for token") }) {
		t.Error("nobody is told which value is missing")
	}
}

func run(t *testing.T, directory, folder, text string) {
	t.Helper()
	if out, err := script(directory, folder, text); err != nil {
		t.Fatalf("%v: %s\n%s", err, out, text)
	}
}

func script(directory, folder, text string) (string, error) {
	command := exec.Command("sh", "-c", text)
	command.Dir = directory
	command.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"))
	out, err := command.CombinedOutput()
	return string(out), err
}
