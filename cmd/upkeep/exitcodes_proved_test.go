package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upkeep/fixtures/fakecluster"
	"upkeep/providers/backup/bundle"
)

// proved takes a bundle, whose proof the state remembers then, and returns its id.
func (p place) proved() string {
	p.t.Helper()
	p.write("backup.upkeep.hcl", placeOfBackups)
	if code, stdout, stderr := p.upkeep("backup take -auto-approve"); code != 0 {
		p.t.Fatalf("taking: exit %d\n%s%s", code, stdout, stderr)
	}
	labels, err := filepath.Glob(filepath.Join(p.directory, "backups", "*"+bundle.Extension))
	if err != nil || len(labels) != 1 {
		p.t.Fatal(labels, err)
	}
	return strings.TrimSuffix(filepath.Base(labels[0]), bundle.Extension)
}

// remove removes a file of the place.
func (p place) remove(names ...string) {
	p.t.Helper()
	if err := os.Remove(filepath.Join(append([]string{p.directory}, names...)...)); err != nil {
		p.t.Fatal(err)
	}
}

// edited replaces a text in a file of the place.
func (p place) edited(name, from, to string) {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.directory, name))
	if err != nil || !strings.Contains(string(text), from) {
		p.t.Fatalf("%s has no %q: %v", name, from, err)
	}
	p.write(name, strings.Replace(string(text), from, to, 1))
}

// TestExitCodesOfProvedBundles walks the commands through what can become of a bundle that was proved: every
// command says of it what the others say.
func TestExitCodesOfProvedBundles(t *testing.T) {
	t.Setenv("PATH", fakecluster.SSH(t)+string(os.PathListSeparator)+os.Getenv("PATH"))
	commands := []string{
		"backup list", "backup list -json", "backup show latest", "backup show -json latest", "backup show ID", "backup show ./backups/FILE",
		"backup verify latest", "backup verify -json latest", "backup verify ID", "backup verify ./backups/FILE", "backup verify -all", "backup verify -all -json",
		"plan", "plan -detailed-exitcode", "plan -json", "drift", "drift -json", "status", "status -json", "doctor -kubeconfig=kubeconfig 10.0.0.11 10.0.0.12 10.0.0.13",
	}
	for name, test := range map[string]struct {
		make func(p place, id string)
		// The codes of the commands above, in their order: list and show, verify, plan, the others.
		want string
	}{
		"it is there": {want: "000000 000000 000 00000", make: func(place, string) {}},
		"it is gone, and its label": {want: "111111 111111 111 11110", make: func(p place, id string) {
			p.remove("backups", bundle.Name(id))
			p.remove("backups", bundle.LabelName(id))
		}},
		"it is gone, and its label is there": {want: "111111 111111 020 22110", make: func(p place, id string) { p.remove("backups", bundle.Name(id)) }},
		"its label is gone":                  {want: "111100 110011 020 22110", make: func(p place, id string) { p.remove("backups", bundle.LabelName(id)) }},
		"the store is gone": {want: "111111 111111 111 11110", make: func(p place, id string) {
			if err := os.Rename(filepath.Join(p.directory, "backups"), filepath.Join(p.directory, "away")); err != nil {
				p.t.Fatal(err)
			}
		}},
		"its bytes are damaged": {want: "111110 111111 020 22110", make: func(p place, id string) { p.damaged(id, bundle.Name) }},
		"its label has another time": {want: "111111 111111 020 22110", make: func(p place, id string) {
			p.edited("backups/"+bundle.LabelName(id), "2026-11-22T12:00:00Z", "2026-11-22T11:00:00Z")
		}},
		"its label has another block": {want: "111111 111111 020 22110", make: func(p place, id string) {
			p.edited("backups/"+bundle.LabelName(id), "etcd_backup.daily", "etcd_backup.other")
		}},
		"the block has another name":          {want: "001100 111011 020 22110", make: func(p place, id string) { p.edited("backup.upkeep.hcl", `"daily"`, `"other"`) }},
		"the block wants more proof":          {want: "001100 110000 020 22110", make: func(p place, id string) { p.edited("backup.upkeep.hcl", `"hash"`, `"restore"`) }},
		"one that nobody signed is beside it": {want: "110000 000011 000 22000", make: func(p place, id string) { p.planted("etcd_backup.daily") }},
		"a scrap is beside it": {want: "000000 000000 000 22000", make: func(p place, id string) {
			p.write("backups/daily-cafe-20261122T100000Z-00000002"+bundle.Extension, "half")
		}},
		"a foreign file is beside it": {want: "000000 000000 000 00000", make: func(p place, id string) { p.write("backups/notes.txt", "x") }},
		"the state is lost":           {want: "111111 111111 020 22110", make: func(p place, id string) { p.remove("upkeep.state.json") }},
		"the state is empty":          {want: "111111 111111 111 11110", make: func(p place, id string) { p.write("upkeep.state.json", "") }},
		"the state is cut short":      {want: "111111 111111 111 11110", make: func(p place, id string) { p.edited("upkeep.state.json", "}\n", "") }},
		"a node is down":              {want: "000000 000000 111 11111", make: func(p place, id string) { p.order("cp3", "down") }},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			id := p.proved()
			test.make(p, id)
			var got strings.Builder
			for _, line := range commands {
				line = strings.NewReplacer("ID", id, "FILE", bundle.Name(id)).Replace(line)
				code, stdout, stderr := p.upkeep(line)
				got.WriteByte(byte('0' + code))
				if strings.Contains(line, " -json") && !strings.Contains(line, "show") && !strings.Contains(line, "verify -json") {
					checkStatus(t, line, code, stdout)
				}
				if code == 1 && stderr == "" && !strings.Contains(stdout, "ERROR") && !strings.Contains(stdout, "UNKNOWN") && !strings.Contains(stdout, `"status"`) {
					t.Errorf("%s exits 1 and says no reason:\n%s", line, stdout)
				}
				for _, sentence := range healthy {
					if code == 1 && strings.Contains(stdout, sentence) {
						t.Errorf("%s exits 1 and says %q:\n%s", line, sentence, stdout)
					}
				}
			}
			if got.String() != strings.ReplaceAll(test.want, " ", "") {
				t.Errorf("codes %s, want %s", got.String(), test.want)
			}
		})
	}
}

// TestAProvedBundleWithoutItsLabelStays: whoever removes a label has not made a scrap of a proved bundle, which the
// next apply would clear away.
func TestAProvedBundleWithoutItsLabelStays(t *testing.T) {
	t.Setenv("PATH", fakecluster.SSH(t)+string(os.PathListSeparator)+os.Getenv("PATH"))
	p := newPlace(t)
	id := p.proved()
	p.remove("backups", bundle.LabelName(id))
	if code, stdout, stderr := p.upkeep("apply -auto-approve"); code != 0 || !strings.Contains(stdout, "BUNDLE_DAMAGED") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
	if _, err := os.Stat(filepath.Join(p.directory, "backups", bundle.Name(id))); err != nil {
		t.Error(err)
	}
}
