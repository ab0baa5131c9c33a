package apply_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/planner"
	"upkeep/planner/apply"
	"upkeep/state"
	"upkeep/state/journal"
	"upkeep/state/local"
)

// applyOnce is what the apply command does: lock, journal, run, remember. trace sees every boundary of all of them.
func applyOnce(dir string, trace func(string)) (result apply.Result, err error) {
	c := newCluster()
	c.file, c.trace = filepath.Join(dir, "cluster.json"), trace
	c.load()
	plan := crashPlan()

	b, err := local.New(filepath.Join(dir, "upkeep.state.json"), local.Options{Trace: trace})
	if err != nil {
		return result, err
	}
	l, err := b.Lock(context.Background(), state.LockRequest{Operation: "apply"})
	if err != nil {
		return result, err
	}
	defer l.Unlock()
	j, history, err := l.Journal(context.Background(), plan.ID)
	if err != nil {
		return result, err
	}
	defer j.Close()
	e := c.executor(j, history)
	e.Trace, e.Generation = trace, l.Info().Generation
	run := e.Begun(plan)
	if _, err := l.Write(context.Background(), l.State().WithRun(run)); err != nil {
		return result, err
	}
	result, err = onTasks(e).Run(l.Context(), plan)
	if err != nil {
		return result, err
	}
	s := l.State().WithRun(apply.Ended(run, result))
	s.Memory = apply.Learn(s.Memory, result)
	_, err = l.Write(context.Background(), s)
	return result, err
}

func crashPlan() planner.Plan {
	return planFor(newCluster("cp1", "cp2", "w1"), []string{"cp1", "cp2"}, []string{"w1"})
}

// crashChild applies the plan, and kills itself at the n-th boundary.
func crashChild(dir, at string) {
	crossed := 0
	result, err := applyOnce(dir, func(boundary string) {
		crossed++
		if fmt.Sprint(crossed) == at {
			fmt.Println(boundary)
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
	if err != nil || result.Outcome != apply.Complete {
		fmt.Fprintln(os.Stderr, result.Outcome, err)
		os.Exit(1)
	}
}

// kill -9 at every fsync, rename and step boundary: the next apply takes the lock over, goes on, and leaves the same
// cluster and the same state as an apply that nobody killed.
func TestKillAtEveryBoundary(t *testing.T) {
	oracle := t.TempDir()
	plant(t, oracle)
	if _, err := applyOnce(oracle, nil); err != nil {
		t.Fatal(err)
	}
	want := afterwards(t, oracle)

	seen := map[string]bool{}
	for at := 1; ; at++ {
		dir := t.TempDir()
		plant(t, dir)
		out, err := exec.Command(os.Args[0], "crash-child", dir, fmt.Sprint(at)).CombinedOutput()
		if err == nil {
			break
		}
		if !strings.Contains(err.Error(), "killed") {
			t.Fatalf("boundary %d: %v\n%s", at, err, out)
		}
		boundary := strings.TrimSpace(string(out))
		seen[boundary] = true
		result, err := applyOnce(dir, nil)
		if err != nil || result.Outcome != apply.Complete {
			t.Fatalf("after kill -9 at boundary %d (%s): %s, %v, %v", at, boundary, result.Outcome, outcomes(result), err)
		}
		if diff := cmp.Diff(want, afterwards(t, dir)); diff != "" {
			t.Errorf("after kill -9 at boundary %d (%s), compared with an apply that nobody killed:\n%s", at, boundary, diff)
		}
	}
	for _, boundary := range []string{"lock:renamed", "state:written", "state:renamed", "state:synced", "journal:created", "journal:named",
		"journal:written", "journal:synced", "sim.it@cp2/renew/acting", "operation:begun", "operation:changed", "sim.it@w1/label/acted",
		"sim.it@cp1/restart/proved"} {
		if !seen[boundary] {
			t.Errorf("nothing was killed at %s: %v", boundary, seen)
		}
	}
}

func plant(t *testing.T, dir string) {
	t.Helper()
	c := newCluster("cp1", "cp2", "w1")
	c.file = filepath.Join(dir, "cluster.json")
	c.save()
}

// after is what an apply leaves behind, without clocks and counters of starts.
type after struct {
	Acts     []string
	World    string
	Outcome  string
	Open     []string
	Finished map[string]bool
}

func afterwards(t *testing.T, dir string) after {
	t.Helper()
	c := newCluster()
	c.file = filepath.Join(dir, "cluster.json")
	c.load()
	b, err := local.New(filepath.Join(dir, "upkeep.state.json"), local.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := b.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	run, _ := s.Run(crashPlan().ID)
	h, err := b.History(t.Context(), crashPlan().ID)
	if err != nil {
		t.Fatal(err)
	}
	a := after{Acts: c.Acts, World: fmt.Sprintf("%+v", c.World.Node("cp1")) + fmt.Sprintf("%+v", c.World.Node("cp2")) + fmt.Sprintf("%+v", c.World.Node("w1")),
		Outcome: run.Outcome, Open: h.InProgress(), Finished: map[string]bool{}}
	for _, step := range crashPlan().Steps {
		last, _ := h.Last(step.ID)
		a.Finished[step.ID] = last.Kind == journal.StepDone || last.Kind == journal.StepSkipped
	}
	return a
}
