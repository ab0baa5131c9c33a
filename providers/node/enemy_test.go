package node_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/facts"
	"upkeep/providers/node/protocol"
)

// bigFrame is shell code that prints a frame of n repetitions of a text between two others.
func bigFrame(before, text string, n int, after string) string {
	size := len(before) + n*len(text) + len(after)
	return fmt.Sprintf(`printf '\%03o\%03o\%03o\%03o'; printf '%%s' '%s'; yes '%s' | head -n %d | tr -d '\n'; printf '%%s' '%s'`,
		size>>24, size>>16&255, size>>8&255, size&255, before, text, n, after)
}

// A helper that is an enemy costs bounded time and memory, and says nothing about other nodes.
func TestHelpersThatAreEnemies(t *testing.T) {
	for _, test := range []struct{ name, code, want string }{
		{"answers a million empty certificates", bigFrame(`{"jsonrpc":"2.0","id":1,"result":{"certificates":{"files":[null`, `,null`, 3_000_000, `]}}}`),
			"cp1: the helper's answer cannot be read: the stream is not in order: a frame has more than 100000 elements"},
		{"answers a million times at once", bigFrame(`[{}`, `,{}`, 3_000_000, `]`),
			"cp1: the helper's answer cannot be read: the stream is not in order: a frame has more than 100000 elements"},
		{"nests without end", bigFrame(`{"jsonrpc":"2.0","id":1,"result":`, `[`, 5_000_000, ``),
			"cp1: the helper's answer cannot be read: "},
		{"says a key twice", frame(`{"jsonrpc":"2.0","id":1,"result":{"name":"cp1","system":{"hostname":"a","hostname":"b"}}}`) + "; exec sleep 60",
			`cp1: the helper's answer cannot be read: the stream is not in order: the key "hostname" stands twice`},
		{"drips", `printf '\000\000\001\000'; while :; do printf '{'; sleep 0.05; done`, "cp1: no answer in 1s"},
		{"shouts on standard error", `yes 'no more' >&2`, "cp1: no answer in 1s"},
		{"shouts and dies", `yes 'no more' | head -c 50000000 >&2; exit 3`, `cp1: the helper ended before it answered (exit status 3): "no more"`},
		{"asks back", frame(`{"jsonrpc":"2.0","id":9,"method":"observe","params":{}}`) + "; exec sleep 60", "cp1: no answer in 1s"},
		{"notifies of what nobody knows", "while :; do " + frame(`{"jsonrpc":"2.0","method":"reboot","params":{}}`) + "; done", "cp1: no answer in 1s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			s.scripted(test.code)
			s.options.AnswerTimeout = time.Second
			if !strings.Contains(test.want, "no answer") {
				s.options.AnswerTimeout = time.Minute
			}
			most := mostMemory(t, func() {
				_, err := s.client().Observe(t.Context(), local("cp1"), facts.Question{})
				if err == nil || !strings.HasPrefix(err.Error(), test.want) {
					t.Errorf("error %v, want %s", err, test.want)
				}
			})
			if most > 256<<20 {
				t.Errorf("it took %d MiB", most>>20)
			}
		})
	}
}

// mostMemory returns the most heap in use while f ran, above what was in use before.
func mostMemory(t *testing.T, f func()) uint64 {
	t.Helper()
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var most uint64
	done := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		for {
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapInuse)
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	})
	f()
	close(done)
	watch.Wait()
	return most - min(most, before.HeapInuse)
}

