package main

import (
	"fmt"
	"sync"

	"upkeep/providers/observe"
)

// observationProgress shows how many nodes have answered: one line that rewrites itself where somebody watches, nothing
// elsewhere. What a node did not answer is in the findings, so nothing is lost when the line goes.
type observationProgress struct {
	env  environment
	live bool
	mu   sync.Mutex
	seen bool
}

func newObservationProgress(env environment, noColour bool) *observationProgress {
	return &observationProgress{env: env, live: terminalOf(env, env.stderr, noColour).Live}
}

func (p *observationProgress) report(at observe.Progress) {
	if !p.live {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = true
	p.clear()
	fmt.Fprintf(p.env.stderr, "Observing: %d of %d nodes answered (%s)", at.Done, at.Total, at.Node)
}

func (p *observationProgress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen {
		p.clear()
	}
}

// clear takes back the line that is shown.
func (p *observationProgress) clear() {
	if s, ok := p.env.stderr.(*screen); ok {
		s.rewrite()
	}
}
