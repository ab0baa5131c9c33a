package schedule

import "time"

// heap holds steps, the one of the best rank on top.
type heap []int32

func (h *heap) push(s *Schedule, i int32) {
	*h = append(*h, i)
	q := *h
	for k := len(q) - 1; k > 0; {
		parent := (k - 1) / 2
		if s.steps[q[parent]].rank <= s.steps[q[k]].rank {
			return
		}
		q[parent], q[k] = q[k], q[parent]
		k = parent
	}
}

func (h *heap) pop(s *Schedule) int32 {
	q := *h
	top, last := q[0], len(q)-1
	q[0] = q[last]
	q = q[:last]
	*h = q
	for k := 0; ; {
		child := 2*k + 1
		if child >= len(q) {
			return top
		}
		if child+1 < len(q) && s.steps[q[child+1]].rank < s.steps[q[child]].rank {
			child++
		}
		if s.steps[q[k]].rank <= s.steps[q[child]].rank {
			return top
		}
		q[k], q[child] = q[child], q[k]
		k = child
	}
}

// timer wakes a step.
type timer struct {
	at   time.Time
	step int32
}

// timers holds timers, the earliest on top.
type timers []timer

func (h *timers) push(t timer) {
	*h = append(*h, t)
	q := *h
	for k := len(q) - 1; k > 0; {
		parent := (k - 1) / 2
		if !q[k].before(q[parent]) {
			return
		}
		q[parent], q[k] = q[k], q[parent]
		k = parent
	}
}

func (h *timers) pop() timer {
	q := *h
	top, last := q[0], len(q)-1
	q[0] = q[last]
	q = q[:last]
	*h = q
	for k := 0; ; {
		child := 2*k + 1
		if child >= len(q) {
			return top
		}
		if child+1 < len(q) && q[child+1].before(q[child]) {
			child++
		}
		if !q[child].before(q[k]) {
			return top
		}
		q[k], q[child] = q[child], q[k]
		k = child
	}
}

func (t timer) before(o timer) bool { return t.at.Before(o.at) || t.at.Equal(o.at) && t.step < o.step }