func TestANodeSpeaksForItselfAlone(t *testing.T) {
	s := newSite(t)
	answer := `{"jsonrpc":"2.0","id":1,"result":{"name":"cp2","host":"10.0.0.2","unknown":"","system":{"hostname":"cp2"},"certificates":{},"control_plane":{"api_server":{}},"nvidia":{}}}`
	s.scripted(fmt.Sprintf(`printf '\000\000\000\%03o%%s' '%s'`, len(answer), answer) + untilHungUp)
	got, err := s.client().Observe(t.Context(), remote("cp1"), facts.Question{})
	if err != nil {
		t.Fatal(err)
	}
	want := facts.Node{Name: "cp1", Host: "cp1", System: facts.System{Hostname: "cp2"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("facts (-want +got)\n%s", diff)
	}
}

func TestEndlessProgressIsCutOff(t *testing.T) {
	s := newSite(t)
	s.options.MutationTimeout = 2 * time.Second
	note := frame(`{"jsonrpc":"2.0","method":"progress","params":{"line":"more"}}`)
	s.scripted("b=$(mktemp); for i in $(seq 5000); do " + note + "; done >$b; while :; do cat $b; done")
	var lines []string
	err := s.client().Call(t.Context(), local("cp1"), protocol.MethodRepair, protocol.RepairRequest{}, nil, func(line string) { lines = append(lines, line) })
	if err == nil || err.Error() != "cp1: no answer in 2s" {
		t.Errorf("error %v", err)
	}
	if len(lines) != 2000 || lines[1998] != "more" || lines[1999] != "(it said more than 1999 lines; the rest is left out)" {
		t.Errorf("%d lines, the last %q", len(lines), lines[max(0, len(lines)-1):])
	}
}

// A request that may boot its node is waited for beyond the patience with a lost connection, and says once what is the matter.
func TestANodeThatBootsIsWaitedFor(t *testing.T) {
	run := protocol.Run{Lineage: "s", Generation: 1, Plan: "p", Step: "1"}
	answer := frame(`{"jsonrpc":"2.0","id":1,"result":{"performed":{"by":"u","rebooted":true}}}`)
	for _, restarts := range []bool{true, false} {
		s := newSite(t)
		s.scripted("c=" + s.path("sessions") + `; echo >>$c; test $(wc -l <"$c") = 11 || exit 1; ` + answer + untilHungUp)
		var result protocol.RepairResult
		var lines []string
		row := protocol.Row{Name: protocol.MethodRepair, Limit: time.Minute, Unit: &protocol.Unit{Most: time.Minute, Restarts: restarts}}
		err := s.client().CallRow(t.Context(), local("cp1"), row, protocol.RepairRequest{Run: run}, &result, func(line string) { lines = append(lines, line) })
		if (err == nil) != restarts || result.Performed.Rebooted != restarts {
			t.Errorf("restarts %t: %+v, error %v", restarts, result, err)
		}
		if restarts && len(lines) != 1 {
			t.Errorf("said %q", lines)
		}
	}
	// One that does not come back is waited for until the step's time is over.
	s := newSite(t)
	s.scripted("exit 1\n")
	over := errors.New("not finished after 1s")
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, over)
	defer cancel()
	row := protocol.Row{Name: protocol.MethodRepair, Limit: time.Minute, Unit: &protocol.Unit{Most: time.Minute, Restarts: true}}
	if err := s.client().CallRow(ctx, local("cp1"), row, protocol.RepairRequest{Run: run}, nil, nil); !errors.Is(err, over) {
		t.Errorf("error %v", err)
	}
}

// A changing request whose connection is lost is sent again: the node knows it. One that names no run, or that the node
// answered, is not.
func TestALostConnectionIsMadeAgain(t *testing.T) {
	run := protocol.Run{Lineage: "s", Generation: 1, Plan: "p", Step: "1"}
	answer := frame(`{"jsonrpc":"2.0","id":1,"result":{"installed":["x"]}}`)
	refuse := frame(`{"jsonrpc":"2.0","id":1,"error":{"code":-32098,"message":"no"}}`)
	advise := frame(`{"jsonrpc":"2.0","id":1,"error":{"code":-32098,"message":"unknown\"; run: ssh-keyscan evil >> known_hosts"}}`)
	for _, test := range []struct {
		name     string
		run      protocol.Run
		code     string
		sessions int
		fails    string
	}{
		{"the third time it answers", run, `test $(wc -l <"$c") = 3 || exit 1; ` + answer + untilHungUp, 3, ""},
		{"inside its answer", run, `test $(wc -l <"$c") = 2 || { printf '\000\000\001\000{'; exit 1; }; ` + answer + untilHungUp, 2, ""},
		{"it never answers", run, "exit 1", 8, "cp1: the helper ended before it answered (exit status 1)"},
		{"no run", protocol.Run{}, "exit 1", 1, "cp1: the helper ended before it answered (exit status 1)"},
		{"it refuses", run, refuse + untilHungUp, 1, `cp1: the helper says: "no"`},
		{"it gives advice", run, advise + untilHungUp, 1, `cp1: the helper says: "unknown'; run: ssh-keyscan evil >> known_hosts"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.scripted("c=" + s.path("sessions") + "; echo >>$c; " + test.code)
			var result protocol.RepairResult
			err := s.client().Call(t.Context(), local("cp1"), protocol.MethodRepair, protocol.RepairRequest{Run: test.run}, &result, nil)
			if test.fails == "" && (err != nil || len(result.Installed) != 1) || test.fails != "" && (err == nil || err.Error() != test.fails) {
				t.Errorf("%+v, error %v", result, err)
			}
			text, _ := os.ReadFile(s.path("sessions"))
			if got := strings.Count(string(text), "\n"); got != test.sessions {
				t.Errorf("%d sessions, want %d", got, test.sessions)
			}
		})
	}
}
