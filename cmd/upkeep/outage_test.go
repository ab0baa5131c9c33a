package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/providers/facts"
)

// TestLooksAfterAnOutage: a cluster that comes back late is looked at again until it is up. One that is known to be down
// after the last look is no success: the run exits 3 and says how to go on.
func TestLooksAfterAnOutage(t *testing.T) {
	const outage = "The cluster is DOWN because its certificates expired 2h ago. upkeep renews the certificates on cp2."
	down := planner.Plan{Outage: outage}
	silent := planner.Plan{Outage: outage, Request: planner.Request{
		Desired: config.Desired{Nodes: []config.Node{{Name: "cp2"}}},
		World:   facts.World{Nodes: map[string]*facts.Node{"cp2": {Name: "cp2", Unknown: "ssh: no answer"}}},
	}}
	for name, test := range map[string]struct {
		looks []planner.Plan // the last one counts from then on
		want  int            // looks
		said  []string
		ends  error
	}{
		"up at once":           {looks: []planner.Plan{{}}, want: 1},
		"up after two looks":   {looks: []planner.Plan{silent, down, {}}, want: 3, said: []string{stillSilent, "cp2: ssh: no answer", "control plane: The cluster is DOWN"}},
		"down to the very end": {looks: []planner.Plan{silent, down}, want: looksAfterOutage, said: []string{stillSilent, outage + " To go on: upkeep apply"}, ends: exit{code: exitPartial}},
	} {
		t.Run(name, func(t *testing.T) {
			var said strings.Builder
			looked, waited := 0, time.Duration(0)
			again, err := looksUntilUp(t.Context(), &said, func(d time.Duration) <-chan time.Time {
				waited += d
				passed := make(chan time.Time, 1)
				passed <- time.Time{}
				return passed
			}, func() (planner.Plan, error) {
				looked++
				return test.looks[min(looked, len(test.looks))-1], nil
			})
			if err == nil && again.Outage != "" {
				err = stillDown(&said, again)
			}
			if looked != test.want || waited > 5*time.Minute || !errors.Is(err, test.ends) {
				t.Errorf("%d looks in %s, %v", looked, waited, err)
			}
			for _, text := range test.said {
				if strings.Count(said.String(), text) != 1 {
					t.Errorf("%q does not stand once in:\n%s", text, said.String())
				}
			}
			if len(test.said) == 0 && said.Len() > 0 {
				t.Errorf("said %q", said.String())
			}
		})
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	never := func(time.Duration) <-chan time.Time { return nil }
	if _, err := looksUntilUp(stopped, &strings.Builder{}, never, func() (planner.Plan, error) { return down, nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	broken := errors.New("no such file")
	if _, err := looksUntilUp(t.Context(), &strings.Builder{}, never, func() (planner.Plan, error) { return down, broken }); !errors.Is(err, broken) {
		t.Errorf("a look that fails: %v", err)
	}
}
