// Package apply runs the steps of a plan: look again, act, look again, and record each. What may start, and in addition to what, is
// the schedule's to say; the executor does it, many at once.
//
// It is the only package that holds operations, and it knows no domain and no cluster: what a step means comes from
// providers.Effect, what it does from providers.Operation, what is so from Observe. It decides nothing that the plan
// has not decided; it refuses. It saves no state and prints nothing: callers keep what Result and Learn return, and
// show the events.
//
// What it promises: no operation runs before its start is on stable storage; none runs unless its ground holds at that
// moment, the guards that it goes within hold, and the run still holds its locks; none whose end the journal knows runs
// again, except for one that begins a guard which must hold again; a step that is not proved closes its lanes; of a
// lane that is 1 wide never two nodes are in progress; and a guard that was begun is ended, whatever became of what it guards.
package apply

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"upkeep/planner"
	"upkeep/providers"
	"upkeep/state/durable"
	"upkeep/state/journal"
	"upkeep/state/seen"
)

// Journal is where the executor records what it does. Append returns when the records are on stable storage.
type Journal interface {
	Append(...journal.Record) error
}

// Executor runs plans. All fields are needed unless they say otherwise.
type Executor struct {
	// Effects and Operations are by operation name.
	Effects    map[string]providers.Effect
	Operations map[string]providers.Operation
	// Observe looks at what steps of one resource need (planner.Needs), now; there is at least one. What it cannot see is unknown in the facts it
	// returns; an error means that it saw nothing. It is called by several goroutines.
	Observe func(ctx context.Context, steps ...providers.Step) (providers.Input, error)
	// Identify says which cluster this is, now. Parts that cannot be told are empty.
	Identify func(ctx context.Context) (planner.Identity, error)

	// Fence says whether this run still holds its locks, now; an error ends the run before anything else is started. It is
	// asked just before each act, since a process that was paused may wake before its context has noticed. Nil: no fence.
	Fence func(ctx context.Context) error
	// Remembered is the cluster that the state belongs to, as far as known; a plan for another is refused.
	Remembered planner.Identity

	Journal Journal
	// History is what the journal said when it was opened; empty for a plan that was never started.
	History journal.History
	// Waited is since when steps wait that an earlier run left waiting, by their ids.
	Waited map[string]seen.Wait
	// Who (user@host), Generation (of the state's lock) and Lineage (of the state) go to the journal.
	Who        string
	Generation uint64
	Lineage    string

	// Events is called for everything that happens, one call at a time. It must not block. Nil: nobody listens.
	Events func(Event)
	// Stop ends the run: each value that is received stops it one level further. The first: no new node starts, nodes in progress go
	// on to their next rest, guards end. The second: steps in progress are finished and proved, guards end. To stop at once, cancel
	// Run's context. Nil: nobody stops it.
	Stop <-chan struct{}

	// MaxAge is how old a plan may be when it is begun; one that was begun may be continued for planner.MaxRun. Zero: no bound.
	MaxAge time.Duration
	// Limits bound the waiting; zero fields have defaults.
	Limits Limits
	// Now is the clock; nil is time.Now. Tasks is how things are done side by side and waited for; nil is goroutines.
	Now   func() time.Time
	Tasks Tasks
	// Trace is for tests, which stop the process at a boundary: those of a step are its id and "/acting", "/acted" or "/proved",
	// so that of two steps in progress one can be stopped and the other not.
	Trace durable.Tracer

	emit sync.Mutex
}

// Limits bound how long the executor waits.
type Limits struct {
	// Settle is how long after an operation its proof may take: leader leases and ports need seconds. A step that says how
	// long its own may take gets that where it is longer. Default 2m.
	Settle time.Duration
	// Ground is how long a step whose ground cannot be told is looked at again before it is refused. Default 20s.
	Ground time.Duration
	// Look bounds one observation. Default 2m.
	Look time.Duration
	// Act bounds one operation; a step whose estimate is longer gets four times its estimate, and one that says how long it
	// may take gets that. Default 10m.
	Act time.Duration
}

