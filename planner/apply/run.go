package apply

import (
	"context"
	"fmt"
	"sync"
	"time"

	"upkeep/planner"
	"upkeep/planner/schedule"
	"upkeep/providers"
	"upkeep/state/journal"
)

// run is one run of a plan: its book says what may start, its tasks do it.
type run struct {
	*Executor
	plan   planner.Plan
	guards guards
	tasks  Tasks

	// mu guards what follows; no task holds it while it looks, acts or waits.
	mu         sync.Mutex
	book       *schedule.Schedule
	results    map[string]StepResult // the latest of each step: one that begins a guard may run again
	lostGuards map[string]string     // why a step begins its guard once more
	level      schedule.Level
	failure    error
	under      int // tasks that have not ended
}

func (e *Executor) newRun(plan planner.Plan) (*run, error) {
	guards, err := newGuards(plan)
	if err != nil {
		return nil, err
	}
	book, err := schedule.New(plan.Scheduled(), past(e.History))
	if err != nil {
		return nil, fmt.Errorf("schedule plan %s: %w", plan.ID, err)
	}
	r := &run{Executor: e, plan: plan, guards: guards, tasks: e.Tasks, book: book, results: map[string]StepResult{}, lostGuards: map[string]string{}}
	if r.tasks == nil {
		r.tasks = newGoroutines()
	}
	return r, nil
}

// MayStart reports whether a run of a plan, with what its journal says of earlier ones, could look at a step or start
// one at a time: whether anything is left that waits for no maintenance window. Pure.
func MayStart(plan planner.Plan, history journal.History, at time.Time) (bool, error) {
	book, err := schedule.New(plan.Scheduled(), past(history))
	if err != nil {
		return false, fmt.Errorf("schedule plan %s: %w", plan.ID, err)
	}
	return len(book.Next(at, 1)) > 0, nil
}

// past is what the schedule reads of a journal.
func past(history journal.History) schedule.History {
	var out schedule.History
	for _, record := range history.Records() {
		switch record.Kind {
		case journal.StepStarted:
			out = append(out, schedule.Past{Step: record.Step, What: schedule.WasStarted})
		case journal.StepDone:
			out = append(out, schedule.Past{Step: record.Step, What: schedule.WasDone})
		case journal.StepSkipped:
			out = append(out, schedule.Past{Step: record.Step, What: schedule.WasSkipped})
		case journal.StepFailed:
			out = append(out, schedule.Past{Step: record.Step, What: schedule.WasFailed})
		}
	}
	return out
}

// drive starts what the book names until nothing is in progress and nothing may start.
func (r *run) drive(ctx context.Context) {
	for {
		decisions, until, over := r.next(ctx)
		if over {
			return
		}
		for _, looks := range together(decisions, r.plan.Steps) {
			r.tasks.Go(func() { r.look(ctx, looks) })
		}
		for _, d := range decisions {
			if d.Kind == schedule.Start {
				r.tasks.Go(func() { r.start(ctx, d) })
			}
		}
		if r.tasks.Next(ctx, r.Stop, until) {
			r.stop()
		}
	}
}

// stop raises the level of the stop by one: somebody asked.
func (r *run) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.level < schedule.NoNewSteps {
		r.raise(r.level + 1)
	}
}

// raise stops the run at a level; it never sinks. The caller holds mu.
func (r *run) raise(to schedule.Level) {
	if to > r.level {
		r.level = to
		r.book.Stop(to)
	}
}

// next asks the book what comes next, and when it wants to be asked again at the latest. The run is over where nothing
// comes and nothing is in progress. Both are seen at one moment: what ends a moment later changes what comes.
func (r *run) next(ctx context.Context) (decisions []schedule.Decision, until time.Time, over bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ctx.Err() != nil {
		r.raise(schedule.Now)
	}
	decisions = r.book.Next(r.now(), 0)
	r.under += len(together(decisions, r.plan.Steps))
	for _, d := range decisions {
		if d.Kind == schedule.Start {
			r.under++
		}
	}
	return decisions, r.book.Wake(), r.under == 0
}

// left notes that a task has ended.
func (r *run) left() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.under--
}

// fail keeps the first failure of the run itself, and stops the run at a level.
func (r *run) fail(err error, level schedule.Level) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failure == nil {
		r.failure = err
	}
	r.raise(level)
}

// report tells the book something. It refuses only what the code must not do.
func (r *run) report(what func(*schedule.Schedule) error) {
	r.mu.Lock()
	err := what(r.book)
	r.mu.Unlock()
	if err != nil {
		r.fail(fmt.Errorf("the schedule and the run disagree: %w", err), schedule.Now)
	}
}

// halted reports whether a step must not start any more, or is not worth waiting for: the run stops at once, or
// finishes what is under way and ends brackets.
func (r *run) halted(ctx context.Context, step providers.Step) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return ctx.Err() != nil || r.level >= schedule.Now || r.level >= schedule.NoNewSteps && !r.guards.ends(step.ID)
}

// release gives a step back that was not started.
func (r *run) release(step providers.Step) {
	r.report(func(book *schedule.Schedule) error { return book.Release(step.ID) })
}

// end records how a step ended, tells it, and lets the book go on.
func (r *run) end(step providers.Step, result StepResult, kind journal.Kind) {
	if err := r.Journal.Append(record(r.now(), result, kind)); err != nil {
		r.fail(fmt.Errorf("record the end of step %s (%s): %w", step.ID, result.Outcome, err), stopFor(err))
	}
	r.mu.Lock()
	r.results[step.ID] = result
	r.mu.Unlock()
	r.tell(StepEnded{At: r.now(), Number: r.guards.at[step.ID] + 1, Of: len(r.plan.Steps), Step: step, Result: result})
	r.report(func(book *schedule.Schedule) error {
		return book.Ended(step.ID, schedule.Outcome(result.Outcome), result.Why)
	})
}

func record(at time.Time, r StepResult, kind journal.Kind) journal.Record {
	return journal.Record{At: at, Kind: kind, Step: r.Step, Node: r.Node, Operation: r.Operation, Text: r.Why, Seconds: r.Seconds}
}

// close says how every step stands at the end of the run, and records those that the run never came to.
func (r *run) close() []StepResult {
	var records []journal.Record
	var out []StepResult
	for i, state := range r.book.States() {
		step := r.plan.Steps[i]
		result, ran := r.results[step.ID]
		switch state.Outcome {
		case schedule.Blocked:
			result = resultOf(step, Blocked, state.Why)
			records = append(records, record(r.now(), result, journal.StepBlocked))
		case schedule.Waiting:
			result = resultOf(step, Waiting, state.Why)
			result.Since, result.For, result.Window = state.Wait.Since, state.Wait.For, state.Wait.Window
			records = append(records, record(r.now(), result, journal.StepWaiting))
		case schedule.Pending:
			result = resultOf(step, Pending, state.Why)
		default:
			if !ran { // the schedule found that nothing needs it
				result = resultOf(step, StepOutcome(state.Outcome), state.Why)
				records = append(records, record(r.now(), result, journal.StepSkipped))
			}
		}
		if result.Outcome == Blocked || result.Outcome == Waiting || !ran && result.Outcome == Skipped {
			r.tell(StepEnded{At: r.now(), Number: i + 1, Of: len(r.plan.Steps), Step: step, Result: result})
		}
		out = append(out, result)
	}
	if len(records) > 0 && (r.failure == nil || spilled(r.failure)) {
		if err := r.Journal.Append(records...); err != nil && r.failure == nil {
			r.failure = fmt.Errorf("record the steps that did not run: %w", err)
		}
	}
	return out
}
