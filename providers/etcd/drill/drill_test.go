package drill

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestRestorationCheck(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Restoration)
		want   string // nothing: it is good
	}{
		{"three members", func(*Restoration) {}, ""},
		{"bump and mark", func(r *Restoration) { r.Bump, r.MarkCompacted = SuggestedBump, true }, ""},
		{"bump alone", func(r *Restoration) { r.Bump = 5 }, "needs -mark-compacted"},
		{"mark alone", func(r *Restoration) { r.MarkCompacted = true }, "for example -bump-revision=1000000000"},
		{"a bump that is too large", func(r *Restoration) { r.Bump, r.MarkCompacted = 1<<41, true }, "leaves too few revisions"},
		{"no token", func(r *Restoration) { r.Token = "" }, "token"},
		{"no name", func(r *Restoration) { r.Name = "" }, "a member's name"},
		{"a stranger", func(r *Restoration) { r.Name = "cp9" }, "cp9 is not among"},
		{"twice", func(r *Restoration) { r.Cluster[1].Name = "cp1" }, "cp1 is named twice"},
		{"no peer URL", func(r *Restoration) { r.Cluster[1].PeerURLs = nil }, "cp2 has no peer URL"},
		{"no URL", func(r *Restoration) { r.Cluster[1].PeerURLs = []string{"10.0.0.12:2380"} }, `"10.0.0.12:2380" is no peer URL`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := Restoration{File: "s.db", DataDirectory: "etcd", Name: "cp1", Token: "t", Cluster: []Peer{
				{Name: "cp1", PeerURLs: []string{"https://10.0.0.11:2380"}}, {Name: "cp2", PeerURLs: []string{"https://10.0.0.12:2380"}},
			}}
			test.change(&r)
			err := r.Check()
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("Check = %v, want %q", err, test.want)
			}
		})
	}
}

func TestProgram(t *testing.T) {
	directory := t.TempDir()
	if _, err := Program(directory); err == nil || !strings.Contains(err.Error(), "upkeep-etcd is missing") {
		t.Errorf("no program: %v", err)
	}
	path := filepath.Join(directory, "upkeep-etcd")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Program(directory); err == nil || !strings.Contains(err.Error(), "is no program") {
		t.Errorf("a file without the right to run: %v", err)
	}
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := Program(directory); got != path || err != nil {
		t.Errorf("Program = %q, %v", got, err)
	}
}

func TestDeathsAreExplained(t *testing.T) {
	killed := exec.Command("sleep", "60")
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		ended   error
		words   string
		want    string
		damaged bool
	}{
		{"a panic", errors.New("exit status 2"), "panic: assertion failed\n\ngoroutine 1", "etcd's own code gave up on it: panic: assertion failed", true},
		{"a fault", errors.New("exit status 2"), "unexpected fault address 0x7f\nfatal error: fault", "unexpected fault address", true},
		{"etcd's last words", errors.New("exit status 1"), "FATAL failed to unmarshal mvccpb.KeyValue", "failed to unmarshal", true},
		{"a full disk", errors.New("exit status 1"), "PANIC failed to write: no space left on device", "no space left on device", false},
		{"the kernel", killed.Wait(), "", "memory runs out", false},
		{"silence", errors.New("exit status 3"), "", "without an answer: exit status 3", false},
		{"words", errors.New("exit status 1"), "upkeep-etcd: reading the request: EOF", "without an answer: upkeep-etcd: reading the request", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := died(test.ended, test.words)
			if !strings.Contains(err.Error(), test.want) || errors.Is(err, ErrDamaged) != test.damaged {
				t.Errorf("died = %v (damaged %t), want %q (%t)", err, errors.Is(err, ErrDamaged), test.want, test.damaged)
			}
		})
	}
}

func TestStage(t *testing.T) {
	target := filepath.Join(t.TempDir(), "a", "etcd")
	s, err := prepare(target)
	if err != nil {
		t.Fatal(err)
	}
	s.abandon()
	if _, err := os.Stat(target); !os.IsNotExist(err) {
		t.Errorf("an abandoned stage left its target: %v", err)
	}
	if s, err = prepare(target); err != nil {
		t.Fatal(err)
	}
	if _, err := prepare(target); err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("two at once: %v", err)
	}
	if err := os.Mkdir(filepath.Join(s.path, "member"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.settle(); err != nil {
		t.Fatal(err)
	}
	s.abandon()
	entries, err := os.ReadDir(target)
	if err != nil || len(entries) != 1 || entries[0].Name() != "member" {
		t.Errorf("settled: %v, %v", entries, err)
	}
}

func TestAFileReadIsCancelled(t *testing.T) {
	file := filepath.Join(t.TempDir(), "s.db")
	if err := os.WriteFile(file, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := CheckFile(ctx, file); !errors.Is(err, context.Canceled) {
		t.Errorf("CheckFile: %v", err)
	}
}
