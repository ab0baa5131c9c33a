package unit

import (
	"strings"
	"testing"
	"time"

	"upkeep/providers/node/protocol"
)

func TestIdentify(t *testing.T) {
	run := protocol.Run{Lineage: "s", Generation: 4, Plan: "p", Step: "1"}
	q := protocol.RestartRequest{Run: run, Step: "1", Component: "etcd", ContainerID: "c"}
	key, id, err := identify("m", run, q)
	if err != nil || CheckID(id) != nil || id != key+"-4" {
		t.Fatalf("%q, %q, %v", key, id, err)
	}
	newer := run
	newer.Generation = 5
	other := q
	other.Run = newer
	if k, i, _ := identify("m", newer, other); k != key || i != key+"-5" {
		t.Errorf("a newer run of the same step is %s", i)
	}
	for name, change := range map[string]func(*string, *protocol.Run, *protocol.RestartRequest){
		"method":  func(m *string, _ *protocol.Run, _ *protocol.RestartRequest) { *m = "n" },
		"lineage": func(_ *string, r *protocol.Run, _ *protocol.RestartRequest) { r.Lineage = "t" },
		"plan":    func(_ *string, r *protocol.Run, _ *protocol.RestartRequest) { r.Plan = "q" },
		"step":    func(_ *string, r *protocol.Run, _ *protocol.RestartRequest) { r.Step = "2" },
		"content": func(_ *string, _ *protocol.Run, q *protocol.RestartRequest) { q.Component = "kube-scheduler" },
	} {
		m, r, c := "m", run, q
		change(&m, &r, &c)
		if k, _, _ := identify(m, r, c); k == key {
			t.Errorf("another %s makes no difference", name)
		}
	}
	a, _, _ := identify("m", protocol.Run{}, q)
	b, _, _ := identify("m", protocol.Run{}, q)
	if a == b {
		t.Error("two requests of no run are the same")
	}
}

func TestCheckID(t *testing.T) {
	for _, id := range []string{"", "..", "a/b", strings.Repeat("a", 32), strings.Repeat("a", 32) + "-", strings.Repeat("A", 32) + "-1",
		strings.Repeat("a", 32) + "-01", strings.Repeat("a", 32) + "-1\n", strings.Repeat("a", 32) + "-1 --user"} {
		if CheckID(id) == nil {
			t.Errorf("%q is taken", id)
		}
	}
}

// What is handed to systemd-run is a fixed command with an id in it, and a path that nothing is read into.
func TestSystemdIsHandedNoText(t *testing.T) {
	id := strings.Repeat("a", 32) + "-7"
	s := Systemd{Helper: "/var/lib/upkeep/bin/upkeep-node-0123", Run: "/nonexistent/systemd-run"}
	words := s.arguments(id, Terms{Limit: time.Minute})
	if got := strings.Join(words[len(words)-4:], " "); got != "-- /var/lib/upkeep/bin/upkeep-node-0123 -perform "+id {
		t.Errorf("command %q", got)
	}
	joined := strings.Join(words, " ")
	if !strings.Contains(joined, " --property=RuntimeMaxSec=180 ") || !strings.Contains(joined, " --property=UMask=0077 ") ||
		!strings.Contains(joined, " --property=ProtectSystem=strict ") {
		t.Errorf("arguments %q", words)
	}
	open := s.arguments(id, Terms{Limit: 1500 * time.Millisecond, Hardening: protocol.Hardening{Unconfined: "it installs packages"}})
	if joined := strings.Join(open, " "); strings.Contains(joined, "Protect") || !strings.Contains(joined, "RuntimeMaxSec=122 ") {
		t.Errorf("arguments %q", open)
	}
	if err := s.Start(t.Context(), "x; reboot", Terms{}); err == nil || !strings.Contains(err.Error(), "is not the id") {
		t.Errorf("error %v", err)
	}
	for _, helper := range []string{"relative", "/tmp/a b", "/tmp/$HOME", "/tmp/%n", "/tmp/a;b", "/tmp/a\\b", "/tmp/'a'"} {
		s.Helper = helper
		if err := s.Start(t.Context(), id, Terms{}); err == nil || !strings.Contains(err.Error(), "characters that systemd would interpret") {
			t.Errorf("%q: %v", helper, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"version":1,"method":"m","run":{},"made":"2026-11-22T09:00:00Z","content":{"step":"a"}}`))
	f.Add([]byte(`{"version":1,"at":"2026-11-22T09:00:00Z","by":"b","boot":"c","pid":1}`))
	f.Add([]byte(`{"version":1,"ended":"2026-11-22T09:00:00Z","outcome":"done","result":[]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var q request
		var b begun
		var r result
		for _, into := range []any{&q, &b, &r} {
			_ = parse(text, into) // an error or a record, and no panic
		}
		if q.Version != 0 && q.Version != version {
			t.Errorf("version %d was read", q.Version)
		}
	})
}
