package timer

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/marks"
	"upkeep/providers/node/protocol"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// kept remembers what was scheduled.
type kept struct {
	calls []string
	fails error
}

func (k *kept) Start(_ context.Context, unit string, at time.Time, command []string) error {
	k.calls = append(k.calls, "start "+unit+" at "+at.UTC().Format(time.RFC3339)+" "+strings.Join(command[1:], " "))
	return k.fails
}

func (k *kept) Stop(_ context.Context, unit string) error {
	k.calls = append(k.calls, "stop "+unit)
	return k.fails
}

func request(change func(*protocol.TimerRequest)) protocol.TimerRequest {
	q := protocol.TimerRequest{
		Namespace: "akash-services", Name: "akash-provider", Mark: "upkeep.dev/stopped-by", Value: "hold 1",
		Forget: []string{"upkeep.dev/replicas"}, Replicas: 1, At: now.Add(6 * time.Hour),
	}
	change(&q)
	return q
}

func as(*protocol.TimerRequest) {}

// timers are those of a node in a new directory.
func timers(t *testing.T, k *kept) *Timers {
	t.Helper()
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "var", "lib"), 0o755); err != nil {
		t.Fatal(err)
	}
	self := filepath.Join(root, "upkeep-node")
	if err := os.WriteFile(self, []byte("the program"), 0o700); err != nil {
		t.Fatal(err)
	}
	d, err := disk.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return &Timers{Disk: d, Schedule: k, Program: self, Now: func() time.Time { return now }}
}

func quiet(string) {}

// A timer is armed with what it does written down first, is shown as a mark, and leaves nothing once it is taken back.
func TestOnAndOff(t *testing.T) {
	k := &kept{}
	timers := timers(t, k)
	result, err := timers.Run(t.Context(), request(as), quiet)
	if err != nil {
		t.Fatal(err)
	}
	if want := "upkeep-timer-akash-services.akash-provider.timer"; result.Unit != want {
		t.Errorf("unit %q, want %q", result.Unit, want)
	}
	found := marks.Found(timers.Disk).Found
	if len(found) != 1 || found[0].ID != "timer:akash-services.akash-provider" {
		t.Errorf("marks %+v", found)
	}
	q, err := recorded(timers.Disk, "akash-services.akash-provider")
	if diff := cmp.Diff(request(as), q); err != nil || diff != "" {
		t.Errorf("%v, (-want +got):\n%s", err, diff)
	}
	if text, err := os.ReadFile(timers.Disk.Real("/var/lib/upkeep/timers/upkeep-node")); string(text) != "the program" || err != nil {
		t.Errorf("the program that is kept: %q, %v", text, err)
	}
	if _, err := timers.Run(t.Context(), request(func(q *protocol.TimerRequest) { q.Off = true }), quiet); err != nil {
		t.Fatal(err)
	}
	if found := marks.Found(timers.Disk).Found; len(found) != 0 {
		t.Errorf("marks that are left: %+v", found)
	}
	if done, err := Restore(t.Context(), timers.Disk, "akash-services.akash-provider"); err != nil || done != "the timer was taken back" {
		t.Errorf("%q, %v", done, err)
	}
	want := []string{
		"start upkeep-timer-akash-services.akash-provider at 2026-11-22T18:00:00Z -restore akash-services.akash-provider",
		"stop upkeep-timer-akash-services.akash-provider",
	}
	if diff := cmp.Diff(want, k.calls); diff != "" {
		t.Error(diff)
	}
}

// A timer that systemd did not arm or stop is an error, and what was written down stays for the next try.
func TestSchedulerFails(t *testing.T) {
	k := &kept{fails: errors.New("no bus")}
	timers := timers(t, k)
	if _, err := timers.Run(t.Context(), request(as), quiet); err == nil || !strings.Contains(err.Error(), "no bus") {
		t.Error(err)
	}
	if err := timers.Undo(t.Context(), "timer:akash-services.akash-provider"); err == nil {
		t.Error("it was taken back although systemd did not stop it")
	}
	if found := marks.Found(timers.Disk).Found; len(found) != 1 {
		t.Errorf("marks %+v", found)
	}
	k.fails = nil
	if err := timers.Undo(t.Context(), "timer:akash-services.akash-provider"); err != nil || len(marks.Found(timers.Disk).Found) != 0 {
		t.Errorf("%v, %+v", err, marks.Found(timers.Disk).Found)
	}
}

func TestRefused(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*protocol.TimerRequest)
		want   string
	}{
		"no name":             {func(q *protocol.TimerRequest) { q.Name = "" }, "names no StatefulSet"},
		"a path":              {func(q *protocol.TimerRequest) { q.Namespace = "../kube-system" }, "names no StatefulSet"},
		"a dot":               {func(q *protocol.TimerRequest) { q.Name = "a.b" }, "names no StatefulSet"},
		"no annotation":       {func(q *protocol.TimerRequest) { q.Mark = "stopped" }, "is no annotation"},
		"forgets what is not": {func(q *protocol.TimerRequest) { q.Forget = []string{"a b"} }, "is no annotation"},
		"no value":            {func(q *protocol.TimerRequest) { q.Value = "" }, "has no value"},
		"no replicas":         {func(q *protocol.TimerRequest) { q.Replicas = 0 }, "cannot be restored"},
		"too many":            {func(q *protocol.TimerRequest) { q.Replicas = 1000 }, "cannot be restored"},
		"over":                {func(q *protocol.TimerRequest) { q.At = now }, "not later than now"},
		"far away":            {func(q *protocol.TimerRequest) { q.At = now.Add(30 * 24 * time.Hour) }, "more than"},
		"off, of a path":      {func(q *protocol.TimerRequest) { q.Off, q.Name = true, "a/b" }, "names no StatefulSet"},
	} {
		t.Run(name, func(t *testing.T) {
			k := &kept{}
			timers := timers(t, k)
			_, err := timers.Run(t.Context(), request(test.change), quiet)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
			if len(k.calls) > 0 || len(marks.Found(timers.Disk).Found) > 0 {
				t.Errorf("something was done: %v", k.calls)
			}
		})
	}
}

// The arguments of systemd-run: an instant, not a time of day, to the second, and no give-up.
func TestArguments(t *testing.T) {
	text := strings.Join(arguments("upkeep-timer-a.b", now.In(time.FixedZone("", 3600)), []string{"/p", "-restore", "a.b"}), " ")
	for _, want := range []string{
		"--unit=upkeep-timer-a.b ", "--on-calendar=2026-11-22 12:00:00 UTC ", "AccuracySec=1s", "RemainAfterElapse=no",
		"Restart=on-failure", "RestartSec=30", "StartLimitIntervalSec=0", " -- /p -restore a.b",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %s", want, text)
		}
	}
}
