package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"upkeep/config"
	"upkeep/fixtures/worlds"
	"upkeep/planner"
	"upkeep/providers"
	"upkeep/providers/facts"
)

var sunday = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// calmCluster writes a configuration of some control planes and other nodes, with a daily backup and certificates in
// the windows that text declares, and returns the request for it.
func calmCluster(tb testing.TB, planes, others int, text string) planner.Request {
	tb.Helper()
	var b strings.Builder
	b.WriteString("node \"cp\" {\n  for_each = {\n")
	for i := range planes {
		fmt.Fprintf(&b, "    %s = %q\n", worlds.Name(i), worlds.Host(i))
	}
	b.WriteString("  }\n  host  = each.value\n  roles = [\"control-plane\", \"etcd\"]\n}\n")
	world := worlds.ControlPlanes(planes, sunday)
	if others > 0 {
		b.WriteString("node \"gpu\" {\n  for_each = {\n")
		for i := range others {
			name := fmt.Sprintf("gpu%d", i)
			fmt.Fprintf(&b, "    %s = %q\n", name, worlds.Host(planes+i))
			world.Nodes[name] = &facts.Node{Name: name, Host: worlds.Host(planes + i)}
			known := facts.KubernetesNode{Name: name, Ready: true, Version: "v1.35.4"}
			world.Kubernetes.Nodes = append(world.Kubernetes.Nodes, known)
		}
		b.WriteString("  }\n  host  = each.value\n  roles = [\"gpu\"]\n}\n")
	}
	b.WriteString(text)
	directory := tb.TempDir()
	if err := os.WriteFile(filepath.Join(directory, "fleet.upkeep.hcl"), []byte(b.String()), 0o644); err != nil {
		tb.Fatal(err)
	}
	desired, _, diags := config.Load(directory, config.Options{Types: planner.BlockTypes(domains()), Version: version})
	if diags.HasErrors() {
		tb.Fatal(diags)
	}
	world.Backups = map[string]facts.Backups{"etcd_backup.daily": {Store: "file backups"}}
	return planner.Request{Desired: desired, World: world, Now: sunday, Directory: directory}
}

const dailyBackup = `
etcd_backup "daily" {
  nodes   = role("etcd")
  max_age = "24h"
  verify  = "hash"
  encrypt_to = ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"]
  store "file" {
    path = "backups"
  }
}
`

const weekly = `
maintenance_window "weekly" {
  cron     = "0 2 * * SUN"
  duration = "4h"
  timezone = "Europe/Berlin"
}
`

const certificatesInWindow = `
certificates "control_plane" {
  nodes  = role("control-plane")
  window = maintenance_window.weekly
}
`

func walked(tb testing.TB, r planner.Request, length time.Duration, look planner.Look) planner.Course {
	tb.Helper()
	c, err := planner.Walk(r, domains(), length, look)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

const year = 365 * 24 * time.Hour

// TestForecastJumps: who looks every hour, and forgets everything each time, sees what a walk sees that goes on from
// change to change.
func TestForecastJumps(t *testing.T) {
	for _, windows := range []string{
		weekly + certificatesInWindow,
		strings.Replace(weekly, "0 2 * * SUN", "30 1 1,2 * *", 1) + certificatesInWindow,
		strings.Replace(weekly, "4h", "1m", 1) + certificatesInWindow, // nothing fits
	} {
		r := calmCluster(t, 3, 0, windows+dailyBackup)
		for seed := range uint64(4) {
			dice := rand.New(rand.NewPCG(seed, 1))
			in := r
			in.World = worlds.Clone(r.World)
			for _, n := range in.World.Nodes {
				for i := range n.Certificates.Files {
					f := &n.Certificates.Files[i]
					if len(f.Blocks) > 0 && f.Kind != facts.Authority && dice.IntN(2) == 0 {
						minutes := dice.IntN(22000) - 2000
						f.Blocks[0].NotAfter = sunday.Add(30*24*time.Hour + time.Duration(minutes)*time.Minute)
					}
				}
			}
			length := 15 * 24 * time.Hour
			jumped, err := planner.Walk(in, domains(), length, planner.Look{})
			if err != nil {
				t.Fatal(err)
			}
			hourly, err := planner.Walk(in, domains(), length, planner.Look{Every: time.Hour, Afresh: true})
			if err != nil {
				t.Fatal(err)
			}
			// The words of a finding and of a step are those of the last look.
			words := cmp.Options{
				cmpopts.IgnoreFields(providers.Finding{}, "Summary", "Hint"),
				cmpopts.IgnoreFields(planner.Ran{}, "Summary"),
			}
			if diff := cmp.Diff(jumped, hourly, words); diff != "" {
				t.Fatalf("from change to change, and hour by hour:\n%s", diff)
			}
			for _, run := range jumped.Runs {
				for _, s := range run.Steps {
					if s.Window != "" && (s.Begins.In(berlin).Hour() < 1 || s.Begins.In(berlin).Hour() >= 6) {
						t.Fatalf("%s begins at %s", s.ID, s.Begins.In(berlin))
					}
				}
			}
		}
	}
}

var berlin, _ = time.LoadLocation("Europe/Berlin")

// BenchmarkForecast forecasts a year of 1,000 nodes with a daily backup. The goal is at most 10 s of processor time.
func BenchmarkForecast(b *testing.B) {
	r := calmCluster(b, 3, 997, weekly+certificatesInWindow+dailyBackup)
	began := processorTime(b)
	runs := 0
	for b.Loop() {
		runs = len(walked(b, r, year, planner.Look{}).Runs)
	}
	b.ReportMetric((processorTime(b)-began).Seconds()/float64(b.N), "cpu-s/op")
	b.ReportMetric(float64(runs), "runs")
}
