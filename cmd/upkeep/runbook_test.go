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
	"upkeep/state"
	"upkeep/state/local"
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
	backend, err := local.New(filepath.Join(t.TempDir(), "upkeep.state.json"), local.Options{})
	if err != nil {
		t.Fatal(err)
	}
	lock, err := backend.Lock(t.Context(), state.LockRequest{Operation: "apply"})
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Unlock()
	if err := saveDocuments(t.Context(), lock, plan, domains()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(filepath.Dir(backend.Describe()), "journal", plan.ID+".runbook.md"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %o", info.Mode().Perm())
	}
	text, err := backend.Document(t.Context(), plan.ID, state.Runbook)
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
	if err := saveDocuments(t.Context(), lock, plan, domains()); err == nil {
		t.Error("a host that ssh would take for an option was written into a runbook")
	}
}
