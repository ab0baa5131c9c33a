package unit_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/unit"
	"upkeep/providers/node/protocol"
)

// A unit keeps to the time that its row, or the run within its row, gives it.
func TestAUnitKeepsToItsTime(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		row  protocol.Row
		asks int
		want string
	}{
		{"the row's", protocol.Row{Name: method, Limit: 50 * time.Millisecond, Unit: &protocol.Unit{Most: time.Hour}}, 0, "context deadline exceeded (not finished after 50ms)"},
		{"the run's", protocol.Row{Name: method, Limit: time.Hour, Unit: &protocol.Unit{Most: time.Hour}}, 1, "context deadline exceeded (not finished after 1s)"},
		{"the bound", protocol.Row{Name: method, Limit: time.Second, Unit: &protocol.Unit{Most: time.Second}}, 3600, "context deadline exceeded (not finished after 1s)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			r := run(4)
			r.Limit = test.asks
			_, err := s.within(t.Context(), test.row, "", order{Run: r, Wait: s.wait()}, nil)
			if err == nil || err.Error() != test.want {
				t.Errorf("error %v, want %s", err, test.want)
			}
			// Asked again with less time left, it is the same request: it was done once, and is not done again.
			r.Limit = 7
			if _, err := s.within(t.Context(), test.row, "", order{Run: r, Wait: s.wait()}, nil); err == nil || err.Error() != test.want || s.ran() != 1 {
				t.Errorf("again: %v; done %d times", err, s.ran())
			}
		})
	}
}

// A unit whose method may boot the node, and whom a boot ended, has done what was expected, and its record says so to all who
// ask. Without the method's leave, or without a boot, it died.
func TestARequestMayBootItsNode(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		restarts bool
		boot     string // that the session finds; empty: the unit's own
		outcome  string
		fails    string
	}{
		{"expected", true, "another-boot", facts.OutcomeRebooted, ""},
		{"not expected", false, "another-boot", facts.OutcomeDied, "ended without a result: the machine has booted since"},
		{"no boot", true, "", facts.OutcomeDied, "ended without a result: it was killed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.die = "work"
			restarting := row
			restarting.Unit = &protocol.Unit{Most: time.Hour, Restarts: test.restarts}
			o := order{Run: run(4), Step: "boot"}
			for again := range 2 {
				var said []string
				got, err := s.within(t.Context(), restarting, test.boot, o, func(line string) { said = append(said, line) })
				switch {
				case test.fails != "" && (err == nil || !strings.Contains(err.Error(), test.fails)):
					t.Errorf("error %v, want %q", err, test.fails)
				case test.fails == "" && (err != nil || !got.Performed.Rebooted || got.Performed.Attached != (again == 1) || got.Performed.Began.IsZero()):
					t.Errorf("%+v, error %v", got, err)
				case test.fails == "" && said[len(said)-1] != "detached process: rebooted, expected":
					t.Errorf("said %q", said)
				}
			}
			h := s.history()
			if len(h) != 1 || h[0].Outcome != test.outcome || s.ran() != 0 {
				t.Errorf("history %+v; done %d times", h, s.ran())
			}
		})
	}
}

// inProcess stands for a unit in the process of the test, which its machine tells to stop while it works.
type inProcess struct {
	units *unit.Units
	work  unit.Work
	told  chan error
}

func (p *inProcess) Name(string) string { return "unit of this process" }

func (p *inProcess) Start(ctx context.Context, id string, _ unit.Terms) error {
	go func() {
		ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
		defer stop()
		work := p.work
		work.Do = func(ctx context.Context, _ []byte, _ func(string)) (any, error) {
			stop() // as systemd does at shutdown
			<-ctx.Done()
			return nil, ctx.Err()
		}
		p.told <- p.units.Perform(ctx, id, map[string]unit.Work{method: work})
	}()
	return nil
}

// A shutdown tells the units to stop before it ends them. One that was to boot the node leaves no word of failure then: what
// became of it is judged after the boot, or once the machine should have been down. Any other says that it was stopped.
func TestAUnitToldToStopByItsOwnReboot(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		restarts bool
		boot     string
		later    time.Duration
		outcome  string
		says     string
	}{
		{"it booted", true, "the-next", 0, facts.OutcomeRebooted, ""},
		{"it stayed up", true, "the-first", 11 * time.Minute, facts.OutcomeDied, "ended without a result: it was killed"},
		{"another method", false, "the-next", 0, facts.OutcomeFailed, "context canceled"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			r := row
			r.Unit = &protocol.Unit{Most: time.Hour, Restarts: test.restarts}
			p := &inProcess{work: unit.Work{Row: r}, told: make(chan error, 1)}
			carry := func(ctx context.Context, boot string, later time.Duration) (outcome, error) {
				u, closeDisk, err := unitsOf(s.root, "never")
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(closeDisk)
				u.Fence.Clock.Boot = func() string { return boot }
				u.Fence.Clock.Now = func() time.Time { return time.Now().Add(later) }
				if u.Start = p; p.units == nil {
					p.units = u
				}
				var result outcome
				return result, u.Carry(ctx, r, run(4), order{Run: run(4)}, &result, func(string) {})
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			go func() {
				_, err := carry(ctx, "the-first", 0)
				ended <- err
			}()
			told := <-p.told
			if test.restarts {
				// The session of before goes down with the machine, and says nothing of failure until then.
				select {
				case err := <-ended:
					t.Fatalf("the session ended: %v", err)
				case <-time.After(200 * time.Millisecond):
				}
				if cancel(); told == nil || !strings.Contains(told.Error(), "was told to stop") {
					t.Errorf("the unit: %v", told)
				}
			}
			if err := <-ended; err == nil || test.restarts && !strings.Contains(err.Error(), "stopped waiting") {
				t.Errorf("the session of before: %v", err)
			}
			_, err := carry(t.Context(), test.boot, test.later)
			if test.says == "" && err != nil || test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)) {
				t.Errorf("error %v, want %q", err, test.says)
			}
			h := s.history()
			if len(h) != 1 || h[0].Outcome != test.outcome {
				t.Errorf("history %+v", h)
			}
		})
	}
}

// within has an order carried out by a row, for a session that finds a boot; empty: the machine's own.
func (s *site) within(ctx context.Context, r protocol.Row, boot string, o order, progress func(string)) (outcome, error) {
	u, closeDisk, err := unitsOf(s.root, s.die)
	if err != nil {
		s.t.Fatal(err)
	}
	defer closeDisk()
	if boot != "" {
		u.Fence.Clock.Boot = func() string { return boot }
	}
	// The unit knows the row as the session does: a process of this test gets it from here.
	if err := s.remember(r); err != nil {
		s.t.Fatal(err)
	}
	if progress == nil {
		progress = func(string) {}
	}
	var result outcome
	err = u.Carry(ctx, r, o.Run, o, &result, progress)
	return result, err
}
