package node

import (
	"context"
	"sync"
)

// gates limit how many sessions share something at a time, by what they share.
type gates struct {
	mu     sync.Mutex
	active map[string]int
	freed  map[string]chan struct{}
}

// enter waits until fewer than limit sessions share key, and returns the function that leaves again. It may be called
// more than once.
func (g *gates) enter(ctx context.Context, key string, limit int) (leave func(), err error) {
	for {
		g.mu.Lock()
		if g.active == nil {
			g.active, g.freed = map[string]int{}, map[string]chan struct{}{}
		}
		if g.active[key] < limit {
			g.active[key]++
			g.mu.Unlock()
			return sync.OnceFunc(func() { g.leave(key) }), nil
		}
		freed := g.freed[key]
		if freed == nil {
			freed = make(chan struct{})
			g.freed[key] = freed
		}
		g.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (g *gates) leave(key string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.active[key]--; g.active[key] == 0 {
		delete(g.active, key)
	}
	if freed := g.freed[key]; freed != nil {
		close(freed)
		delete(g.freed, key)
	}
}
