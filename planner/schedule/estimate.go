package schedule

import (
	queue "container/heap"
	"slices"
	"time"
)

// Estimate returns how long a plan takes where every step takes as long as it says, none waits for anything outside the
// plan, and as many run at once as lanes and brackets let. Windows are left out of it. Zero for a plan that cannot be
// scheduled.
func Estimate(plan Plan) time.Duration {
	plan.Openings = nil
	begin := time.Unix(0, 0).UTC()
	_, end := Reach(plan, begin)
	return end.Sub(begin)
}

// Worst is Estimate where every step takes as long as in the worst run that is remembered.
func Worst(plan Plan) time.Duration {
	plan.Steps = slices.Clone(plan.Steps)
	for i := range plan.Steps {
		plan.Steps[i].Estimate = plan.Steps[i].WorstDuration().Seconds()
	}
	return Estimate(plan)
}

// Reach returns which steps of a plan are done, by their index, by a run that begins at a time and ends when nothing is
// left that may start then: what waits for a later opening is not. Estimates count as for Estimate. It returns when the
// run ends, too. Nothing is done of a plan that cannot be scheduled.
func Reach(plan Plan, begin time.Time) (done []bool, end time.Time) {
	table, end := Timetable(plan, begin)
	done = make([]bool, len(table))
	for i, t := range table {
		done[i] = !t.Ends.IsZero()
	}
	return done, end
}

// Time is when a step begins and ends; zero where it does not.
type Time struct{ Begins, Ends time.Time }

// Timetable is Reach with the time of each step.
func Timetable(plan Plan, begin time.Time) (table []Time, end time.Time) {
	table = make([]Time, len(plan.Steps))
	book, err := New(plan, nil)
	if err != nil {
		return table, begin
	}
	now := begin
	running := &arrivals{}
	for {
		decisions := book.Next(now, 0)
		for _, d := range decisions {
			if d.Kind == Look {
				err = book.Ready(d.Step, now)
			} else if _, err = book.Started(d.Step); err == nil {
				table[d.Index].Begins = now
				queue.Push(running, arrival{now.Add(plan.Steps[d.Index].EstimateDuration()), d.Index})
			}
			if err != nil {
				return make([]Time, len(plan.Steps)), begin
			}
		}
		switch {
		case len(decisions) > 0: // a look may have made more startable
		case running.Len() == 0:
			return table, now
		default:
			next := queue.Pop(running).(arrival)
			now, table[next.index].Ends = next.at, next.at
			if book.Ended(plan.Steps[next.index].ID, Done, "") != nil {
				return make([]Time, len(plan.Steps)), begin
			}
		}
	}
}

// arrival is when a step ends.
type arrival struct {
	at    time.Time
	index int
}

// arrivals is a heap of them, the first to end first; of one moment, in plan order.
type arrivals []arrival

func (a arrivals) Len() int { return len(a) }
func (a arrivals) Less(i, j int) bool {
	if !a[i].at.Equal(a[j].at) {
		return a[i].at.Before(a[j].at)
	}
	return a[i].index < a[j].index
}
func (a arrivals) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *arrivals) Push(x any)   { *a = append(*a, x.(arrival)) }
func (a *arrivals) Pop() any {
	old := *a
	last := old[len(old)-1]
	*a = old[:len(old)-1]
	return last
}

// InTurn returns the steps of a plan, by their index, in the order in which one hand does them: one at a time, each as
// soon as it may start. What the schedule never starts comes last, in plan order. Windows are left out of it.
func InTurn(plan Plan) ([]int, error) {
	plan.Openings = nil
	book, err := New(plan, nil)
	if err != nil {
		return nil, err
	}
	begin := time.Unix(0, 0).UTC()
	order := make([]int, 0, len(plan.Steps))
	taken := make([]bool, len(plan.Steps))
	for decisions := book.Next(begin, 1); len(decisions) > 0; decisions = book.Next(begin, 1) {
		for _, d := range decisions {
			if d.Kind == Look {
				if err := book.Ready(d.Step, begin); err != nil {
					return nil, err
				}
				continue
			}
			if _, err := book.Started(d.Step); err != nil {
				return nil, err
			}
			if !taken[d.Index] {
				taken[d.Index] = true
				order = append(order, d.Index)
			}
			if err := book.Ended(d.Step, Done, ""); err != nil {
				return nil, err
			}
		}
	}
	for i := range plan.Steps {
		if !taken[i] {
			order = append(order, i)
		}
	}
	return order, nil
}
