package main

import (
	"context"
	"encoding/json"
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

// Remember changes the section of a resource in the memory. It returns when the change is stored.
func (m *memory) Remember(ctx context.Context, owner facts.Address, change func(json.RawMessage) (json.RawMessage, error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	remembered := m.lock.State()
	section, err := change(remembered.Memory.Sections[owner])
	if err != nil {
		return err
	}
	remembered.Memory = remembered.Memory.WithSections(facts.Sections{owner: section})
	if _, err := m.lock.Write(ctx, remembered); err != nil {
		return fmt.Errorf("write what was learned of %s to the state: %w", owner, err)
	}
	return nil
}

// Sign signs a statement with the key of the state.
func (m *memory) Sign(statement []byte) facts.Signature {
	return m.lock.State().Signing.Sign(statement)
}
