package reboot_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/reboot"
	"upkeep/providers/node/protocol"
)

const boot = "4fa253f5-8989-4698-89d2-2d441dab4c85"

// machine is a node in a boot; its systemctl runs the script.
func machine(t *testing.T, systemd bool, script string) *reboot.Rebooter {
	t.Helper()
	dir := t.TempDir()
	at := filepath.Join(dir, "proc/sys/kernel/random")
	if err := os.MkdirAll(at, 0o755); err != nil {
		t.Fatal(err)
	}
	if systemd {
		if err := os.MkdirAll(filepath.Join(dir, "run/systemd/system"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	systemctl := filepath.Join(dir, "systemctl")
	for path, text := range map[string]string{
		filepath.Join(at, "boot_id"): boot + "\n", systemctl: "#!/bin/sh\n" + script + "\necho \"$*\" >" + dir + "/asked\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	d, err := disk.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return &reboot.Rebooter{Disk: d, Systemctl: systemctl, Patience: time.Millisecond}
}

func TestReboot(t *testing.T) {
	for name, test := range map[string]struct {
		systemd      bool
		script, boot string
		want         string
		asked        bool
	}{
		"it stays up":         {true, "", boot, "the node did not go down in 1ms; see: systemctl list-jobs", true},
		"systemctl refuses":   {true, "echo Call to Reboot failed; exit 1", boot, "Call to Reboot failed", false},
		"another boot":        {true, "", "11111111-8989-4698-89d2-2d441dab4c85", "now the node runs boot " + boot + ": plan again", false},
		"no boot is named":    {true, "", "", "does not say which boot must end", false},
		"systemd runs not":    {false, "", boot, "systemd does not run on this node", false},
		"an option as a boot": {true, "", "--force", "the plan was made for boot --force", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := machine(t, test.systemd, test.script)
			_, err := r.Run(t.Context(), protocol.RebootRequest{BootID: test.boot}, func(string) {})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			said, err := os.ReadFile(filepath.Join(filepath.Dir(r.Systemctl), "asked"))
			if asked := err == nil && string(said) == "reboot\n"; asked != test.asked {
				t.Errorf("systemctl was asked %q, %v", said, err)
			}
		})
	}
}

// A machine that goes down stops the program: what it returns is no success, and names what ended it.
func TestRebootIsStoppedWithTheMachine(t *testing.T) {
	r := machine(t, true, "")
	r.Patience = time.Hour
	ctx, cancel := context.WithCancelCause(t.Context())
	down := errors.New("terminated")
	_, err := r.Run(ctx, protocol.RebootRequest{BootID: boot}, func(line string) {
		if line == "systemctl reboot" {
			time.AfterFunc(0, func() { cancel(down) })
		}
	})
	if !errors.Is(err, down) {
		t.Errorf("got %v", err)
	}
}
