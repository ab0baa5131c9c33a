package config

import (
	"encoding/json"
	"fmt"
	"slices"

	"upkeep/providers/strictjson"
)

// Restore reads back the JSON of a Desired, the values of its resources through the Restore of their types. It refuses
// what Load would not have made: unknown fields, types or connections, names that occur twice.
func Restore(data []byte, types []BlockType) (Desired, error) {
	var raw struct {
		Desired
		Resources []restoredResource `json:"resources"`
	}
	if err := strictjson.DecodeKnown(data, &raw); err != nil {
		return Desired{}, fmt.Errorf("desired state: %w", err)
	}
	desired := raw.Desired
	desired.Resources = nil
	for _, r := range raw.Resources {
		declared, err := r.restore(types)
		if err != nil {
			return Desired{}, fmt.Errorf("desired state: %w", err)
		}
		desired.Resources = append(desired.Resources, declared)
	}
	if err := desired.check(); err != nil {
		return Desired{}, fmt.Errorf("desired state: %w", err)
	}
	return desired, nil
}

// restoredResource is a Declared whose value is not decoded yet.
type restoredResource struct {
	Type     string          `json:"type"`
	Name     string          `json:"name"`
	Key      string          `json:"key"`
	Position Position        `json:"position"`
	Meta     Meta            `json:"meta,omitzero"`
	Value    json.RawMessage `json:"value"`
}

func (r restoredResource) restore(types []BlockType) (Declared, error) {
	address := Reference{Type: r.Type, Name: r.Name, Key: r.Key}.String()
	i := slices.IndexFunc(types, func(t BlockType) bool { return t.Name == r.Type })
	switch {
	case i < 0 || types[i].Restore == nil:
		return Declared{}, fmt.Errorf("%s: this version of upkeep has no block type %q", address, r.Type)
	case !namePattern.MatchString(r.Name):
		return Declared{}, fmt.Errorf("%s: %q is not a name", r.Type, r.Name)
	case len(r.Value) == 0:
		return Declared{}, fmt.Errorf("%s: there is no value", address)
	}
	value, err := types[i].Restore(r.Value)
	if err != nil {
		return Declared{}, fmt.Errorf("%s: %w", address, err)
	}
	if err := r.Meta.check(types[i]); err != nil {
		return Declared{}, fmt.Errorf("%s: %w", address, err)
	}
	return Declared{Type: r.Type, Name: r.Name, Key: r.Key, Position: r.Position, Meta: r.Meta, Value: value}, nil
}

// check reports what makes a desired state contradict itself, or what must not reach ssh.
func (d Desired) check() error {
	for _, e := range language() {
		if e.check == nil {
			continue
		}
		if err := e.check(d); err != nil {
			return err
		}
	}
	resources := map[Reference]bool{}
	for _, r := range d.Resources {
		reference := Reference{Type: r.Type, Name: r.Name, Key: r.Key}
		if resources[reference] {
			return fmt.Errorf("%s occurs twice", reference)
		}
		resources[reference] = true
	}
	for _, r := range d.Resources {
		if err := checkWindows(r.Meta.Windows, resources); err != nil {
			return fmt.Errorf("%s: %w", Reference{Type: r.Type, Name: r.Name, Key: r.Key}, err)
		}
	}
	return nil
}
