package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// Differences names, sorted, what two readings of a configuration do not have in common: "cluster.kubeconfig",
// "connection.bastion.ssh_config", "certificates.control_plane.renew_before". Nothing where both are one configuration.
//
// Each reading comes with the absolute directory that it was read in: the same configuration may be kept in two places,
// and a path below the one directory is the same path below the other. Where in a file something stands does not
// matter, nor the order of blocks, nor nodes that only the state's memory has taken out.
func Differences(a Desired, aDirectory string, b Desired, bDirectory string) ([]string, error) {
	left, err := a.blocks()
	if err != nil {
		return nil, err
	}
	right, err := b.blocks()
	if err != nil {
		return nil, err
	}
	c := comparison{aDirectory, bDirectory}
	var out []string
	for name := range union(left, right) {
		for i := range max(len(left[name]), len(right[name])) {
			out = append(out, c.differences(name, nth(left[name], i), nth(right[name], i))...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// blocks are the blocks of a desired state, by the name that a person knows each by: what a block says, and, of a block
// of a registered type, what it says of its steps.
func (d Desired) blocks() (map[string][]any, error) {
	out := map[string][]any{}
	var failed error
	add := func(name string, parts ...any) {
		for _, part := range parts {
			text, err := asJSON(part)
			if err != nil && failed == nil {
				failed = fmt.Errorf("%s: %w", name, err)
			}
			out[name] = append(out[name], text)
		}
	}
	add("upkeep.required_version", d.RequiredVersion)
	add("state", d.State)
	add("cluster", d.Cluster)
	for _, c := range d.Connections {
		add("connection."+c.Name, c)
	}
	for _, n := range d.Nodes {
		add("node."+n.Name, n)
	}
	for _, f := range d.Fleets {
		add("nodes."+f.Name, f)
	}
	for _, o := range d.Outs {
		if o.Position.File != "" {
			add("out."+o.Node, o)
		}
	}
	for _, i := range d.Ignores {
		add("ignore."+i.Name, i)
	}
	for _, r := range d.Resources {
		add(Reference{Type: r.Type, Name: r.Name, Key: r.Key}.String(), r.Value, r.Meta)
	}
	return out, failed
}

// asJSON returns a value as JSON has it: numbers as they are written, since a large one is not another one.
func asJSON(value any) (out any, err error) {
	data, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	in := json.NewDecoder(bytes.NewReader(data))
	in.UseNumber()
	err = in.Decode(&out)
	return out, err
}

// comparison compares values of JSON that come from two directories.
type comparison struct{ a, b string }

func (c comparison) differences(name string, a, b any) []string {
	if void(a) && void(b) {
		return nil
	}
	switch left := a.(type) {
	case map[string]any:
		right, ok := b.(map[string]any)
		if !ok {
			break
		}
		var out []string
		for key := range union(left, right) {
			out = append(out, c.differences(name+"."+key, left[key], right[key])...)
		}
		return out
	case []any:
		right, ok := b.([]any)
		if !ok || len(left) != len(right) {
			break
		}
		for i := range left {
			if len(c.differences(name, left[i], right[i])) > 0 {
				return []string{name}
			}
		}
		return nil
	case string:
		if right, ok := b.(string); ok && (left == right || c.samePath(left, right)) {
			return nil
		}
	default: // a boolean, a number or null
		if a == b {
			return nil
		}
	}
	return []string{name}
}

// samePath reports whether two texts are one path below both directories.
func (c comparison) samePath(a, b string) bool {
	left, ok := below(c.a, a)
	right, both := below(c.b, b)
	return ok && both && left == right
}

func below(directory, path string) (string, bool) {
	if path == directory {
		return ".", true
	}
	return strings.CutPrefix(path, strings.TrimSuffix(directory, string(filepath.Separator))+string(filepath.Separator))
}

// void reports whether a value says nothing, in one of the ways in which JSON can, or only where something stands.
func void(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case map[string]any:
		_, file := v["file"].(string)
		_, line := v["line"].(json.Number)
		return len(v) == 0 || file && line && len(v) == 2
	case []any:
		return len(v) == 0
	}
	return false
}

func union[V any](a, b map[string]V) map[string]V {
	all := make(map[string]V, max(len(a), len(b)))
	maps.Copy(all, a)
	maps.Copy(all, b)
	return all
}

func nth(parts []any, i int) any {
	if i < len(parts) {
		return parts[i]
	}
	return nil
}
