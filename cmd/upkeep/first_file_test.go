package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upkeep/config"
	"upkeep/fixtures/worlds"
	"upkeep/planner"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// firstFileLines is how long the first configuration of a provider with 40 nodes may be.
const firstFileLines = 40

// TestFirstFile: forty lines declare forty nodes, certificates, backups, and the provider's chart and prices; they are
// formatted, they load without a word, and they plan.
func TestFirstFile(t *testing.T) {
	directory := filepath.Join("..", "..", "fixtures", "first")
	text, err := os.ReadFile(filepath.Join(directory, "provider.upkeep.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Count(text, []byte("\n")); lines > firstFileLines {
		t.Errorf("the first file has %d lines, and may have %d", lines, firstFileLines)
	}
	if formatted := config.Format(text); !bytes.Equal(formatted, text) {
		t.Errorf("it is not formatted:\n%s", formatted)
	}
	environ := []string{"HOME=/home/ops", "NO_COLOR=1"}
	desired, _, diags := config.Load(directory, config.Options{Types: planner.BlockTypes(domains()), Environ: environ, Version: version, Findings: findingIDs(domains())})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	world := firstWorld(t, now)
	for _, n := range providers.NewInventory(desired, world).Nodes {
		if n.Connection != "bastion" {
			t.Errorf("%s is reached by %q", n.Name, n.Connection)
		}
	}
	data, err := facts.Encode(world)
	if err != nil {
		t.Fatal(err)
	}
	work := t.TempDir()
	for name, data := range map[string][]byte{"provider.upkeep.hcl": text, "facts.json": data} {
		if err := os.WriteFile(filepath.Join(work, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(work)
	upkeep := func(args ...string) (int, string, string) {
		var stdout, stderr bytes.Buffer
		code := run(context.Background(), environment{
			args: append([]string{"upkeep"}, args...), stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr,
			environ: environ, now: func() time.Time { return now },
		})
		return code, stdout.String(), stderr.String()
	}
	if code, _, said := upkeep("validate"); code != exitDone {
		t.Errorf("validate exits %d: %s", code, said)
	}
	code, plan, said := upkeep("plan", "-facts=facts.json", "-detailed-exitcode")
	if code != exitChanges || said != "" {
		t.Errorf("plan exits %d: %s", code, said)
	}
	for _, want := range []string{
		"FROM RECORDED FACTS of 2026-11-22 12:00:00 UTC: for review, not for apply\n3 control planes, 37 GPU nodes\n",
		"# etcd_backup.daily will be created", "# certificates.control_plane@cp1 will be updated in-place", "# akash_provider.main",
		"chart version", "price_target_cpu",
	} {
		if !strings.Contains(plan, want) {
			t.Errorf("the plan does not say %q:\n%s", want, plan)
		}
	}
	if strings.Contains(plan, "UNKNOWN") || strings.Contains(plan, "NOT APPLICABLE") {
		t.Errorf("the plan is not complete:\n%s", plan)
	}
}

// firstWorld has three control planes of which one renews, and 37 GPU nodes that only Kubernetes knows; its provider is that
// of the recorded example.
func firstWorld(t *testing.T, now time.Time) facts.World {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "fixtures", "akash", "facts.json"))
	if err != nil {
		t.Fatal(err)
	}
	provider, err := facts.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	world := worlds.ControlPlanes(3, now)
	worlds.Age(now, 12*24*time.Hour, world.Nodes["cp1"], "apiserver")
	world.ObservedAt = now
	// The recorded chart is the published one.
	for _, release := range provider.Releases {
		if release.Offer != nil {
			release.Offer.Source.Repository = "https://akash-network.github.io/helm-charts"
		}
	}
	world.Releases, world.Tenancies, world.Definitions, world.Archives = provider.Releases, provider.Tenancies, provider.Definitions, provider.Archives
	var members []string
	for i := range 37 {
		name := fmt.Sprintf("gpu%d", i+1)
		members = append(members, name)
		world.Kubernetes.Nodes = append(world.Kubernetes.Nodes, facts.KubernetesNode{
			Name: name, Ready: true, Addresses: map[string]string{"InternalIP": fmt.Sprintf("10.0.1.%d", i+1)},
			Labels: map[string]string{"example.net/gpu": "hopper"},
		})
	}
	world.Backups = map[string]facts.Backups{"etcd_backup.daily": {Store: "file /var/backups/upkeep"}}
	world.Fleets = map[string]facts.Fleet{"gpu": {Members: members}}
	return world
}
