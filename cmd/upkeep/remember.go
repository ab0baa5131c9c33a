package main

import (
	"context"
	"fmt"
	"sync"

	"upkeep/providers/facts"
	"upkeep/state"
)

// memory writes down what a step has learned, in the state, the moment it is known: a process that dies just after it
// must not forget it.
type memory struct {
	lock state.Lock
	mu   sync.Mutex
}

// Remember adds proofs to the memory. It returns when they are stored.
func (m *memory) Remember(ctx context.Context, proofs ...facts.Proof) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	remembered := m.lock.State()
	remembered.Memory = remembered.Memory.WithProofs(proofs...)
	if _, err := m.lock.Write(ctx, remembered); err != nil {
		return fmt.Errorf("remembering a proof in the state: %w", err)
	}
	return nil
}
