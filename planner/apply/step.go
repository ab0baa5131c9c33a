package apply

import (
	"context"
	"fmt"
	"sync"
	"time"

	"upkeep/providers"
	"upkeep/state/journal"
)

// step takes one step to its end. The error is the journal's alone.
func (e *Executor) step(ctx context.Context, p *progress, index int) (StepResult, error) {
	step := p.plan.Steps[index]
	if why := p.blocks(step); why != "" {
		return e.end(resultOf(step, Blocked, why), journal.StepBlocked)
	}
	e.tell(StepChecking{At: e.now(), Number: index + 1, Of: len(p.plan.Steps), Step: step})

	found := e.ground(ctx, p, step)
	for again := map[int]bool{}; found.lapsed != nil && ctx.Err() == nil; found = e.ground(ctx, p, step) {
		if again[found.lapsed.begin] {
			return e.end(refusedBy(step, found.lapsed.undone()), journal.StepRefused)
		}
		again[found.lapsed.begin] = true
		if err := e.beginAgain(ctx, p, *found.lapsed); err != nil {
			return resultOf(step, Pending, "not started: "+err.Error()), err
		}
		if e.stopping(ctx) {
			return resultOf(step, Pending, "not started"), nil
		}
		if why := p.blocks(step); why != "" {
			return e.end(resultOf(step, Blocked, why), journal.StepBlocked)
		}
	}
	switch {
	case ctx.Err() != nil:
		return resultOf(step, Pending, "not started: "+context.Cause(ctx).Error()), nil
	case found.State == providers.Done:
		return e.end(resultOf(step, Skipped, found.Why), journal.StepSkipped)
	case found.State != providers.Holds:
		return e.end(refusedBy(step, found.Readiness), journal.StepRefused)
	}
	return e.act(ctx, p, index, found)
}

func refusedBy(step providers.Step, ready providers.Readiness) StepResult {
	r := resultOf(step, Refused, ready.Why)
	r.Moved = ready.State == providers.Moved
	return r
}

// act runs a step whose ground holds, and proves it. Where a guard has lapsed, it is the step that begins the guard again.
func (e *Executor) act(ctx context.Context, p *progress, index int, found ground) (StepResult, error) {
	step := p.plan.Steps[index]
	if err := e.fence(ctx); err != nil {
		return resultOf(step, Pending, "not started: "+err.Error()), err
	}
	began := e.now()
	// From here on a dead process leaves a step that is under way: this record is what the next one finds.
	start := journal.Record{At: began, Kind: journal.StepStarted, Step: step.ID, Node: step.Node, Operation: step.Operation, Text: found.Why}
	unrecorded := e.Journal.Append(start)
	err := unrecorded
	if len(p.index.Ends[step.ID]) > 0 && spilled(err) {
		err = e.Journal.Append(start) // a guard that was begun is ended all the same, and its end recorded elsewhere
	}
	if err != nil {
		return resultOf(step, Pending, "not started: the journal could not be written"), fmt.Errorf("record the start of step %s: %w", step.ID, err)
	}
	e.tell(StepStarted{At: began, Number: index + 1, Of: len(p.plan.Steps), Step: step})

	report, closeReport := e.reporter(step, began)
	if found.lapsed != nil {
		report(found.lapsed.String())
	}
	e.Trace.At("step:acting")
	err = e.operate(ctx, step, report)
	e.Trace.At("step:acted")
	proof := step.Proof
	if err == nil {
		err = e.prove(ctx, p, found.input, step, report)
	}
	closeReport()
	e.Trace.At("step:proved")

	done := resultOf(step, Done, proof)
	if err != nil {
		done.Outcome, done.Why = Failed, err.Error()
		if cause := context.Cause(ctx); cause != nil {
			done.Why = fmt.Sprintf("cancelled while it was under way (%v): %v", cause, err)
		}
	}
	done.StartedAt, done.Seconds = began, seconds(e.now().Sub(began))
	kind := journal.StepDone
	if err != nil {
		kind = journal.StepFailed
	}
	done, err = e.end(done, kind)
	if err == nil {
		err = unrecorded
	}
	return done, err
}

// operate runs the operation in bounded time.
func (e *Executor) operate(ctx context.Context, step providers.Step, report providers.Progress) error {
	limit := max(e.Limits.withDefaults().Act, 4*step.EstimateDuration(), step.LimitDuration())
	bounded, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not finished after %s", limit))
	defer cancel()
	if err := e.Operations[step.Operation].Run(bounded, step, report); err != nil {
		if cause := context.Cause(bounded); cause != nil && ctx.Err() == nil {
			return fmt.Errorf("%w (%w)", err, cause)
		}
		return err
	}
	return nil
}

// end records how a step ended.
func (e *Executor) end(r StepResult, kind journal.Kind) (StepResult, error) {
	err := e.Journal.Append(journal.Record{
		At: e.now(), Kind: kind, Step: r.Step, Node: r.Node, Operation: r.Operation, Text: r.Why, Seconds: r.Seconds,
	})
	if err != nil {
		err = fmt.Errorf("record the end of step %s (%s): %w", r.Step, r.Outcome, err)
	}
	return r, err
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
