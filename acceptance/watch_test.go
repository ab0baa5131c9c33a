package acceptance

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// touch is one thing that a watcher saw on a node.
type touch struct {
	Time time.Time `json:"time"`
	What string    `json:"what"`
	Name string    `json:"name"`
	ID   string    `json:"id"`
	node string
}

// watchers sees the PKI's directory and the containers of all nodes.
type watchers struct {
	stops []func() ([]touch, error)
}

// watch starts a watcher on every node and returns when each of them sees. It must be told about the directories at its start.
func (s *suite) watch(t *testing.T) *watchers {
	t.Helper()
	w := &watchers{}
	program := readFile(t, s.watcher)
	for _, n := range s.lab.Nodes {
		const path = "/run/upkeep-acceptance-watch"
		s.put(t, n.Name, path, "700", program)
		s.undo(t, n.Name, "rm -f "+path)
		command := exec.CommandContext(s.ctx, "ssh", "-F", s.lab.SSHConfig(), "-T", n.Name, path, "/etc/kubernetes", "/root/.kube")
		command.WaitDelay = 5 * time.Second
		var stderr bytes.Buffer
		command.Stderr = &stderr
		in, err := command.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := command.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		ready, seen := make(chan struct{}), make(chan []touch, 1)
		go func() {
			var all []touch
			for lines := bufio.NewScanner(out); lines.Scan(); {
				one := touch{node: n.Name}
				if json.Unmarshal(lines.Bytes(), &one) != nil {
					continue
				}
				if one.What == "ready" {
					close(ready)
					continue
				}
				all = append(all, one)
			}
			seen <- all
		}()
		end := func() ([]touch, error) {
			_ = in.Close()
			all := <-seen
			if err := command.Wait(); err != nil {
				return all, fmt.Errorf("watching %s: %w: %s", n.Name, err, stderr.String())
			}
			return all, nil
		}
		w.stops = append(w.stops, end)
		select {
		case <-ready:
		case <-time.After(30 * time.Second):
			_ = command.Process.Kill()
			_, err := end()
			t.Fatalf("the watcher on %s does not become ready: %v", n.Name, err)
		}
	}
	return w
}

// stop ends the watchers and returns everything they saw, in the order of time.
func (w *watchers) stop(t *testing.T) []touch {
	t.Helper()
	var all []touch
	for _, stop := range w.stops {
		one, err := stop()
		if err != nil {
			t.Error(err)
		}
		all = append(all, one...)
	}
	slices.SortStableFunc(all, func(a, b touch) int { return a.Time.Compare(b.Time) })
	return all
}

// span is the time in which a node was touched.
type span struct {
	node        string
	first, last time.Time
	files       int
	starts      int // of containers
}

// spans turns touches into each node's span, in the order of their beginnings.
func spans(all []touch) []span {
	var out []span
	for _, one := range all {
		i := slices.IndexFunc(out, func(s span) bool { return s.node == one.node })
		if i < 0 {
			i, out = len(out), append(out, span{node: one.node, first: one.Time, last: one.Time})
		}
		out[i].last = one.Time
		switch {
		case one.What == "file":
			out[i].files++
		case one.Name == "/tasks/start":
			out[i].starts++
		}
	}
	return out
}

// overlap names two nodes that were touched at the same time; "" if there are none. all is in the order of time.
func overlap(all []touch) string {
	spans := spans(all)
	for i := 1; i < len(spans); i++ {
		for _, before := range spans[:i] {
			if !spans[i].first.After(before.last) {
				return fmt.Sprintf("%s was touched from %s, while %s was until %s", spans[i].node, clock(spans[i].first), before.node, clock(before.last))
			}
		}
	}
	return ""
}

func clock(t time.Time) string { return t.Format("15:04:05.000") }

func TestOverlap(t *testing.T) {
	at := func(node string, second int) touch {
		return touch{node: node, What: "file", Time: time.Date(2026, 11, 22, 9, 0, second, 0, time.UTC)}
	}
	for _, test := range []struct {
		name string
		all  []touch
		want string
	}{
		{"nothing", nil, ""},
		{"one after the other", []touch{at("n1", 1), at("n1", 2), at("n2", 3), at("n3", 4)}, ""},
		{"back to one that was done", []touch{at("n1", 1), at("n2", 2), at("n1", 3)}, "n2 was touched from 09:00:02.000, while n1 was until 09:00:03.000"},
		{"at one moment", []touch{at("n1", 1), at("n2", 1)}, "n2 was touched from 09:00:01.000, while n1 was until 09:00:01.000"},
		{"the first with the last", []touch{at("n1", 1), at("n2", 2), at("n3", 3), at("n1", 4)}, "n2 was touched from 09:00:02.000, while n1 was until 09:00:04.000"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := overlap(test.all); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func (s span) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s from %s to %s: %d changes of files, %d containers started", s.node, clock(s.first), clock(s.last), s.files, s.starts))
}
