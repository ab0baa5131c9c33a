package apply

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"upkeep/planner/schedule"
	"upkeep/providers"
	"upkeep/state/journal"
)

// start takes a step that may start to its end, or back to where it waits. It is one task of the run.
func (r *run) start(ctx context.Context, d schedule.Decision) {
	defer r.left()
	step := r.plan.Steps[d.Index]
	r.tell(StepChecking{At: r.now(), Number: d.Index + 1, Of: len(r.plan.Steps), Step: step})
	found := r.ground(ctx, step)
	switch {
	case ctx.Err() != nil || found.State == providers.Unknown && r.halted(ctx, step):
		r.release(step)
	case found.lost != nil:
		r.lostGuard(step, *found.lost)
	case found.State != providers.Holds:
		r.not(step, found)
	default:
		if d.Again {
			found.Why = r.guardLost(step)
		}
		if d.Overrun > 0 {
			found.Why = strings.TrimLeft(found.Why+fmt.Sprintf("; started %s after the end of its window, in which its node had begun", d.Overrun.Round(time.Second)), "; ")
		}
		r.act(ctx, step, found, d.Again || d.Overrun > 0)
	}
}

// guardLost says why a step begins its guard once more.
func (r *run) guardLost(step providers.Step) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lostGuards[step.ID]
}

// act runs a step whose ground holds, and proves it. One that begins its guard again, or past the end of its window,
// tells why.
func (r *run) act(ctx context.Context, step providers.Step, found ground, tell bool) {
	if err := r.fence(ctx); err != nil {
		r.fail(err, schedule.Now)
		r.release(step)
		return
	}
	if !r.started(step) {
		return
	}
	began := r.now()
	// From here on a dead process leaves a step that is under way: this record is what the next one finds.
	err := r.append(step, journal.Record{At: began, Kind: journal.StepStarted, Step: step.ID, Node: step.Node, Operation: step.Operation, Text: found.Why})
	if err != nil {
		r.unrecorded(step)
		return
	}
	r.tell(StepStarted{At: began, Number: r.guards.at[step.ID] + 1, Of: len(r.plan.Steps), Step: step})

	report, closeReport := r.reporter(step, began)
	if tell {
		report(found.Why)
	}
	trace := r.Trace.Under(step.ID + "/")
	trace.At("acting")
	err = r.operate(ctx, step, report)
	trace.At("acted")
	if err == nil {
		err = r.prove(ctx, found.input, step, report)
	}
	closeReport()
	trace.At("proved")

	done, kind := resultOf(step, Done, step.Proof), journal.StepDone
	if err != nil {
		done, kind = resultOf(step, Failed, err.Error()), journal.StepFailed
		if cause := context.Cause(ctx); cause != nil {
			done.Why = fmt.Sprintf("cancelled while it was in progress (%v): %v", cause, err)
		}
	}
	took := r.now().Sub(began)
	done.StartedAt, done.Seconds, done.Slept = began, seconds(took), took > r.actLimit(step)+r.settleLimit(step)
	r.end(step, done, kind)
}

// append records that a step starts. Where the journal takes no more records nothing new starts; a guard that was begun
// is ended all the same, and that is recorded elsewhere.
func (r *run) append(step providers.Step, start journal.Record) error {
	err := r.Journal.Append(start)
	if err == nil {
		return nil
	}
	r.fail(fmt.Errorf("record the start of step %s: %w", step.ID, err), stopFor(err))
	if !spilled(err) || !r.guards.ends(step.ID) {
		return err
	}
	return r.Journal.Append(start)
}

// stopFor is how far a run stops whose journal fails: what cannot be recorded anywhere must not be started at all.
func stopFor(err error) schedule.Level {
	if spilled(err) {
		return schedule.NoNewSteps
	}
	return schedule.Now
}

// unrecorded ends a step that did not start, since its start could not be recorded. The book has it started already.
func (r *run) unrecorded(step providers.Step) {
	const why = "not started: the journal could not be written"
	r.mu.Lock()
	r.results[step.ID] = resultOf(step, Pending, why)
	r.mu.Unlock()
	r.report(func(book *schedule.Schedule) error { return book.Ended(step.ID, schedule.Failed, why) })
}

// started asks the book a last time whether a step may start: another one may have failed, somebody may have asked to
// stop, or its window may have closed since it was looked at.
func (r *run) started(step providers.Step) (may bool) {
	r.report(func(book *schedule.Schedule) (err error) {
		if closed, err := book.Closed(step.ID, r.now()); closed || err != nil {
			return err
		}
		may, err = book.Started(step.ID)
		return err
	})
	return may
}

// actLimit is how long the operation of a step may take, and settleLimit how long its proof may, with a look at the
// end.
func (r *run) actLimit(step providers.Step) time.Duration {
	return max(r.Limits.withDefaults().Act, 4*step.EstimateDuration(), step.LimitDuration())
}

func (r *run) settleLimit(step providers.Step) time.Duration {
	limits := r.Limits.withDefaults()
	return max(limits.Settle, step.SettleDuration()) + limits.Look
}

// operate runs the operation in bounded time.
func (r *run) operate(ctx context.Context, step providers.Step, report providers.Progress) error {
	limit := r.actLimit(step)
	bounded, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not finished after %s", limit))
	defer cancel()
	if err := r.Operations[step.Operation].Run(bounded, step, report); err != nil {
		if cause := context.Cause(bounded); cause != nil && ctx.Err() == nil {
			return fmt.Errorf("%w (%w)", err, cause)
		}
		return err
	}
	return nil
}

// reporter returns the operation's Progress. After the second result was called it is silent: an operation must not
// report after its step has ended, whatever goroutines it forgot.
func (e *Executor) reporter(step providers.Step, began time.Time) (providers.Progress, func()) {
	var mu sync.Mutex
	closed := false
	report := func(line string) {
		mu.Lock()
		defer mu.Unlock()
		if !closed {
			at := e.now()
			e.tell(StepProgress{At: at, Step: step, Line: line, Seconds: seconds(at.Sub(began))})
		}
	}
	return report, func() {
		mu.Lock()
		defer mu.Unlock()
		closed = true
	}
}
