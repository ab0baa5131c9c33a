package apply

import (
	"maps"

	"upkeep/planner"
	"upkeep/providers/facts"
	"upkeep/state"
)

// weight is how much the newest duration counts against those before it: high enough to follow a cluster that grew
// slower within a few runs, low enough that one slow disk does not double every estimate.
const weight = 0.3

// Learn returns a memory that knows how long the steps of a result took, of steps that were proved: the last times of
// each operation, and an exponential average. It knows which cluster it was, too. What is known of the cluster already
// stays: the run has compared it. Pure.
func Learn(memory facts.Memory, result Result) facts.Memory {
	durations := maps.Clone(memory.Durations)
	for _, step := range result.Steps {
		if step.Outcome != Done || step.Slept {
			continue
		}
		if durations == nil {
			durations = map[string]float64{}
		}
		average := step.Seconds
		if before, known := durations[step.Operation]; known {
			average = before + weight*(step.Seconds-before)
		}
		durations[step.Operation] = average
		memory = memory.WithDuration(step.Operation, step.Seconds)
	}
	memory.Durations = durations
	memory.Cluster = memory.Cluster.Completed(result.Cluster)
	return memory
}

// Begun is the record of a run that starts; store it before Run, so that a run that dies is remembered.
func (e *Executor) Begun(plan planner.Plan) state.RunRecord {
	started := e.now()
	if e.History.Started() {
		started = e.History.First().At
	}
	return state.RunRecord{
		PlanID: plan.ID, Digest: plan.Digest, Who: e.Who, Generation: e.Generation, StartedAt: started, Outcome: "started",
		Overrides: texts(plan.Request.Overrides),
	}
}

// texts returns overrides as the user writes them.
func texts(overrides []planner.Override) []string {
	var out []string
	for _, o := range overrides {
		out = append(out, o.Recorded())
	}
	return out
}

// Overrode returns a memory that knows which overrides a run goes with, for the next drift to show: those of this run
// alone. Store it before Run, so that a run that dies is remembered with them. Pure.
func Overrode(memory facts.Memory, run state.RunRecord) facts.Memory {
	memory.Overrides = nil
	for _, text := range run.Overrides {
		memory.Overrides = append(memory.Overrides, facts.UsedOverride{Text: text, Plan: run.PlanID, Who: run.Who, At: run.StartedAt})
	}
	return memory
}

// Ended completes what Begun returned, for a run that has a result.
func Ended(run state.RunRecord, result Result) state.RunRecord {
	run.EndedAt, run.Outcome = result.EndedAt, string(result.Outcome)
	run.Done, run.Skipped, run.Refused = result.Count(Done), result.Count(Skipped), result.Count(Refused)
	run.Failed, run.Blocked = result.Count(Failed), result.Count(Blocked)
	return run
}
