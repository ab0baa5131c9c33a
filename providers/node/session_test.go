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

// asked is a shell command that waits for a request: an answer that comes before its request answers nothing.
const asked = "head -c 1 >/dev/null; "

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
		{"dies before it answers", "echo 'out of memory' >&2; exit 137", "cp1: the helper ended before it answered (exit status 137): out of memory"},
		{"dies inside its answer", `printf '\000\000\001\000{"jsonrpc"'`, "cp1: the helper's answer cannot be read: the stream is not in order: it ended after 10 of the 256 bytes of a frame"},
		{"announces a huge frame", `printf '\377\377\377\377'; sleep 60`, "cp1: the helper's answer cannot be read: the stream is not in order: a frame of 4294967295 bytes was announced (1 to 16777216 are allowed)"},
		{"announces an empty frame", `printf '\000\000\000\000'; sleep 60`, "cp1: the helper's answer cannot be read: the stream is not in order: a frame of 0 bytes was announced (1 to 16777216 are allowed)"},
		{"never answers", "exec sleep 60", "cp1: no answer in 500ms"},
		{"stops inside its answer", `printf '\000\000\001\000{"jsonrpc"'; exec sleep 60`, "cp1: no answer in 500ms"},
		{"sends what is not JSON", frame("hey") + "; exec sleep 60", "cp1: the helper's answer cannot be read: invalid request value"},
		{"answers another request", asked + frame(`{"jsonrpc":"2.0","id":77,"result":{}}`) + "; exec sleep 60", "cp1: no answer in 500ms"},
		{"answers with another type", asked + frame(`{"jsonrpc":"2.0","id":1,"result":[]}`) + "; exec sleep 60", "cp1: the helper's answer cannot be read: json: cannot unmarshal array into Go value of type facts.Node"},
		{"never stops talking", "while :; do " + frame(`{"jsonrpc":"2.0","method":"progress","params":{"line":"more"}}`) + "; done", "cp1: no answer in 500ms"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.scripted(test.code + "\n")
			if strings.Contains(test.want, "no answer") {
				s.options.AnswerTimeout = 500 * time.Millisecond
			}
			begin := time.Now()
			_, err := s.client().Observe(t.Context(), local("cp1"), facts.Question{})
			if diff := cmp.Diff(test.want, fmt.Sprint(err)); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if took := time.Since(begin); took > 20*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func TestErrorsOfTheHelperKeepTheirText(t *testing.T) {
	s := newSite(t)
	_, err := s.client().Observe(t.Context(), local("cp1"), layout("error"))
	if diff := cmp.Diff(`cp1: layout "error": not [31mknown`, fmt.Sprint(err)); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
	_, err = s.client().Observe(t.Context(), local("cp1"), layout("huge"))
	if err == nil || !strings.HasSuffix(err.Error(), "bytes; at most 16773120 fit") {
		t.Errorf("huge: %v", err)
	}
	_, err = s.client().Observe(t.Context(), local("cp1"), layout("panic"))
	if err == nil || !strings.HasPrefix(err.Error(), "cp1: the helper failed: no such layout (at ") || !strings.Contains(err.Error(), "main_test.go:") {
		t.Errorf("panic: %v", err)
	}
	err = s.client().Call(t.Context(), local("cp1"), "format.disk", struct{}{}, nil, nil)
	if err == nil || err.Error() != "cp1: the helper knows no request format.disk" {
		t.Errorf("unknown method: %v", err)
	}
	err = s.client().Call(t.Context(), local("cp1"), protocol.MethodRenew, map[string]any{"step": "s", "force": true}, &protocol.RenewResult{}, nil)
	if err == nil || !strings.Contains(err.Error(), `unknown field "force"`) {
		t.Errorf("unknown field: %v", err)
	}
}

func TestAHangingNodeCostsTheOthersNothing(t *testing.T) {
	s := newSite(t)
	s.options.ConnectTimeout = 4 * time.Second
	s.host("hung", "echo $$ >"+s.path("hung.pid")+"; sleep 60\n")
	c := s.client()
	if _, err := c.Observe(t.Context(), remote("first"), facts.Question{}); err != nil { // installs the helper
		t.Fatal(err)
	}
	var all sync.WaitGroup
	errs := map[string]error{}
	took := map[string]time.Duration{}
	var mu sync.Mutex
	for _, name := range []string{"hung", "cp1", "cp2", "cp3"} {
		all.Go(func() {
			begin := time.Now()
			_, err := c.Observe(t.Context(), remote(name), facts.Question{})
			mu.Lock()
			defer mu.Unlock()
			errs[name], took[name] = err, time.Since(begin)
		})
	}
	all.Wait()
	if diff := cmp.Diff("hung: no answer in 4s", fmt.Sprint(errs["hung"])); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
	for _, name := range []string{"cp1", "cp2", "cp3"} {
		if errs[name] != nil || took[name] >= took["hung"] {
			t.Errorf("%s: %v after %s", name, errs[name], took[name])
		}
	}
	pid, err := os.ReadFile(s.path("hung.pid"))
	if err != nil {
		t.Fatal(err)
	}
	group := filepath.Join("/proc", strings.TrimSpace(string(pid)))
	if _, err := os.Stat(group); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("ssh still runs: %v", err)
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
	mark := s.path("mended")
	// The child of the fake ssh stands for the remote side: it must not be in the group that is killed.
	s.host("cp1", `setsid sh -c "$3"; exit $?`+"\n")
	err := s.client().Call(ctx, remote("cp1"), protocol.MethodMend, protocol.MendRequest{Step: "s", Intent: mark}, nil, func(string) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want that it was cancelled", err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		if text, _ := os.ReadFile(mark); string(text) == "done" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the change was not finished")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestParallelismIsLimited(t *testing.T) {
	s := newSite(t)
	s.options.Parallelism = 3
	observeMany(t, s, 12, remote)
	if got := s.mostConcurrent(); got < 2 || got > 3 {
		t.Errorf("%d sessions at a time, want at most 3 and more than one", got)
	}
}

func TestSessionsThroughAJumpHostAreLimited(t *testing.T) {
	s := newSite(t)
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
		asked, left := 0, filepath.Join(t.TempDir(), "mended")
		var result protocol.MendResult
		err := s.client().CallFenced(t.Context(), local("cp1"), protocol.MethodMend, protocol.MendRequest{Step: "s", Intent: left}, &result, nil, func(context.Context) error {
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
