package service_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	fixture "upkeep/fixtures/pki"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/service"
	"upkeep/providers/node/protocol"
)

// server is a server of k3s that runs, whose certificates end a year after 2025-11-20, and a systemctl that stops and starts it.
func server(t *testing.T, faults map[string]fixture.Fault, script string) (string, *disk.Disk) {
	t.Helper()
	made := time.Date(2025, 11, 20, 0, 0, 0, 0, time.UTC)
	tree, err := fixture.NewKubeadmTree(t.TempDir(), fixture.Options{Rancher: "k3s", Now: made, Faults: faults})
	if err != nil {
		t.Fatal(err)
	}
	units := filepath.Join(tree.Dir, "run/systemd/units")
	if err := os.MkdirAll(units, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(first, filepath.Join(units, "invocation:k3s.service")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(tree.Dir, "systemctl"), []byte("#!/bin/sh\ncd "+units+"\necho $1 >>../../../calls\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	d, err := disk.Open(tree.Dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return tree.Dir, d
}

const stopsAndStarts = `case $1 in stop) rm invocation:k3s.service;; *) ln -sfn ` + second + ` invocation:k3s.service;; esac`

// What has expired is set aside while the service is stopped, and the service is started whatever came of that.
func TestAside(t *testing.T) {
	const scheduler, dynamic = "kube-scheduler/kube-scheduler", "dynamic-cert.json"
	expired := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	const mark = ".expired-2026-11-20"
	for name, test := range map[string]struct {
		names  []string
		faults map[string]fixture.Fault
		now    time.Time
		script string
		calls  string
		moved  []string
		want   string
	}{
		"both": {
			names: []string{dynamic, scheduler}, now: expired, script: stopsAndStarts, calls: "stop\nstart\n",
			moved: []string{dynamic + mark, scheduler + ".crt" + mark, scheduler + ".key" + mark},
		},
		"none is named":         {now: expired, script: stopsAndStarts, calls: "restart\n"},
		"what is set aside yet": {names: []string{scheduler}, faults: map[string]fixture.Fault{scheduler: fixture.Missing}, now: expired, script: stopsAndStarts, calls: "stop\nstart\n"},
		"what has not expired":  {names: []string{dynamic}, now: expired.AddDate(0, 0, -9), script: stopsAndStarts, want: "has not expired: it is valid until 2026-11-20"},
		"what a start renews":   {names: []string{"client-admin"}, now: expired, script: stopsAndStarts, want: "client-admin is no certificate that is set aside"},
		"a path as a name":      {names: []string{"../../etc/passwd"}, now: expired, script: stopsAndStarts, want: "is no certificate that is set aside"},
		"what cannot be read":   {names: []string{scheduler}, faults: map[string]fixture.Fault{scheduler: fixture.Empty}, now: expired, script: stopsAndStarts, want: "cannot be read: the file is empty"},
		"a stop that fails":     {names: []string{dynamic}, now: expired, script: "echo no; exit 1", calls: "stop\n", want: "systemctl: exit status 1: no"},
		"a start that fails": {
			names: []string{dynamic}, now: expired, script: `[ $1 = stop ]`, calls: "stop\nstart\n", moved: []string{dynamic + mark}, want: "systemctl: exit status 1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, d := server(t, test.faults, test.script)
			r := service.Restarter{Disk: d, Systemctl: filepath.Join(dir, "systemctl"), Pause: time.Millisecond, Now: func() time.Time { return test.now }}
			_, err := r.Run(t.Context(), protocol.RestartServiceRequest{Service: "k3s.service", Invocation: first, Aside: test.names}, func(string) {})
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			calls, _ := os.ReadFile(filepath.Join(dir, "calls"))
			if d := cmp.Diff(test.calls, string(calls)); d != "" {
				t.Errorf("calls: %s", d)
			}
			tls := filepath.Join(dir, "var/lib/rancher/k3s/server/tls")
			var moved []string
			if err := filepath.WalkDir(tls, func(p string, _ fs.DirEntry, err error) error {
				if strings.Contains(p, ".expired-") {
					moved = append(moved, strings.TrimPrefix(p, tls+"/"))
					if _, err := os.Stat(strings.Split(p, ".expired-")[0]); err == nil {
						t.Errorf("%s is there still", p)
					}
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(test.moved, moved); d != "" {
				t.Errorf("moved: %s", d)
			}
		})
	}
}