func (l Limits) withDefaults() Limits {
	for _, field := range []struct {
		value    *time.Duration
		standard time.Duration
	}{{&l.Settle, 2 * time.Minute}, {&l.Ground, 20 * time.Second}, {&l.Look, 2 * time.Minute}, {&l.Act, 10 * time.Minute}} {
		if *field.value == 0 {
			*field.value = field.standard
		}
	}
	return l
}

// Run applies a plan, or goes on with it where History says that it was started before. The steps' own failures are in
// the result, not in the error. An error means that the run did not start (*RefusedError, a failing Identify), that it
// could not be recorded, or that ctx ended with a cause of its own (the state's lock was lost); the result then still
// says what was done.
func (e *Executor) Run(ctx context.Context, plan planner.Plan) (Result, error) {
	began := e.now()
	result := Result{Plan: plan.ID, Digest: plan.Digest, Outcome: Nothing, Resumed: e.History.Started(), StartedAt: began, EndedAt: began}
	if err := e.accept(plan); err != nil {
		return result, err
	}
	if len(plan.Steps) == 0 {
		result.Outcome = Complete
		return result, nil
	}
	run, err := e.newRun(plan)
	if err != nil {
		return result, err
	}
	cluster, err := e.rightCluster(ctx, plan)
	if err != nil {
		return result, err
	}
	result.Cluster = cluster
	if err := e.fence(ctx); err != nil {
		return result, err
	}
	if err := e.Journal.Append(journal.Record{
		At: result.StartedAt, Kind: journal.RunStarted, Plan: plan.ID, Digest: plan.Digest, Who: e.Who, Generation: e.Generation,
		Lineage: e.Lineage, Overrides: texts(plan.Request.Overrides),
	}); err != nil {
		return result, fmt.Errorf("record the start of plan %s: %w", plan.ID, err)
	}
	e.tell(RunStarted{At: result.StartedAt, Plan: plan.ID, Digest: plan.Digest, Steps: len(plan.Steps), Resumed: result.Resumed, InProgress: e.History.InProgress()})

	run.drive(ctx)
	result.Steps = run.close()
	failure := run.failure
	result.Outcome, result.EndedAt = outcomeOf(result.Steps), e.now()
	if ctx.Err() != nil && result.Outcome != Complete {
		result.Outcome = Interrupted
	}
	if failure == nil || spilled(failure) {
		if err := e.Journal.Append(journal.Record{
			At: result.EndedAt, Kind: journal.RunEnded, Outcome: string(result.Outcome), Seconds: seconds(result.EndedAt.Sub(result.StartedAt)),
		}); err != nil {
			failure = fmt.Errorf("record the end of plan %s: %w", plan.ID, err)
		}
	}
	if cause := context.Cause(ctx); failure == nil && cause != nil && cause != context.Canceled {
		failure = cause
	}
	e.tell(RunEnded{At: result.EndedAt, Result: result})
	return result, failure
}

// spilled reports whether the journal takes no more records, and what the run still does is recorded elsewhere: nothing is
// started any longer, but what ends a guard that was begun.
func spilled(failure error) bool {
	var s *journal.SpilledError
	return errors.As(failure, &s) && s.Lost == nil
}

// fence asks whether the run still holds its locks.
func (e *Executor) fence(ctx context.Context) error {
	if e.Fence == nil {
		return nil
	}
	if err := e.Fence(ctx); err != nil {
		return fmt.Errorf("nothing more was started: %w", err)
	}
	return nil
}

func (e *Executor) now() time.Time {
	if e.Now != nil {
		return e.Now().UTC()
	}
	return time.Now().UTC()
}

func (e *Executor) tell(event Event) {
	if e.Events == nil {
		return
	}
	e.emit.Lock()
	defer e.emit.Unlock()
	e.Events(event)
}
