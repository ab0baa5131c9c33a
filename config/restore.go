package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Restore reads back the JSON of a Desired, the values of its resources through the Restore of their types. It refuses
// what Load would not have made: unknown fields, types or connections, names that occur twice.
func Restore(data []byte, types []BlockType) (Desired, error) {
	var raw struct {
		Desired
		Resources []restoredResource `json:"resources"`
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&raw); err != nil {
		return Desired{}, fmt.Errorf("desired state: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Desired{}, errors.New("desired state: something follows the JSON value")
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
	return Declared{Type: r.Type, Name: r.Name, Key: r.Key, Position: r.Position, Value: value}, nil
}

// check reports what makes a desired state contradict itself, or what must not reach ssh.
func (d Desired) check() error {
	if err := d.State.check(); err != nil {
		return err
	}
	connections := map[string]bool{"": true}
	for _, c := range d.Connections {
		switch {
		case c.Name == "" || connections[c.Name]:
			return fmt.Errorf("connection %q: the name is empty or occurs twice", c.Name)
		case c.Transport != "ssh" && c.Transport != "local":
			return fmt.Errorf("connection %q: %q is not a transport", c.Name, c.Transport)
		case c.Access != "full" && c.Access != "restricted":
			return fmt.Errorf("connection %q: %q is not a kind of access", c.Name, c.Access)
		case c.User != "" && !userPattern.MatchString(c.User):
			return fmt.Errorf("connection %q: %q is not a user name", c.Name, c.User)
		case c.ProxyJump != "" && !validJump(c.ProxyJump):
			return fmt.Errorf("connection %q: %q is not a list of jump hosts", c.Name, c.ProxyJump)
		case c.Port < 0 || c.Port > 65535 || c.MaxSessions < 0 || c.MaxSessions > largestSessions:
			return fmt.Errorf("connection %q: the port or max_sessions is out of range", c.Name)
		}
		connections[c.Name] = true
	}
	names, primaries := map[string]bool{}, 0
	for _, n := range d.Nodes {
		switch {
		case !nodeNamePattern.MatchString(n.Name) || names[n.Name]:
			return fmt.Errorf("node %q: this is not a name, or it occurs twice", n.Name)
		case !hostPattern.MatchString(n.Host):
			return fmt.Errorf("node %q: %q is not a host", n.Name, n.Host)
		case !connections[n.Connection]:
			return fmt.Errorf("node %q: there is no connection %q", n.Name, n.Connection)
		}
		names[n.Name] = true
		if n.Primary {
			primaries++
		}
	}
	if primaries > 1 {
		return errors.New("more than one node is primary")
	}
	fleets := map[string]bool{}
	for _, f := range d.Fleets {
		switch {
		case f.Name == "" || fleets[f.Name]:
			return fmt.Errorf("nodes %q: the name is empty or occurs twice", f.Name)
		case !connections[f.Connection]:
			return fmt.Errorf("nodes %q: there is no connection %q", f.Name, f.Connection)
		case f.Selector == "":
			return fmt.Errorf("nodes %q: the selector is empty", f.Name)
		}
		fleets[f.Name] = true
	}
	resources := map[Reference]bool{}
	for _, r := range d.Resources {
		reference := Reference{Type: r.Type, Name: r.Name, Key: r.Key}
		if resources[reference] {
			return fmt.Errorf("%s occurs twice", reference)
		}
		resources[reference] = true
	}
	return nil
}
