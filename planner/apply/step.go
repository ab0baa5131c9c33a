package apply

import (
	"context"
	"fmt"
	"sync"
	"time"

	"upkeep/planner"
	"upkeep/providers"
	"upkeep/state/journal"
)

// step takes one step to its end. The error is the journal's alone.
func (e *Executor) step(ctx context.Context, plan planner.Plan, index int, progress *progress) (StepResult, error) {
	step := plan.Steps[index]
	if why := progress.blocks(step); why != "" {
		return e.end(resultOf(step, Blocked, why), journal.StepBlocked)
	}
	e.tell(StepChecking{At: e.now(), Number: index + 1, Of: len(plan.Steps), Step: step})

	before, ground := e.ground(ctx, plan, step)
	switch {
	case ctx.Err() != nil:
		return resultOf(step, Pending, "not started: "+context.Cause(ctx).Error()), nil
	case ground.State == providers.Done:
		return e.end(resultOf(step, Skipped, ground.Why), journal.StepSkipped)
	case ground.State != providers.Holds:
		refused := resultOf(step, Refused, ground.Why)
		refused.Moved = ground.State == providers.Moved
		return e.end(refused, journal.StepRefused)
	}
	return e.act(ctx, plan, index, before, ground.Why)
}

// act runs a step whose ground holds, and proves it.
func (e *Executor) act(ctx context.Context, plan planner.Plan, index int, before providers.Input, why string) (StepResult, error) {
	step := plan.Steps[index]
	if err := e.fence(ctx); err != nil {
		return resultOf(step, Pending, "not started: "+err.Error()), err
	}
	began := e.now()
	// From here on a dead process leaves a step that is under way: this record is what the next one finds.
	if err := e.Journal.Append(journal.Record{
		At: began, Kind: journal.StepStarted, Step: step.ID, Node: step.Node, Operation: step.Operation, Text: why,
	}); err != nil {
		return resultOf(step, Pending, "not started: the journal could not be written"), fmt.Errorf("record the start of step %s: %w", step.ID, err)
	}
	e.tell(StepStarted{At: began, Number: index + 1, Of: len(plan.Steps), Step: step})

	report, closeReport := e.reporter(step, began)
	e.Trace.At("step:acting")
	err := e.operate(ctx, step, report)
	e.Trace.At("step:acted")
	proof := step.Proof
	if err == nil {
		err = e.prove(ctx, plan, before, step, report)
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
	if err != nil {
		return e.end(done, journal.StepFailed)
	}
	return e.end(done, journal.StepDone)
}

// operate runs the operation in bounded time.
func (e *Executor) operate(ctx context.Context, step providers.Step, report providers.Progress) error {
	limit := max(e.Limits.withDefaults().Act, 4*step.EstimateDuration())
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
