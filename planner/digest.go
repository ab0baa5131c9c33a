package planner

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"upkeep/providers"
)

// Digest returns "sha256:" and the digest of what the steps do: of each, in order, the address, node, operation,
// arguments, guards (and whether the operator goes without them, and without which) and window.
//
// Outside it stand the clock, reasons and other text, positions, estimates and what a step expects, so that the same due
// work has the same digest on any machine and any day. Also outside are ids, edges and serial groups: they follow from
// the desired state, and apply builds the plan again from that instead of believing the file. Times within arguments
// count as one value, and the order of an argument's keys does not matter.
func Digest(steps []providers.Step) (string, error) {
	type work struct {
		Address   providers.Address `json:"address"`
		Node      string            `json:"node"`
		Operation string            `json:"operation"`
		Args      any               `json:"args"`
		Guards    []providers.Need  `json:"guards"`
		Window    string            `json:"window"`
	}
	hash := sha256.New()
	out := json.NewEncoder(hash)
	if err := out.Encode("upkeep plan 1"); err != nil {
		return "", err
	}
	for _, step := range steps {
		args, err := timeless(step.Args)
		if err != nil {
			return "", fmt.Errorf("step %s: its arguments are not JSON: %w", step.ID, err)
		}
		err = out.Encode(work{step.Address, step.Node, step.Operation, args, append([]providers.Need{}, step.Guards...), step.Window})
		if err != nil {
			return "", fmt.Errorf("step %s: %w", step.ID, err)
		}
	}
	return "sha256:" + hex.EncodeToString(hash.Sum(nil)), nil
}

// timeless reads JSON, with numbers as written and every time replaced by one word. Go writes the keys of objects sorted.
func timeless(data json.RawMessage) (any, error) {
	if len(data) == 0 {
		return nil, nil
	}
	in := json.NewDecoder(bytes.NewReader(data))
	in.UseNumber()
	var value any
	if err := in.Decode(&value); err != nil {
		return nil, err
	}
	return withoutTimes(value), nil
}

func withoutTimes(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key := range v {
			v[key] = withoutTimes(v[key])
		}
	case []any:
		for i := range v {
			v[i] = withoutTimes(v[i])
		}
	case string:
		if _, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return "(time)"
		}
	}
	return value
}
