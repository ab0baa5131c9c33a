package acceptance

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// openingFor is how long the window of testWindow is open, in whole minutes: two, where a control plane takes no more than 80
// seconds of it, for the next one may take longer than any before. The test comes late into it, when it is not long enough
// for three.
func openingFor(stretch time.Duration) time.Duration {
	return max(2*time.Minute, (3*stretch/2 + time.Minute - 1).Truncate(time.Minute))
}

// A renewal of three control planes meets the edge of its window half-way, and goes on in the next opening: nothing begins outside,
// no control plane is left half done, and waiting locks nothing.
func testWindow(t *testing.T, s *suite) {
	renewBefore, _ := s.makeDue(t)
	s.placeCopies(t)
	d := s.declare(t, declaration{renewBefore: renewBefore, kubeconfigs: []string{copied}})

	// What is due is done in no window yet; how long it takes says how long the window must be open.
	due, r := d.plan(t)
	r.want(t, 2)
	opening := openingFor(due.stretch())
	t.Logf("figure: a control plane takes %s by the plan, and the window is open for %s", due.stretch(), opening)

	// Eight openings with a minute between them, after enough time to see that nothing begins before the first.
	every := opening + time.Minute
	first := time.Now().UTC().Add(90 * time.Second).Truncate(time.Minute).Add(time.Minute)
	var minutes, hours []string
	openings := map[time.Time]bool{}
	for i := range 8 {
		at := first.Add(time.Duration(i) * every)
		openings[at] = true
		minutes = append(minutes, fmt.Sprint(at.Minute()))
		if hour := fmt.Sprint(at.Hour()); !slices.Contains(hours, hour) {
			hours = append(hours, hour)
		}
	}
	d.window(t, fmt.Sprintf("%s %s * * *", strings.Join(minutes, ","), strings.Join(hours, ",")), opening)

	shut := d.run(t, "apply", "-auto-approve").want(t, 5)
	if !strings.Contains(shut.stdout, `waits for an opening of window "short"`) {
		t.Errorf("apply does not say what it waits for:\n%s", shut.stdout)
	}
	listed := d.run(t, "window", "list").want(t, 0)
	if !strings.Contains(listed.stdout, first.Format("15:04")) {
		t.Errorf("the first opening is at %s:\n%s", first.Format("15:04"), listed.stdout)
	}

	watchers := s.watch(t)
	// So late that the first control plane still fits and the third no longer does, whatever the machine: what is left beside the
	// first is less than two of them take. A busy machine may be too late for any, since apply looks around before it begins,
	// and comes earlier into the next opening.
	var half result
	looking := max(12*time.Second, 2*r.wall)
	for try := range 3 {
		late := max(0, opening-due.stretch()-time.Duration(try+1)*looking)
		at := first.Add(time.Duration(try)*every + late)
		s.until(t, 3*every, "most of the opening has passed", func(context.Context) error {
			if left := time.Until(at); left > 0 {
				return fmt.Errorf("%s are left", left)
			}
			return nil
		})
		if half = d.run(t, "apply", "-auto-approve"); half.code != 5 {
			break
		}
	}
	half.want(t, 3)
	rest, left := d.plan(t)
	left.want(t, 2)
	if done := 3 - len(rest.nodes()); done < 1 || done > 2 {
		t.Fatalf("%d of 3 control planes were renewed before the edge, want 1 or 2\n%s", done, half.stdout)
	}

	// On a busy machine one opening may be too short for the rest as well.
	for i := 0; i < 4 && len(rest.nodes()) > 0; i++ {
		s.until(t, 2*every, "the window is closed for a while", func(context.Context) error {
			now := time.Now().UTC()
			for at := range openings {
				if !now.Before(at) && now.Before(at.Add(opening)) {
					return fmt.Errorf("that of %s is open", at.Format("15:04"))
				}
			}
			if now.Second() >= 30 {
				return fmt.Errorf("it is %s, and the next one is near", now.Format(time.TimeOnly))
			}
			return nil
		})
		waiting := d.begin(t, "apply", "-auto-approve", "-wait-for-window")
		s.until(t, time.Minute, "apply waits", func(context.Context) error {
			if said := waiting.said(); !strings.Contains(said, "Nothing is locked") {
				return fmt.Errorf("it said %q", said)
			}
			return nil
		})
		if held := d.run(t, "state", "lock").want(t, 0); !strings.Contains(held.stdout, "is not locked") {
			t.Errorf("waiting holds a lock:\n%s", held.stdout)
		}
		code := waiting.wait()
		rest, _ = d.plan(t)
		if left := len(rest.nodes()); code != 0 && (code != 3 && code != 5 || left == 0) {
			t.Errorf("in the next opening: exit %d, and %d control planes are left\n%s", code, left, waiting.said())
		}
	}
	touches := watchers.stop(t)
	d.run(t, "plan", "-detailed-exitcode").want(t, 0)

	found := spans(touches)
	if len(found) != 3 {
		t.Fatalf("seen on the nodes: %v, want all three", found)
	}
	used := map[time.Time]bool{}
	for _, span := range found {
		var began time.Time
		for at := range openings {
			if !span.first.Before(at) && span.first.Before(at.Add(opening)) {
				began = at
			}
		}
		if began.IsZero() {
			t.Errorf("%s was first touched at %s, while its window was closed", span.node, span.first.UTC().Format(time.TimeOnly))
		}
		if took := span.last.Sub(span.first); took > opening {
			t.Errorf("%s was left half done: touched from %s to %s", span.node, clock(span.first), clock(span.last))
		}
		used[began] = true
		t.Log("figure: in its window:", span)
	}
	if len(used) < 2 {
		t.Errorf("all control planes were renewed in one opening: the edge was never met")
	}
	if both := overlap(touches); both != "" {
		t.Error("two control planes at once:", both)
	}
}

// window declares a maintenance window for everything in the directory, open for as long as opening at each time of cron.
func (d directory) window(t *testing.T, cron string, opening time.Duration) {
	t.Helper()
	path := filepath.Join(d.path, "window.upkeep.hcl")
	text := fmt.Sprintf(`maintenance_window "short" {
  cron     = %q
  duration = %q
  timezone = "UTC"
}

defaults {
  window = maintenance_window.short
}
`, cron, opening)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
