package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"upkeep/planner"
	"upkeep/planner/apply"
	"upkeep/planner/report"
	"upkeep/planner/report/events"
	"upkeep/planner/report/text"
	"upkeep/providers"
	"upkeep/providers/plain"
)

// runView shows what happens in a run. Its first error is kept: a run goes on when nobody can read along any more.
type runView interface {
	show(apply.Event)
	failed() error
}

func newRunView(env environment, plan planner.Plan, asJSON bool) runView {
	if asJSON {
		return newEventStream(env, plan)
	}
	return &runText{w: env.stdout, plan: plan}
}

// runText is a run for people: a line when a step starts, its progress below it, a line when it ends.
type runText struct {
	w    io.Writer
	plan planner.Plan
	err  error
}

func (v *runText) failed() error { return v.err }

func (v *runText) line(format string, args ...any) {
	_, err := fmt.Fprintln(v.w, plain.Line(fmt.Sprintf(format, args...)))
	v.err = errors.Join(v.err, err)
}

func (v *runText) show(event apply.Event) {
	switch e := event.(type) {
	case apply.RunStarted:
		v.line("")
		if e.Resumed {
			v.line("This plan was started before; going on with it.")
			for _, id := range e.InProgress {
				v.line("  in progress when it stopped: %s", id)
			}
		}
	case apply.StepStarted:
		v.line("[%d/%d] %s: %s...", e.Number, e.Of, e.Step.Address, e.Step.Summary)
	case apply.StepProgress:
		v.line("[%d/%d]   %s", v.number(e.Step.ID), len(v.plan.Steps), e.Line)
	case apply.StepEnded:
		v.line("[%d/%d] %s: %s", e.Number, e.Of, e.Step.Address, v.ending(e.Result))
	case apply.RunEnded:
		v.summary(e.Result)
	}
}

// number is where a step stands in the plan, from 1: several are under way at once, and each line says whose it is.
func (v *runText) number(step string) int {
	return slices.IndexFunc(v.plan.Steps, func(s providers.Step) bool { return s.ID == step }) + 1
}

func (v *runText) ending(r apply.StepResult) string {
	switch r.Outcome {
	case apply.Done:
		return fmt.Sprintf("done and proved after %s", elapsed(r.Seconds))
	case apply.Skipped:
		return "nothing to do: " + r.Why
	default:
		return string(r.Outcome) + ": " + r.Why
	}
}

func (v *runText) summary(r apply.Result) {
	v.line("")
	if r.Outcome == apply.Complete {
		v.line("%s", report.ApplySentence(countsOf(v.plan, r)))
		v.line("%d steps done and proved, %d had nothing to do. The next `upkeep plan` looks again.", r.Count(apply.Done), r.Count(apply.Skipped))
		return
	}
	waiting := ""
	if n := r.Count(apply.Waiting); n > 0 {
		waiting = fmt.Sprintf(" %d waiting.", n)
	}
	v.line("Apply ended: %s. %d done, %d had nothing to do, %d refused, %d failed, %d blocked, %d not started.%s", r.Outcome,
		r.Count(apply.Done), r.Count(apply.Skipped), r.Count(apply.Refused), r.Count(apply.Failed), r.Count(apply.Blocked), r.Count(apply.Pending), waiting)
	for _, s := range r.Steps {
		if s.Outcome.Succeeded() {
			continue
		}
		age := ""
		if !s.Since.IsZero() {
			age = fmt.Sprintf(" (for %s)", text.Age(r.EndedAt.Sub(s.Since)))
		}
		v.line("  %-8s %s: %s%s", s.Outcome, s.Step, s.Why, age)
	}
	v.line("Finished steps stay done. `upkeep plan` shows what is left. Apply the same plan file again to continue.")
}

// eventStream is a run as Terraform's machine-readable events.
type eventStream struct {
	out  *events.Stream
	plan planner.Plan
	err  error
}

func newEventStream(env environment, plan planner.Plan) *eventStream {
	v := &eventStream{out: events.New(env.stdout, env.now), plan: plan}
	v.keep(v.out.Version(version))
	v.keep(v.out.Planned(report.Plan(plan)))
	return v
}

func (v *eventStream) keep(err error) {
	if v.err == nil {
		v.err = err
	}
}

func (v *eventStream) failed() error { return v.err }

func (v *eventStream) show(event apply.Event) {
	switch e := event.(type) {
	case apply.StepStarted:
		v.keep(v.out.ApplyStart(events.HookOf(e.Step)))
	case apply.StepProgress:
		v.keep(v.out.ApplyProgress(events.HookOf(e.Step), seconds(e.Seconds), e.Line))
	case apply.StepEnded:
		if e.Result.Outcome.Succeeded() {
			v.keep(v.out.ApplyComplete(events.HookOf(e.Step), seconds(e.Result.Seconds)))
			return
		}
		if e.Result.Outcome == apply.Waiting {
			v.keep(v.out.Diagnostic("warning", "waiting: "+e.Step.Summary, e.Result.Why, e.Step.Address.String()))
			return
		}
		v.keep(v.out.ApplyErrored(events.HookOf(e.Step), seconds(e.Result.Seconds)))
		v.keep(v.out.Diagnostic("error", string(e.Result.Outcome)+": "+e.Step.Summary, e.Result.Why, e.Step.Address.String()))
	case apply.RunEnded:
		v.keep(v.out.ChangeSummary("apply", countsOf(v.plan, e.Result)))
	}
}

// countsOf counts what was done as the plan counts what is to be done: by address.
func countsOf(plan planner.Plan, r apply.Result) report.Counts {
	done := map[string]bool{}
	for _, step := range r.Steps {
		done[step.Step] = step.Outcome == apply.Done
	}
	plan.Steps = slices.DeleteFunc(slices.Clone(plan.Steps), func(s providers.Step) bool { return !done[s.ID] })
	summary := report.Plan(plan).Upkeep.Summary
	return report.Counts{Add: summary.Add, Change: summary.Change, Remove: summary.Destroy}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func elapsed(s float64) string { return seconds(s).Round(100 * time.Millisecond).String() }
