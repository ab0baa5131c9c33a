package certificates_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/fixtures/worlds"
	"upkeep/providers"
	"upkeep/providers/certificates"
	"upkeep/providers/facts"
)

// opens are openings of four hours, so many days from now.
func opens(days ...int) providers.Start {
	out := providers.Start{Bound: true}
	for _, d := range days {
		at := now.Add(time.Duration(d) * day)
		out.Openings = append(out.Openings, providers.Opening{From: at, Until: at.Add(4 * time.Hour)})
	}
	return out
}

// TestJudgedAtOpenings: due dates are judged at the opening in which the restart may begin.
func TestJudgedAtOpenings(t *testing.T) {
	soon := func(left string) string { return "cp1 CERT_EXPIRES_SOON warning scheduler.conf: expires in " + left }
	renewal := []string{cp1 + "/renew: renew scheduler.conf", cp1 + "/restart: restart kube-scheduler"}
	for name, test := range map[string]struct {
		start providers.Start
		left  time.Duration // of scheduler.conf on cp1
		ca    time.Duration // of the cluster's CA everywhere; zero: long
		name  string        // another certificate than scheduler.conf
		want  []string
		steps []string
	}{
		"always: not due yet": {left: 31 * day},
		"a window: due when the window opens": {
			start: opens(3, 10), left: 31 * day,
			want:  []string{soon("31d; renewal starts 30d before; judged at the opening of 2026-11-25 12:00 UTC")},
			steps: renewal,
		},
		"a window: due after the window only":              {start: opens(3, 10), left: 34 * day},
		"no restart is needed, so no window is waited for": {start: opens(3, 10), left: 31 * day, name: "apiserver"},
		"a freeze: due after it, and it would end within it": {
			start: opens(3, 80), left: 60 * day,
			want: []string{
				soon("60d; renewal starts 30d before; judged at the opening of 2026-11-25 12:00 UTC"),
				"cp1 EXPIRES_BEFORE_WINDOW warning scheduler.conf: expires 2027-01-21 12:00 UTC, before its window opens again (2027-02-10 12:00 UTC)",
			},
			steps: renewal,
		},
		"a freeze, and a certificate outlives it":                              {start: opens(3, 80), left: 120 * day},
		"a freeze, and a certificate that is new: a renewal would gain little": {start: opens(3, 360), left: 300 * day},
		"no window in time": {
			start: opens(20, 27), left: 12 * day,
			want: []string{
				soon("12d; renewal starts 30d before"),
				"cp1 EXPIRES_BEFORE_WINDOW error scheduler.conf: expires 2026-12-04 12:00 UTC, before its window opens (2026-12-12 12:00 UTC)",
			},
			steps: renewal,
		},
		"no window any more": {
			start: opens(), left: 12 * day,
			want: []string{
				soon("12d; renewal starts 30d before"),
				"cp1 EXPIRES_BEFORE_WINDOW error scheduler.conf: expires 2026-12-04 12:00 UTC, and its window does not open again",
			},
			steps: renewal,
		},
		"its authority is rotated in the next window: not renewed twice": {
			start: opens(1, 8, 15), left: 25 * day, ca: 27 * day,
			want: []string{soon("25d; renewal starts 30d before")},
		},
		"its authority is rotated in the next window, and it would end before that": {
			start: opens(1, 8, 15), left: 7 * day, ca: 27 * day,
			want: []string{
				soon("7d; renewal starts 30d before"),
				"cp1 EXPIRES_BEFORE_WINDOW warning scheduler.conf: expires 2026-11-29 12:00 UTC, before its window opens again (2026-11-30 12:00 UTC)",
			},
			steps: renewal,
		},
		"its authority is rotated in the next window, and little of the certificate is left: nobody may come": {
			start: opens(1, 2, 3), left: 5 * day, ca: 27 * day,
			want:  []string{soon("5d; renewal starts 30d before")},
			steps: renewal,
		},
		"always, and its authority ends soon": {
			left: 25 * day, ca: 27 * day, want: []string{soon("25d; renewal starts 30d before")}, steps: renewal,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := worlds.ControlPlanes(3, now)
			certificate := "scheduler.conf"
			if test.name != "" {
				certificate = test.name
			}
			worlds.Age(now, test.left, w.Nodes["cp1"], certificate)
			if test.ca > 0 {
				for _, n := range w.Nodes {
					worlds.Age(now, test.ca, n, "ca")
				}
			}
			in := input(w, 3)
			in.Start = test.start
			out := spec().Diff(in)
			var got, steps []string
			for _, f := range out.Findings {
				if f.Object != "ca" && f.ID != "CERT_OUTLIVES_AUTHORITY" {
					got = append(got, fmt.Sprintf("%s %s %s %s: %s", f.Address.Node, f.ID, f.Severity, f.Object, f.Summary))
				}
			}
			for _, s := range out.Steps {
				steps = append(steps, s.ID+": "+s.Summary)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.steps, steps); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
			again := in
			again.World = predicted(t, in, out.Steps)
			if more := spec().Diff(again).Steps; len(more) > 0 {
				t.Errorf("after the steps, %s is due again", more[0].ID)
			}
		})
	}
}

// predicted is the world after some steps.
func predicted(t *testing.T, in providers.Input, steps []providers.Step) facts.World {
	t.Helper()
	in, _ = in.Walk()
	in.World = worlds.Clone(in.World)
	for _, s := range steps {
		in.Apply(certificates.Type().Effects[s.Operation].Predict(in, s))
	}
	return in.World
}
