package akash

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"upkeep/providers/facts"
	"upkeep/providers/node/protocol"
)

// Caller sends one request to the helper of a node.
type Caller interface {
	Call(ctx context.Context, node, method string, request, result any, progress func(string)) error
}

// Switch stops providers for a piece of work, and starts them again: at its end, or by timers on control planes where
// nobody comes to end it. While a provider is stopped, its monitor closes no lease because of what the work breaks
// (akash.md 4.3).
type Switch struct {
	Workloads Scaler
	Caller    Caller
	Progress  func(string)
}

// Scaler is the part of Workloads that a Switch needs.
type Scaler interface {
	Stop(ctx context.Context, namespace, name string, mark map[string]string) error
	Start(ctx context.Context, namespace, name string, replicas int, unmark []string) error
}

// timersWanted is on how many control planes a timer is armed: a timer is lost when its node boots.
const timersWanted = 2

// Stoppable returns what of a declared provider runs and can be stopped: the zero value where nothing does, and where
// somebody has stopped it already. An error means that it is not known.
func Stoppable(w facts.World, s Spec) (facts.StoppedProvider, error) {
	r := w.Release(s.Namespace, s.Release)
	if r.Unknown != "" {
		return facts.StoppedProvider{}, fmt.Errorf("%s: whether the provider runs is not known: %s", s.Address(), r.Unknown)
	}
	p := providerOf(r)
	if r.Missing || !p.found || p.workload.Missing || p.workload.Replicas == 0 {
		return facts.StoppedProvider{}, nil
	}
	return facts.StoppedProvider{Namespace: s.Namespace, Name: p.workload.Name, Replicas: p.workload.Replicas}, nil
}

// Stop arms the timers first, and scales the provider down then: at no instant is it stopped without something that
// starts it again. What it returns, also with an error, is what Start needs.
func (s Switch) Stop(
	ctx context.Context, p facts.StoppedProvider, by string, until time.Time, nodes []string,
) (facts.StoppedProvider, error) {
	p.By, p.Until = by, until.UTC().Truncate(time.Second)
	var failures []error
	for _, node := range nodes {
		if len(p.Nodes) == timersWanted {
			break
		}
		if err := s.timer(ctx, node, p, false); err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", node, err))
			continue
		}
		p.Nodes = append(p.Nodes, node)
	}
	if len(p.Nodes) == 0 {
		return p, fmt.Errorf("%s/%s is not stopped, since no control plane would start it again: %w", p.Namespace, p.Name,
			errors.Join(append(failures, errors.New("a timer on a control plane is needed"))...))
	}
	if len(p.Nodes) < timersWanted {
		s.say("a timer is on one control plane alone: %s", p.Nodes[0])
	}
	mark := map[string]string{MarkAnnotation: by, MarkReplicas: strconv.Itoa(p.Replicas)}
	if err := s.Workloads.Stop(ctx, p.Namespace, p.Name, mark); err != nil {
		return p, fmt.Errorf("stop %s/%s: %w", p.Namespace, p.Name, err)
	}
	s.say("%s/%s is stopped; it starts again at %s at the latest", p.Namespace, p.Name, p.Until.Format(time.RFC3339))
	return p, nil
}

// Start starts what is still stopped under the mark, and takes the timers back. A timer that cannot be taken back does
// no harm: it does nothing once the mark is gone.
func (s Switch) Start(ctx context.Context, p facts.StoppedProvider, marked bool) error {
	if marked {
		err := s.Workloads.Start(ctx, p.Namespace, p.Name, p.Replicas, []string{MarkAnnotation, MarkReplicas})
		if err != nil {
			return fmt.Errorf("start %s/%s: %w; its timer still stands", p.Namespace, p.Name, err)
		}
		s.say("%s/%s is started again", p.Namespace, p.Name)
	} else {
		s.say("%s/%s was started by somebody else, or by its timer", p.Namespace, p.Name)
	}
	for _, node := range p.Nodes {
		if err := s.timer(ctx, node, p, true); err != nil {
			s.say("%s: the timer is still there, and will find nothing to do: %v", node, err)
		}
	}
	return nil
}

func (s Switch) timer(ctx context.Context, node string, p facts.StoppedProvider, off bool) error {
	q := protocol.TimerRequest{
		Step: p.By, Namespace: p.Namespace, Name: p.Name, Off: off,
	}
	if !off {
		q.Mark, q.Value, q.Forget = MarkAnnotation, p.By, []string{MarkReplicas}
		q.Replicas, q.At = p.Replicas, p.Until
	}
	var result protocol.TimerResult
	return s.Caller.Call(ctx, node, protocol.MethodTimer, q, &result, nil)
}

func (s Switch) say(format string, args ...any) {
	if s.Progress != nil {
		s.Progress(fmt.Sprintf(format, args...))
	}
}
