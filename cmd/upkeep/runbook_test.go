package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upkeep/config"
	"upkeep/fixtures/worlds"
	"upkeep/planner"
	"upkeep/planner/report/runbook"
)

// TestARunbookIsSavedForItsOwnerAlone: whoever finds a run that died finds how to go on by hand.
func TestARunbookIsSavedForItsOwnerAlone(t *testing.T) {
	desired, err := doctorWords(t, "-kubeconfig=/home/ops/.kube/config", "root@cp1")
	if err != nil {
		t.Fatal(err)
	}
	w := worlds.ControlPlanes(1, doctorNow)
	worlds.Age(doctorNow, 0, w.Nodes["cp1"], "scheduler.conf")
	plan, err := planner.Build(planner.Request{Desired: desired, World: w, Now: doctorNow}, domains())
	if err != nil {
		t.Fatal(err)
	}
	plan.ID = "0123456789abcdef"
	directory := t.TempDir()
	path, err := saveRunbook(plan, domains(), directory, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(directory, plan.ID+".runbook.md"); path != want {
		t.Errorf("saved as %s, want %s", path, want)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %o", info.Mode().Perm())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	blocks := runbook.Blocks(string(text))
	if len(blocks) < 8 || !strings.Contains(string(text), plan.Digest) {
		t.Errorf("%d blocks:\n%s", len(blocks), text)
	}
	for _, b := range blocks {
		if !strings.HasPrefix(b, "ssh ") || !strings.Contains(b, " -l root -- cp1 'sh -s' <<'EOF'\n") {
			t.Errorf("not for the node: %s", strings.SplitN(b, "\n", 2)[0])
		}
	}
	plan.Request.Desired.Nodes = []config.Node{{Name: "cp1", Host: "-oProxyCommand=reboot", Roles: []string{"control-plane"}}}
	if _, err := saveRunbook(plan, domains(), directory, nil); err == nil {
		t.Error("a host that ssh would take for an option was written into a runbook")
	}
}
