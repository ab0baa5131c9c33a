package systemd_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/fixtures/gpunode"
	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/systemd"
)

const manager, persistence = "nvidia-fabricmanager.service", "nvidia-persistenced.service"

func show(t *testing.T, script string, names ...string) []facts.Unit {
	t.Helper()
	tree := &gpunode.Tree{Root: t.TempDir()}
	tree.Write("etc/hostname", "x")
	if script != "" {
		tree.WriteMode("usr/bin/systemctl", "#!/bin/sh\n"+script, 0o755)
	}
	if tree.Err != nil {
		t.Fatal(tree.Err)
	}
	d, err := disk.Open(tree.Root)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	return systemd.Show(t.Context(), d, names...)
}

// What systemd 255 says of a unit that fails again and again, and of one that is not installed.
const answer = `cat <<X
NRestarts=3
ExecMainStatus=1
Result=exit-code
Id=nvidia-fabricmanager.service
Names=nvidia-fabricmanager.service
LoadState=loaded
ActiveState=failed
SubState=failed
UnitFileState=enabled
ActiveEnterTimestamp=Sun 2026-11-22 07:02:04 $TZ
InactiveEnterTimestamp=Mon 2026-11-23 07:02:04 $TZ

NRestarts=0
ExecMainStatus=0
Result=success
Id=nvidia-persistenced.service
Names=nvidia-persistenced.service
LoadState=not-found
ActiveState=inactive
SubState=dead
UnitFileState=
ActiveEnterTimestamp=
InactiveEnterTimestamp=
X
`

func TestShow(t *testing.T) {
	both := func(reason string) []facts.Unit {
		return []facts.Unit{{Name: manager, Unknown: reason}, {Name: persistence, Unknown: reason}}
	}
	for _, c := range []struct {
		name, script string
		want         []facts.Unit
	}{
		{"failed, and not installed", answer, []facts.Unit{
			{Name: manager, Load: "loaded", Active: "failed", Sub: "failed", Enabled: "enabled", Result: "exit-code", Status: 1, Restarts: 3,
				Since: time.Date(2026, 11, 23, 7, 2, 4, 0, time.UTC)},
			{Name: persistence, Load: "not-found", Active: "inactive", Sub: "dead", Result: "success"},
		}},
		{"no systemd", "", both("systemd does not run on this node: there is no systemctl")},
		{"no bus", "echo 'Failed to connect to bus: No such file or directory' >&2; exit 1",
			both("systemctl: exit status 1: Failed to connect to bus: No such file or directory")},
		{"half an answer", "printf 'Id=nvidia-fabricmanager.service\\nLoadState=loaded\\nActiveState=active\\nSubState=running\\n'", []facts.Unit{
			{Name: manager, Load: "loaded", Active: "active", Sub: "running"}, {Name: persistence, Unknown: "systemd did not answer for this unit"},
		}},
		{"of another unit", "printf 'Id=x.service\\nLoadState=loaded\\nActiveState=active\\n'", []facts.Unit{
			{Name: manager, Unknown: "systemd's answer for this unit cannot be read"}, {Name: persistence, Unknown: "systemd did not answer for this unit"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, show(t, c.script, manager, persistence)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	if got := show(t, "exit 7", "--help"); got[0].Unknown != `not asked: "--help" is no name of a unit` {
		t.Errorf("%+v", got)
	}
}
