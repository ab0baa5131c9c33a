package service_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/service"
	"upkeep/providers/node/protocol"
)

const (
	first  = "0123456789abcdef0123456789abcdef"
	second = "fedcba9876543210fedcba9876543210"
)

// machine is a node on which etcd.service is active, and systemctl gives it a new invocation.
func machine(t *testing.T, script string) (*disk.Disk, string) {
	t.Helper()
	dir := t.TempDir()
	units := filepath.Join(dir, "run/systemd/units")
	if err := os.MkdirAll(units, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(first, filepath.Join(units, "invocation:etcd.service")); err != nil {
		t.Fatal(err)
	}
	systemctl := filepath.Join(dir, "systemctl")
	if err := os.WriteFile(systemctl, []byte("#!/bin/sh\ncd "+units+"\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	d, err := disk.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d, systemctl
}

func TestCollect(t *testing.T) {
	d, _ := machine(t, "")
	got := service.Collect(d, "etcd.service", "", "k3s.service")
	if len(got) == 2 && time.Since(got[0].Started) < time.Minute {
		got[0].Started = time.Time{}
	}
	want := []facts.Service{{Name: "etcd.service", Invocation: first}, {Name: "k3s.service"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	bare, err := disk.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer bare.Close()
	if got := service.Collect(bare, "etcd.service"); !strings.Contains(got[0].Unknown, "systemd does not run") {
		t.Errorf("%+v", got)
	}
}

func TestRestart(t *testing.T) {
	for name, test := range map[string]struct {
		script, service, invocation, want string
	}{
		"restarted":           {`[ "$*" = "restart -- etcd.service" ] && ln -sfn ` + second + ` invocation:etcd.service`, "etcd.service", first, ""},
		"another start":       {"", "etcd.service", second, "plan again"},
		"a foreign service":   {"", "sshd.service", "", "no service that upkeep restarts"},
		"systemctl fails":     {"echo Job failed; exit 1", "etcd.service", first, "Job failed; see: journalctl -u etcd.service"},
		"an option as a name": {"", "--force", "", "no service that upkeep restarts"},
	} {
		t.Run(name, func(t *testing.T) {
			d, systemctl := machine(t, test.script)
			r := service.Restarter{Disk: d, Systemctl: systemctl, Pause: time.Millisecond}
			got, err := r.Run(t.Context(), protocol.RestartServiceRequest{Service: test.service, Invocation: test.invocation}, func(string) {})
			switch {
			case test.want == "" && (err != nil || got.Invocation != second):
				t.Errorf("%+v, %v", got, err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
