package unit_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/fence"
	"upkeep/providers/node/agent/history"
	"upkeep/providers/node/agent/unit"
	"upkeep/providers/node/protocol"
)

// TestMain makes the test binary the process of a unit, or a session, where it was started as one.
func TestMain(m *testing.M) {
	if len(os.Args) > 3 {
		var err error
		switch os.Args[1] {
		case "unit":
			err = performer(os.Args[2], os.Args[3], os.Args[5])
		case "session":
			err = session(os.Args[2], os.Args[3])
		default:
			os.Exit(m.Run())
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// order is the content of the requests of these tests.
type order struct {
	Run  protocol.Run `json:"run"`
	Step string       `json:"step"`
	// Say is said; then Wait is waited for, a file to be there; then it fails, or not.
	Say  []string `json:"say,omitempty"`
	Wait string   `json:"wait,omitempty"`
	Fail string   `json:"fail,omitempty"`
}

type outcome struct {
	Said      int                `json:"said"`
	Performed protocol.Performed `json:"performed"`
}

const method = "test.work"

// row is what a table would say of the method.
var row = protocol.Row{Name: method, Class: protocol.ClassChange, Limit: 20 * time.Second, Unit: &protocol.Unit{Most: time.Hour}}

// execute leaves a line in ran each time it is done.
func execute(root string) unit.Work {
	return unit.Work{Row: rowOf(root), Do: func(ctx context.Context, content []byte, progress func(string)) (any, error) {
		var o order
		if err := json.Unmarshal(content, &o); err != nil {
			return nil, err
		}
		f, err := os.OpenFile(filepath.Join(root, "ran"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if _, err := fmt.Fprintln(f, o.Step); err != nil {
			return nil, err
		}
		for _, line := range o.Say {
			progress(line)
		}
		for o.Wait != "" && ctx.Err() == nil {
			if _, err := os.Stat(o.Wait); err == nil {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		switch {
		case o.Fail == "panic":
			panic("a mistake")
		case o.Fail != "":
			return nil, errors.New(o.Fail)
		}
		return outcome{Said: len(o.Say)}, ctx.Err()
	}}
}

// remember leaves a row for the processes of units.
func (s *site) remember(r protocol.Row) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.root, "row"), text, 0o600)
}

// rowOf is the row that was left, else row.
func rowOf(root string) protocol.Row {
	r := row
	if text, err := os.ReadFile(filepath.Join(root, "row")); err == nil {
		if err := json.Unmarshal(text, &r); err != nil {
			panic(err)
		}
	}
	return r
}

// dieAt kills this process at an instant.
func dieAt(where string) func(string) {
	return func(instant string) {
		if instant == where {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
}

func performer(root, die, id string) error {
	u, closeDisk, err := unitsOf(root, "")
	if err != nil {
		return err
	}
	defer closeDisk()
	u.At = dieAt("3/" + die)
	return u.Perform(context.Background(), id, map[string]unit.Work{method: execute(root)})
}

// session carries out the order in root/order and dies at an instant.
func session(root, die string) error {
	u, closeDisk, err := unitsOf(root, "")
	if err != nil {
		return err
	}
	defer closeDisk()
	u.At = dieAt("3/" + die)
	text, err := os.ReadFile(filepath.Join(root, "order"))
	if err != nil {
		return err
	}
	var o order
	if err := json.Unmarshal(text, &o); err != nil {
		return err
	}
	var result outcome
	return u.Carry(context.Background(), row, o.Run, o, &result, func(line string) {
		if line == die {
			dieAt(die)(die)
		}
	})
}

// unitsOf are the units of the node whose "/" is root; each dies at an instant.
func unitsOf(root, die string) (*unit.Units, func(), error) {
	d, err := disk.Open(root)
	if err != nil {
		return nil, nil, err
	}
	return &unit.Units{
		Disk: d, Fence: &fence.Fence{Disk: d, Clock: fence.SystemClock(time.Now)}, Who: "ops from 192.0.2.7",
		Start:      unit.Detached{Command: []string{os.Args[0], "unit", root, die}},
		StartLimit: startLimit(die),
	}, func() { d.Close() }, nil
}

// startLimit is how long a unit may take to its first word: long enough for a machine that is busy, and short where it is to
// die before it says one.
func startLimit(die string) time.Duration {
	if die == "begin" {
		return 2 * time.Second
	}
	return 30 * time.Second
}

// site is one node.
type site struct {
	t    *testing.T
	root string
	die  string // the instant at which units die
}

func newSite(t *testing.T) *site {
	t.Helper()
	root, err := os.MkdirTemp("", "unit")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// A process that a second session started may still find out that there is nothing to do for it.
		for deadline := time.Now().Add(10 * time.Second); os.RemoveAll(root) != nil; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Errorf("%s cannot be removed", root)
				return
			}
		}
	})
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(root, "var/lib"), 0o755); err != nil {
		t.Fatal(err)
	}
	return &site{t: t, root: root, die: "never"}
}

// run is a run of this generation.
func run(generation uint64) protocol.Run {
	return protocol.Run{Lineage: "state-1", Generation: generation, Plan: "plan-1", Step: "3"}
}

// carry has an order carried out and returns its outcome and what was said.
func (s *site) carry(ctx context.Context, o order) (outcome, []string, error) {
	return s.heard(ctx, o, func(string) {})
}

// follow is carry for what was begun already: what waits goes on when this session follows it.
func (s *site) follow(ctx context.Context, o order) (outcome, []string, error) {
	return s.heard(ctx, o, func(line string) {
		if strings.HasPrefix(line, "this was begun by an earlier request") {
			s.let(s.wait())
		}
	})
}

// heard is carry that hands on each line when it is said.
func (s *site) heard(ctx context.Context, o order, hear func(line string)) (outcome, []string, error) {
	u, closeDisk, err := unitsOf(s.root, s.die)
	if err != nil {
		s.t.Fatal(err)
	}
	defer closeDisk()
	var result outcome
	var said []string
	err = u.Carry(ctx, row, o.Run, o, &result, func(line string) {
		said = append(said, line)
		hear(line)
	})
	return result, said, err
}

// ran is how often work was done.
func (s *site) ran() int {
	text, _ := os.ReadFile(filepath.Join(s.root, "ran"))
	return strings.Count(string(text), "\n")
}

// let makes the file that an order waits for.
func (s *site) let(name string) {
	s.t.Helper()
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) wait() string { return filepath.Join(s.root, "go-on") }

// history is what the node remembers, without its times.
func (s *site) history() []facts.HistoryEntry {
	s.t.Helper()
	d, err := disk.Open(s.root)
	if err != nil {
		s.t.Fatal(err)
	}
	defer d.Close()
	found := history.Last(d)
	if found.Unknown != "" {
		s.t.Fatal(found.Unknown)
	}
	for i := range found.Entries {
		e := &found.Entries[i]
		if e.Began.IsZero() || e.Ended.Before(e.Began) {
			s.t.Errorf("times of %+v", *e)
		}
		e.Began, e.Ended = time.Time{}, time.Time{}
	}
	return found.Entries
}

// until waits for a condition.
func (s *site) until(what string, holds func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("not in a minute: %s", what)
		}
	}
}
