package acceptance

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The goals for `upkeep version`.
const (
	versionWall   = 50 * time.Millisecond
	versionMemory = 100 << 20
)

// measured is how often each command is run for a figure.
const measured = 10

// testFigures prints what the project promises about speed: see the lines that begin with "figure:".
func testFigures(t *testing.T, s *suite) {
	d := s.declare(t, declaration{renewBefore: time.Hour})
	best := d.run(t, "version").want(t, 0)
	for range measured {
		if r := d.run(t, "version").want(t, 0); r.wall < best.wall {
			best = r
		}
	}
	// The memory includes what this test's process had when it forked, so it is an upper bound.
	t.Logf("figure: upkeep version: %s, at most %d MiB", best.wall.Round(100*time.Microsecond), best.memory>>20)
	if best.wall > versionWall || best.memory > versionMemory {
		t.Errorf("upkeep version takes %s and %d MiB, the goals are %s and %d MiB", best.wall, best.memory>>20, versionWall, versionMemory>>20)
	}
	plan := d.run(t, "plan").want(t, 0)
	t.Logf("figure: a plan of the three nodes: %s, %s CPU", plan.wall.Round(10*time.Millisecond), plan.cpu.Round(10*time.Millisecond))
	s.besideKubeadm(t)
}

// besideKubeadm lets upkeep observe a node locally, on that node, and compares the CPU time of its helper with that of
// `kubeadm certs check-expiration` on the same PKI.
func (s *suite) besideKubeadm(t *testing.T) {
	t.Helper()
	const node, dir = "n1", "/root/upkeep-acceptance"
	s.undo(t, node, "rm -rf "+dir)
	helpers, err := filepath.Glob(filepath.Join(filepath.Dir(s.upkeep), "upkeep-node-linux-*"))
	if err != nil || len(helpers) == 0 {
		t.Fatalf("no helper beside %s: %v", s.upkeep, err)
	}
	s.put(t, node, dir+"/upkeep", "755", readFile(t, s.upkeep))
	for _, helper := range helpers {
		name := filepath.Base(helper)
		s.put(t, node, dir+"/real/"+name, "755", readFile(t, helper))
		// What upkeep starts is this wrapper; it notes what the helper used.
		s.put(t, node, dir+"/"+name, "755", []byte(fmt.Sprintf("#!/bin/bash\nTIMEFORMAT='%%U %%S'\n{ time %s/real/%s \"$@\" 2>&3; } 3>&2 2>>%s/used\n", dir, name, dir)))
	}
	s.put(t, node, dir+"/lab.upkeep.hcl", "600", []byte(`cluster {
  kubeconfig = "/etc/kubernetes/admin.conf"
}

connection "here" {
  transport = "local"
}

node "n1" {
  host       = "localhost"
  roles      = ["control-plane"]
  connection = connection.here
}

certificates "control_plane" {
  nodes        = role("control-plane")
  renew_before = "1h"
  guard_none   = "nothing is applied here"
}
`))
	first := s.ssh(t, node, "cd "+dir+" && ./upkeep observe -out=facts.json && rm -f used")
	if !strings.Contains(first, "Observed 1 of 1 nodes") {
		t.Fatalf("the node is not observed locally:\n%s", first)
	}
	s.ssh(t, node, fmt.Sprintf("cd %s && for i in $(seq %d); do ./upkeep observe -out=facts.json >/dev/null; done", dir, measured))
	ours := seconds(t, s.ssh(t, node, "cat "+dir+"/used"))
	theirs := seconds(t, s.ssh(t, node, fmt.Sprintf(`cat > %s/measure <<'END'
TIMEFORMAT='%%U %%S'
for i in $(seq %d); do { time kubeadm certs check-expiration >/dev/null 2>&1; } 2>&1; done
END
bash %[1]s/measure`, dir, measured)))
	t.Logf("figure: one node observed locally: the helper uses %s CPU, kubeadm certs check-expiration %s: %.1f times as much (means of %d)",
		ours.Round(100*time.Microsecond), theirs.Round(100*time.Microsecond), theirs.Seconds()/ours.Seconds(), measured)
}

// seconds reads lines of "USER SYSTEM" in seconds and returns the mean of their sums.
func seconds(t *testing.T, text string) time.Duration {
	t.Helper()
	var total float64
	fields := strings.Fields(text)
	if len(fields) != 2*measured {
		t.Fatalf("expected %d lines of two numbers:\n%s", measured, text)
	}
	for _, field := range fields {
		value, err := strconv.ParseFloat(field, 64)
		if err != nil {
			t.Fatal(err)
		}
		total += value
	}
	return time.Duration(total / measured * float64(time.Second))
}
