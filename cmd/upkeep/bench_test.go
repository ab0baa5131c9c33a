package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"upkeep/config"
	"upkeep/fixtures/worlds"
	"upkeep/planner"
	"upkeep/providers/facts"
)

// processorTime is what this process has used: on a busy machine, the wall clock says little.
func processorTime(tb testing.TB) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// fleet writes a configuration of n control planes in one for_each and returns its directory and their world, in which
// three certificates of each node are due.
func fleet(tb testing.TB, n int) (directory string, world facts.World) {
	tb.Helper()
	var text strings.Builder
	text.WriteString("node \"cp\" {\n  for_each = {\n")
	for i := range n {
		fmt.Fprintf(&text, "    %s = %q\n", worlds.Name(i), worlds.Host(i))
	}
	text.WriteString("  }\n  host  = each.value\n  roles = [\"control-plane\", \"etcd\"]\n}\n\n" +
		"certificates \"control_plane\" {\n  window = \"always\"\n  nodes      = role(\"control-plane\")\n  without    = { backup = \"a benchmark\" }\n}\n")
	directory = tb.TempDir()
	if err := os.WriteFile(filepath.Join(directory, "fleet.upkeep.hcl"), []byte(text.String()), 0o644); err != nil {
		tb.Fatal(err)
	}
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	world = worlds.ControlPlanes(n, now)
	for _, name := range world.NodeNames() {
		worlds.Age(now, 12*24*time.Hour, world.Nodes[name], "apiserver", "admin.conf", "controller-manager.conf")
	}
	return directory, world
}

// plan reads a configuration and plans, as `upkeep plan` does between observing and printing.
func plan(tb testing.TB, directory string, world facts.World) planner.Plan {
	types := domains()
	desired, _, diags := config.Load(directory, config.Options{Types: planner.BlockTypes(types), Version: version})
	if diags.HasErrors() {
		tb.Fatal(diags)
	}
	p, err := planner.Build(planner.Request{Desired: desired, World: world, Now: world.ObservedAt, Directory: directory}, types)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// BenchmarkPlan plans the renewal of three certificates on each node of one for_each. The goal is at most 0.3 s of
// processor time for 1,000 nodes, and less than 2.3 times as much for twice as many.
func BenchmarkPlan(b *testing.B) {
	for _, n := range []int{1000, 2000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			directory, world := fleet(b, n)
			b.ReportAllocs()
			began := processorTime(b)
			for b.Loop() {
				if p := plan(b, directory, world); len(p.Steps) != 2*n {
					b.Fatalf("%d steps", len(p.Steps))
				}
			}
			b.ReportMetric((processorTime(b)-began).Seconds()/float64(b.N), "cpu-s/op")
		})
	}
}

// The benchmark's world is planned as a small one, too, so that a mistake in it is found by plain `go test`.
func TestBenchmarkWorld(t *testing.T) {
	directory, world := fleet(t, 3)
	p := plan(t, directory, world)
	if len(p.Steps) != 6 || len(p.Remaining) != 0 || !p.Applyable {
		t.Errorf("%d steps, %v remain, applyable %v", len(p.Steps), p.Remaining, p.Applyable)
	}
}
