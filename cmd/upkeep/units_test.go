package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// unitsIn are the units of the Debian package by name: their settings, "Section.Key", as they stand.
func unitsIn(t *testing.T, directory string) map[string]map[string][]string {
	t.Helper()
	out := map[string]map[string][]string{}
	paths, err := filepath.Glob(filepath.Join(directory, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		settings, section := map[string][]string{}, ""
		for line := range strings.Lines(string(data)) {
			line = strings.TrimSpace(line)
			switch key, value, set := strings.Cut(line, "="); {
			case line == "" || line[0] == '#':
			case line[0] == '[' && strings.HasSuffix(line, "]"):
				section = line[1 : len(line)-1]
			case set && section != "":
				settings[section+"."+key] = append(settings[section+"."+key], value)
			default:
				t.Errorf("%s: %q is no setting", path, line)
			}
		}
		out[filepath.Base(path)] = settings
	}
	return out
}

// TestUnitsOfThePackage: each timer starts its service, each service is a command line that upkeep reads to its end, and nothing
// switches a timer on but a person.
func TestUnitsOfThePackage(t *testing.T) {
	directory := filepath.Join(repository, "packaging", "systemd")
	units := unitsIn(t, directory)
	want := map[string]string{
		"upkeep-apply.service":  "/usr/bin/upkeep apply -approved -input=false -no-color",
		"upkeep-backup.service": "/usr/bin/upkeep backup take -auto-approve -input=false -no-color -lock-timeout=2h",
		"upkeep-drift.service":  "/usr/bin/upkeep drift -no-color",
	}
	got := map[string]string{}
	for name, settings := range units {
		if timer, is := strings.CutSuffix(name, ".timer"); is {
			if _, paired := units[timer+".service"]; !paired || len(settings["Timer.OnCalendar"]) != 1 ||
				!slices.Equal(settings["Install.WantedBy"], []string{"timers.target"}) {
				t.Errorf("%s starts no service at a time: %v", name, settings)
			}
			continue
		}
		got[name] = strings.Join(settings["Service.ExecStart"], "; ")
		if settings["Install.WantedBy"] != nil {
			t.Errorf("%s would start by itself at boot", name)
		}
		var stdout, stderr bytes.Buffer
		code := run(context.Background(), environment{
			args: append(strings.Fields(got[name]), "-help"), stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr,
			environ: []string{"HOME=/root"}, now: time.Now,
		})
		if code != exitDone || !strings.HasPrefix(stdout.String(), "Usage: upkeep") {
			t.Errorf("%s: %q exits %d: %s", name, got[name], code, stderr.String())
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || len(units) != 2*len(want) {
		t.Errorf("%d units (-want +got):\n%s", len(units), diff)
	}
	release, err := os.ReadFile(filepath.Join(repository, "scripts", "release.sh"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(release), `install -m 0644 packaging/systemd/*.service packaging/systemd/*.timer "$tree/usr/lib/systemd/system/"`) {
		t.Error("the Debian package does not have the units")
	}
	for _, word := range []string{"postinst", "systemctl", "enable"} {
		if strings.Contains(string(release), word) {
			t.Errorf("scripts/release.sh says %q: timers are off until a person switches them on", word)
		}
	}
	readBySystemd(t, directory)
}

// readBySystemd has systemd read the units, with a program in the place of upkeep that every machine has.
func readBySystemd(t *testing.T, directory string) {
	t.Helper()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("systemd-analyze is missing: the units were read by this test alone")
		return
	}
	there := t.TempDir()
	paths, _ := filepath.Glob(filepath.Join(directory, "*"))
	args := []string{"verify", "--man=no", "--recursive-errors=no"}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		unit := filepath.Join(there, filepath.Base(path))
		text := strings.ReplaceAll(string(data), "/usr/bin/upkeep ", "/bin/echo ")
		if err := os.WriteFile(unit, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, unit)
		for line := range strings.Lines(text) {
			if at, is := strings.CutPrefix(line, "OnCalendar="); is {
				if out, err := exec.Command(analyze, "calendar", strings.TrimSpace(at)).CombinedOutput(); err != nil {
					t.Errorf("%s: %s: %s", filepath.Base(path), at, out)
				}
			}
		}
	}
	if out, err := exec.Command(analyze, args...).CombinedOutput(); err != nil || strings.Contains(string(out), there) {
		t.Errorf("%v: %s", err, out)
	}
}
