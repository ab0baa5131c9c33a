package node_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/facts"
	"upkeep/providers/node"
	"upkeep/providers/node/protocol"
)

// frame is a shell command that prints one frame.
func frame(text string) string { return fmt.Sprintf(`printf '\000\000\000\%03o%s'`, len(text), text) }

func layout(name string) facts.Question {
	return facts.Question{Certificates: &facts.CertificatesQuestion{Layout: name}}
}

func TestObserve(t *testing.T) {
	s := newSite(t)
	become := remote("cp2")
	become.Become = true
	for _, target := range []node.Target{local("cp0"), remote("cp1"), become} {
		t.Run(target.Name, func(t *testing.T) {
			got, err := s.client().Observe(t.Context(), target, layout("kubeadm"))
			if err != nil {
				t.Fatal(err)
			}
			got.System.Kernel = ""
			want := facts.Node{Name: target.Name, Host: target.Host, System: facts.System{Hostname: "a node"},
				Certificates: facts.Certificates{Layout: "kubeadm"}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestProgressComesInOrderAndBeforeTheAnswer(t *testing.T) {
	s := newSite(t)
	var names []string
	for i := range 200 {
		names = append(names, fmt.Sprintf("certificate %d", i))
	}
	var lines []string
	var result protocol.RenewResult
	request := protocol.RenewRequest{Step: "s", Names: names, ClusterConfiguration: "c", Serials: map[string]string{"apiserver": "1F"}}
	err := s.client().Call(t.Context(), local("cp1"), protocol.MethodRenew, request, &result, func(line string) { lines = append(lines, line) })
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(names, lines); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(protocol.RenewResult{Archive: "s", Serials: map[string]string{"apiserver": "1F"}}, result); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
}

// Every way in which a helper can misbehave is an error that names the node, in bounded time.
func TestHelpersThatMisbehave(t *testing.T) {
	for _, test := range []struct{ name, code, want string }{
		{"dies before it answers", "echo 'out of memory' >&2; exit 137", `cp1: the helper ended before it answered (exit status 137): "out of memory"`},
		{"dies inside its answer", `printf '\000\000\001\000{"jsonrpc"'`, "cp1: the helper's answer cannot be read: the stream is not in order: it ended after 10 of the 256 bytes of a frame"},
		{"announces a huge frame", `printf '\377\377\377\377'; sleep 60`, "cp1: the helper's answer cannot be read: the stream is not in order: a frame of 4294967295 bytes was announced (1 to 16777216 are allowed)"},
		{"announces an empty frame", `printf '\000\000\000\000'; sleep 60`, "cp1: the helper's answer cannot be read: the stream is not in order: a frame of 0 bytes was announced (1 to 16777216 are allowed)"},
		{"never answers", "exec sleep 60", "cp1: no answer in 500ms"},
		{"stops inside its answer", `printf '\000\000\001\000{"jsonrpc"'; exec sleep 60`, "cp1: no answer in 500ms"},
		{"sends what is not JSON", frame("hey") + "; exec sleep 60", "cp1: the helper's answer cannot be read: invalid request value"},
		{"answers another request", frame(`{"jsonrpc":"2.0","id":77,"result":{}}`) + "; exec sleep 60", "cp1: no answer in 500ms"},
		{"answers with another type", frame(`{"jsonrpc":"2.0","id":1,"result":[]}`) + "; exec sleep 60", "cp1: the helper's answer cannot be read: json: cannot unmarshal array into Go value of type facts.Node"},
		{"never stops talking", "while :; do " + frame(`{"jsonrpc":"2.0","method":"progress","params":{"line":"more"}}`) + "; done", "cp1: no answer in 500ms"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.scripted(test.code)
			if strings.Contains(test.want, "no answer") {
				s.options.AnswerTimeout = 500 * time.Millisecond
			}
			begin := time.Now()
			_, err := s.client().Observe(t.Context(), local("cp1"), facts.Question{})
			if diff := cmp.Diff(test.want, fmt.Sprint(err)); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if took := time.Since(begin); took > time.Minute {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func TestErrorsOfTheHelperKeepTheirText(t *testing.T) {
	s := newSite(t)
	_, err := s.client().Observe(t.Context(), local("cp1"), layout("error"))
	if diff := cmp.Diff(`cp1: the helper says: "layout 'error': not \u001b[31mknown"`, fmt.Sprint(err)); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
	_, err = s.client().Observe(t.Context(), local("cp1"), layout("huge"))
	if err == nil || !strings.HasSuffix(err.Error(), `bytes; at most 16773120 fit"`) {
		t.Errorf("huge: %v", err)
	}
	_, err = s.client().Observe(t.Context(), local("cp1"), layout("panic"))
	if err == nil || !strings.HasPrefix(err.Error(), `cp1: the helper says: "the helper failed: no such layout (at `) || !strings.Contains(err.Error(), "main_test.go:") {
		t.Errorf("panic: %v", err)
	}
	err = s.client().Call(t.Context(), local("cp1"), "format.disk", struct{}{}, nil, nil)
	if err == nil || err.Error() != "cp1: the helper knows no request format.disk" {
		t.Errorf("unknown method: %v", err)
	}
	err = s.client().Call(t.Context(), local("cp1"), protocol.MethodRenew, map[string]any{"step": "s", "force": true}, &protocol.RenewResult{}, nil)
	if err == nil || !strings.Contains(err.Error(), `unknown field 'force'"`) {
		t.Errorf("unknown field: %v", err)
	}
}

func TestAHangingNodeCostsTheOthersNothing(t *testing.T) {
	s := newSite(t)
	s.options.ConnectTimeout = time.Minute
	s.host("hung", "echo $$ >"+s.path("pid")+"; mv "+s.path("pid")+" "+s.path("hung.pid")+"; sleep 60\n")
	c := s.client()
	ctx, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	hung := make(chan error, 1)
	go func() {
		_, err := c.Observe(ctx, remote("hung"), facts.Question{})
		hung <- err
	}()
	pid := s.appears("hung.pid")
	for _, name := range []string{"cp1", "cp2", "cp3"} {
		if _, err := c.Observe(t.Context(), remote(name), facts.Question{}); err != nil {
			t.Errorf("beside a node that hangs: %v", err)
		}
	}
	select {
	case err := <-hung:
		t.Fatalf("the node that hangs was given up while the others were asked: %v", err)
	default:
	}
	giveUp()
	if err := <-hung; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that it was cancelled", err)
	}
	if _, err := os.Stat(filepath.Join("/proc", strings.TrimSpace(pid))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("ssh still runs: %v", err)
	}
}

func TestAHangingNodeIsGivenUp(t *testing.T) {
	s := newSite(t)
	s.options.ConnectTimeout = 500 * time.Millisecond
	s.host("hung", "sleep 60\n")
	if diff := cmp.Diff("hung: no answer in 500ms", fmt.Sprint(s.observe(remote("hung")))); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

func TestCallerGivesUp(t *testing.T) {
	s := newSite(t)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := s.client().Observe(ctx, local("cp1"), layout("hang"))
	if !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), "cp1: ") {
		t.Errorf("error %v", err)
	}
}

func TestAChangeOutlivesTheConnection(t *testing.T) {
	s := newSite(t)
	ctx, cancel := context.WithCancel(t.Context())
	mark := s.path("repaired")
	// The child of the fake ssh stands for the remote side: it must not be in the group that is killed.
	s.host("cp1", `setsid sh -c "$3"; exit $?`+"\n")
	err := s.client().Call(ctx, remote("cp1"), protocol.MethodRepair, protocol.RepairRequest{Step: "s", Intent: mark}, nil, func(string) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want that it was cancelled", err)
	}
	if got := s.appears("repaired"); got != "done" {
		t.Errorf("the change left %q", got)
	}
}

func TestParallelismIsLimited(t *testing.T) {
	s := newSite(t)
	s.options.Parallelism = 3
	s.meeting(3)
	observeMany(t, s, 12, remote)
	if got := s.mostConcurrent(); got != 3 {
		t.Errorf("%d sessions at a time, want 3", got)
	}
}

func TestSessionsThroughAJumpHostAreLimited(t *testing.T) {
	s := newSite(t)
	s.meeting(2)
	observeMany(t, s, 12, func(name string) node.Target {
		target := remote(name)
		target.ProxyJump, target.MaxSessions = "ops@bastion", 2
		return target
	})
	if got := s.mostConcurrent(); got != 2 {
		t.Errorf("%d sessions at a time, want 2", got)
	}
}

// observeMany observes nodes all at once.
func observeMany(t testing.TB, s *site, count int, target func(string) node.Target) {
	t.Helper()
	c := s.client()
	var all sync.WaitGroup
	for i := range count {
		all.Go(func() {
			if _, err := c.Observe(t.Context(), target(fmt.Sprintf("cp%d", i)), facts.Question{}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// The fence is asked when the session has begun, once for each one, and what it refuses is never sent.
func TestTheFenceIsAskedInTheSession(t *testing.T) {
	s := newSite(t)
	lost := errors.New("the lock was lost")
	for _, refuses := range []bool{false, true} {
		asked, left := 0, filepath.Join(t.TempDir(), "repaired")
		var result protocol.RepairResult
		err := s.client().CallFenced(t.Context(), local("cp1"), protocol.MethodRepair, protocol.RepairRequest{Step: "s", Intent: left}, &result, nil, func(context.Context) error {
			if asked++; refuses {
				return lost
			}
			return nil
		})
		_, statErr := os.Stat(left)
		if asked != 1 || errors.Is(err, lost) != refuses || (err == nil) == refuses || (statErr == nil) == refuses {
			t.Errorf("refuses %t: asked %d times, %v; its work: %v", refuses, asked, err, statErr)
		}
	}
}
