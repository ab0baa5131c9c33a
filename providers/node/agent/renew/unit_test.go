package renew_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	fixture "upkeep/fixtures/pki"
	"upkeep/providers/facts"
	"upkeep/providers/node/agent/host"
	"upkeep/providers/node/agent/unit"
	"upkeep/providers/node/protocol"
)

// hostOf is the node whose "/" is dir; its units die at an instant.
func hostOf(dir, die string) *host.Host {
	return host.New(host.Options{Root: dir, Kubeadm: os.Args[0], Start: unit.Detached{Command: []string{os.Args[0], "perform-and-die", dir, die}}})
}

// performAndDie is the process of a unit, which dies at an instant.
func performAndDie(dir, die, id string) int {
	h := host.New(host.Options{Root: dir, Kubeadm: os.Args[0], Start: unit.Detached{Command: []string{os.Args[0]}}, At: func(instant string) {
		if instant == "2/"+die {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}})
	if err := h.Perform(context.Background(), id); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func runOf(generation uint64) protocol.Run {
	return protocol.Run{Lineage: "state-1", Generation: generation, Plan: "plan-1", Step: "2"}
}

// A unit that renews is killed. Whatever the instant: the same run is told so and renews nothing again; a mismatched pair
// has its intent; and after repairing every key has its certificate.
func TestUnitsThatRenewKilled(t *testing.T) {
	for _, test := range []struct {
		where string
		done  bool // all was renewed when it died
		says  bool // its result was there
	}{
		{"begun", false, false}, {"work", false, false}, {"mark:stage", false, false}, {"sign:etcd-server", false, false},
		{"mark:intent", false, false}, {"intent:record", false, false}, {"intent:recorded", false, false},
		{"install:apiserver:rename:0", false, false}, {"install:apiserver:rename:1", false, false}, {"install:etcd-server:sync", false, false},
		{"clear", false, false}, {"worked", true, false}, {"result", true, false}, {"journal", true, true},
	} {
		t.Run(test.where, func(t *testing.T) {
			t.Parallel()
			dir, q, before := dying(t)
			q.Run = runOf(4)
			_, err := host.Carry(t.Context(), hostOf(dir, test.where).Session("ops"), protocol.Renew, q, nil)
			if test.says != (err == nil) || err != nil && !strings.Contains(err.Error(), "ended without a result") {
				t.Fatalf("error %v", err)
			}
			crashed := observe(t, dir, q.Kubeconfigs...)
			archives, _ := filepath.Glob(filepath.Join(dir, "var/lib/upkeep/archive/*.gz"))
			_, again := host.Carry(t.Context(), hostOf(dir, "never").Session("ops"), protocol.Renew, q, nil)
			if fmt.Sprint(again) != fmt.Sprint(err) {
				t.Errorf("the same run is told %v, and was told %v", again, err)
			}
			if diff := cmp.Diff(crashed, observe(t, dir, q.Kubeconfigs...)); diff != "" {
				t.Errorf("the same run did it again (-before +after)\n%s", diff)
			}
			if now, _ := filepath.Glob(filepath.Join(dir, "var/lib/upkeep/archive/*.gz")); len(now) != len(archives) {
				t.Errorf("the same run did it again: %d archives", len(now))
			}
			if !test.done {
				repaired(t, dir, q, before, test.where)
				return
			}
			healthy(t, crashed)
			for name, serial := range serials(crashed) {
				asked := slices.Contains(q.Names, name) || slices.Contains(q.Kubeconfigs, name)
				if asked != (serial != before[name]) {
					t.Errorf("%s renewed: %t", name, serial != before[name])
				}
			}
		})
	}
}

// Repair is a unit too: one that is killed is repaired by the next run, which also undoes by the mark.
func TestUnitsThatRepairKilled(t *testing.T) {
	for _, undo := range []bool{false, true} {
		t.Run(fmt.Sprintf("undo %t", undo), func(t *testing.T) {
			t.Parallel()
			dir, q, _ := dying(t)
			q.Run = runOf(4)
			if _, err := host.Carry(t.Context(), hostOf(dir, "install:apiserver:rename:1").Session("ops"), protocol.Renew, q, nil); err == nil {
				t.Fatal("it was not killed")
			}
			intent := observe(t, dir).Unfinished[0].ID
			repair := protocol.RepairRequest{Run: runOf(5), Intent: intent}
			if _, err := host.Carry(t.Context(), hostOf(dir, "install:etcd-server:rename:1").Session("ops"), protocol.Repair, repair, nil); err == nil {
				t.Fatal("repairing was not killed")
			}
			s := hostOf(dir, "never").Session("ops")
			if undo {
				for _, m := range traces(t, dir).Marks.Found {
					got, err := host.Carry(t.Context(), s, protocol.Undo, protocol.UndoRequest{Run: runOf(6), Mark: m.ID}, nil)
					if err != nil || got.Undone == "" || got.Performed.By == "" {
						t.Errorf("undo %s: %+v, %v", m.ID, got, err)
					}
				}
			} else {
				repair.Run = runOf(6)
				if got, err := host.Carry(t.Context(), s, protocol.Repair, repair, nil); err != nil || len(got.Installed) != 4 {
					t.Errorf("%+v, %v", got, err)
				}
			}
			after := observe(t, dir, q.Kubeconfigs...)
			healthy(t, after)
			if len(after.Unfinished) > 0 {
				t.Errorf("unfinished: %+v", after.Unfinished)
			}
			n := traces(t, dir)
			if len(n.Marks.Found) > 0 || n.Marks.Unknown != "" {
				t.Errorf("marks left: %+v", n.Marks)
			}
			var outcomes []string
			for _, e := range n.History.Entries {
				outcomes = append(outcomes, fmt.Sprint(e.Generation, e.Outcome))
			}
			if want := []string{"4died", "5died", "6done"}; !cmp.Equal(want, outcomes[:3]) {
				t.Errorf("history %v, want %v", outcomes, want)
			}
		})
	}
}

// traces are the node's marks and history.
func traces(t *testing.T, dir string) facts.Node {
	t.Helper()
	n, err := hostOf(dir, "never").Observe(t.Context(), protocol.ObserveRequest{Question: facts.Question{Marks: true, History: true}})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestUndoRefusesWhatIsNotMarked(t *testing.T) {
	dir := node(t, fixture.Options{})
	s := hostOf(dir, "never").Session("ops")
	for _, mark := range []string{"", "stage:..", "stage:../../../etc", "intent:", "a/b:c", "stage"} {
		if _, err := host.Carry(t.Context(), s, protocol.Undo, protocol.UndoRequest{Run: runOf(1), Mark: mark}, nil); err == nil || !strings.Contains(err.Error(), "names no mark") {
			t.Errorf("%q: %v", mark, err)
		}
	}
	must(t, os.MkdirAll(filepath.Join(dir, "var/lib/upkeep/stage/mine"), 0o700))
	got, err := host.Carry(t.Context(), s, protocol.Undo, protocol.UndoRequest{Run: runOf(1), Mark: "stage:mine"}, nil)
	if err != nil || got.Undone != "" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "var/lib/upkeep/stage/mine")); err != nil {
		t.Errorf("what nobody marked was removed: %v", err)
	}
}

// A request that names no run could be one of a process that slept: only a mark is undone for it.
func TestWithoutARunNothingIsChanged(t *testing.T) {
	dir, q, before := dying(t)
	s := hostOf(dir, "never").Session("ops")
	if _, err := host.Carry(t.Context(), s, protocol.Renew, q, nil); err == nil || !strings.Contains(err.Error(), "names no run") {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff(before, serials(observe(t, dir, q.Kubeconfigs...))); diff != "" {
		t.Errorf("it was renewed (-before +after)\n%s", diff)
	}
	if _, err := host.Carry(t.Context(), s, protocol.Undo, protocol.UndoRequest{Mark: "stage:gone"}, nil); err != nil {
		t.Errorf("undo: %v", err)
	}
}
