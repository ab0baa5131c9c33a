package akash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/facts"
)

// switched remembers in which order things happened.
type switched struct {
	calls       []string
	silent      map[string]bool
	stop, start error
}

func (s *switched) Call(_ context.Context, node, method string, request, _ any, _ func(string)) error {
	text, err := json.Marshal(request)
	if err != nil {
		return err
	}
	var q struct {
		Off   bool   `json:"off"`
		Value string `json:"value"`
	}
	if err := json.Unmarshal(text, &q); err != nil {
		return err
	}
	s.calls = append(s.calls, fmt.Sprintf("%s %s off=%t %s", node, method, q.Off, q.Value))
	if s.silent[node] {
		return errors.New("no answer")
	}
	return nil
}

func (s *switched) Stop(_ context.Context, namespace, name string, mark map[string]string) error {
	s.calls = append(s.calls, fmt.Sprintf("stop %s/%s by %s of %s", namespace, name, mark[MarkAnnotation], mark[MarkReplicas]))
	return s.stop
}

func (s *switched) Start(_ context.Context, namespace, name string, replicas int, unmark []string) error {
	s.calls = append(s.calls, fmt.Sprintf("start %s/%s with %d, without %d marks", namespace, name, replicas, len(unmark)))
	return s.start
}

// A provider is never stopped before something is armed that starts it again.
func TestSwitchStop(t *testing.T) {
	at := time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)
	const arm, stop = " stateful_set.timer off=false hold 1", "stop akash-services/akash-provider by hold 1 of 1"
	for name, test := range map[string]struct {
		silent map[string]bool
		nodes  []string
		want   []string
		armed  []string
		fails  bool
	}{
		"three control planes": {nil, []string{"cp1", "cp2", "cp3"}, []string{"cp1" + arm, "cp2" + arm, stop}, []string{"cp1", "cp2"}, false},
		"one is silent": {
			map[string]bool{"cp1": true}, []string{"cp1", "cp2", "cp3"}, []string{"cp1" + arm, "cp2" + arm, "cp3" + arm, stop}, []string{"cp2", "cp3"}, false,
		},
		"one alone":      {nil, []string{"cp1"}, []string{"cp1" + arm, stop}, []string{"cp1"}, false},
		"all are silent": {map[string]bool{"cp1": true}, []string{"cp1"}, []string{"cp1" + arm}, nil, true},
		"none":           {nil, nil, nil, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := &switched{silent: test.silent}
			p := facts.StoppedProvider{Namespace: "akash-services", Name: "akash-provider", Replicas: 1}
			p, err := Switch{Workloads: s, Caller: s}.Stop(t.Context(), p, "hold 1", at, test.nodes)
			if (err != nil) != test.fails {
				t.Error(err)
			}
			if diff := cmp.Diff(test.want, s.calls); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.armed, p.Nodes); diff != "" {
				t.Errorf("nodes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSwitchStart(t *testing.T) {
	p := facts.StoppedProvider{Namespace: "akash-services", Name: "akash-provider", Replicas: 1, By: "hold 1", Nodes: []string{"cp1", "cp2"}}
	const off, start = " stateful_set.timer off=true ", "start akash-services/akash-provider with 1, without 2 marks"
	for name, test := range map[string]struct {
		marked bool
		start  error
		silent map[string]bool
		want   []string
	}{
		"still stopped":        {true, nil, nil, []string{start, "cp1" + off, "cp2" + off}},
		"started by its timer": {false, nil, nil, []string{"cp1" + off, "cp2" + off}},
		"it does not start":    {true, errors.New("no"), nil, []string{start}},
		"a node is silent":     {true, nil, map[string]bool{"cp1": true}, []string{start, "cp1" + off, "cp2" + off}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &switched{start: test.start, silent: test.silent}
			err := Switch{Workloads: s, Caller: s}.Start(t.Context(), p, test.marked)
			if !errors.Is(err, test.start) {
				t.Error(err)
			}
			if diff := cmp.Diff(test.want, s.calls); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestStoppable(t *testing.T) {
	spec := Spec{Name: "main", Namespace: "akash-services", Release: "akash-provider"}
	running := facts.Release{
		Namespace: spec.Namespace, Name: spec.Release,
		Workloads: []facts.Workload{{Kind: "StatefulSet", Name: "akash-provider", Replicas: 1}},
	}
	stopped, unknown := running, running
	stopped.Workloads = []facts.Workload{{Kind: "StatefulSet", Name: "akash-provider"}}
	unknown.Unknown = "forbidden"
	for name, test := range map[string]struct {
		release facts.Release
		want    facts.StoppedProvider
		fails   bool
	}{
		"it runs":         {running, facts.StoppedProvider{Namespace: "akash-services", Name: "akash-provider", Replicas: 1}, false},
		"it is stopped":   {stopped, facts.StoppedProvider{}, false},
		"it is missing":   {facts.Release{Missing: true}, facts.StoppedProvider{}, false},
		"it is not known": {unknown, facts.StoppedProvider{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := facts.World{Releases: map[string]*facts.Release{facts.ReleaseKey(spec.Namespace, spec.Release): &test.release}}
			got, err := Stoppable(w, spec)
			if (err != nil) != test.fails {
				t.Error(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
