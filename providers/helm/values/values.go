// Package values is the arithmetic of Helm values: merging, removing, comparing and masking trees as JSON knows them.
//
// It is pure and knows neither Helm nor a cluster. No function writes into its arguments, and what a function returns
// shares no map or list with them. Secrets are replaced by Mask before a tree goes anywhere that a person or a file sees.
package values

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Tree is a tree of values: maps, lists, strings, float64, bool and nil.
type Tree = map[string]any

// Sealed opens a value that stands for a secret.
const Sealed = "hmac:"

// unknownSeal stands for a secret of which no digest can be made.
const unknownSeal = Sealed + "?"

// MAC returns a keyed digest in hexadecimal. Equal secrets have equal digests; a digest says nothing of its secret to
// somebody without the key.
type MAC func([]byte) string

// Seal returns the text that stands for a secret value.
func Seal(mac MAC, value any) string {
	data, err := json.Marshal(value)
	if err != nil || mac == nil {
		return unknownSeal
	}
	return Sealed + mac(data)
}

// Normalize returns the tree as it reads after JSON, which is how Helm stores it: every number a float64, and every map
// keyed by strings. An upgrade that passed an integer would render it as an integer now, and as a float the next time.
func Normalize(tree Tree) (Tree, error) {
	data, err := json.Marshal(tree)
	if err != nil {
		return nil, fmt.Errorf("values are not JSON: %w", err)
	}
	out := Tree{}
	if err := json.Unmarshal(data, &out); err != nil {
		return nil, fmt.Errorf("values are not JSON: %w", err)
	}
	if out == nil {
		out = Tree{}
	}
	return out, nil
}

// Merge lays wanted over kept: maps are merged key by key; everything else, lists too, is replaced. A null that is
// wanted stays a null: to Helm it takes the chart's default away.
func Merge(kept, wanted Tree) Tree {
	out := Clone(kept)
	for key, value := range wanted {
		below, isTree := value.(Tree)
		under, wasTree := out[key].(Tree)
		if isTree && wasTree {
			out[key] = Merge(under, below)
			continue
		}
		out[key] = clone(value)
	}
	return out
}

// Remove takes the values at the given paths out. A map that becomes empty by it goes as well. A path that is not there
// is no error.
func Remove(tree Tree, paths []string) Tree {
	out := Clone(tree)
	for _, p := range paths {
		remove(out, Segments(p))
	}
	return out
}

func remove(tree Tree, segments []string) {
	if len(segments) == 0 {
		return
	}
	key := segments[0]
	if len(segments) == 1 {
		delete(tree, key)
		return
	}
	if below, ok := tree[key].(Tree); ok {
		remove(below, segments[1:])
		if len(below) == 0 {
			delete(tree, key)
		}
	}
}

// Get returns the value at a path, and whether there is one.
func Get(tree Tree, at string) (any, bool) {
	var value any = tree
	for _, segment := range Segments(at) {
		switch node := value.(type) {
		case Tree:
			below, ok := node[segment]
			if !ok {
				return nil, false
			}
			value = below
		case []any:
			i, err := strconv.Atoi(segment)
			if err != nil || i < 0 || i >= len(node) {
				return nil, false
			}
			value = node[i]
		default:
			return nil, false
		}
	}
	return value, true
}

// Clone returns a deep copy; never nil.
func Clone(tree Tree) Tree {
	out := make(Tree, len(tree))
	for key, value := range tree {
		out[key] = clone(value)
	}
	return out
}

func clone(value any) any {
	switch node := value.(type) {
	case Tree:
		return Clone(node)
	case []any:
		out := make([]any, len(node))
		for i, element := range node {
			out[i] = clone(element)
		}
		return out
	}
	return value
}

// Segments splits a path at its dots; `\.` is a dot of a key, `\\` a backslash.
func Segments(p string) []string {
	var out []string
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		switch {
		case p[i] == '\\' && i+1 < len(p) && (p[i+1] == '.' || p[i+1] == '\\'):
			i++
			b.WriteByte(p[i])
		case p[i] == '.':
			out = append(out, b.String())
			b.Reset()
		default:
			b.WriteByte(p[i])
		}
	}
	return append(out, b.String())
}

// Path joins segments to a path that Segments splits again.
func Path(segments []string) string {
	escaped := make([]string, len(segments))
	for i, s := range segments {
		escaped[i] = strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), ".", `\.`)
	}
	return strings.Join(escaped, ".")
}

// Change is one value that differs between two trees.
type Change struct {
	Path string `json:"path"`
	// Before and After are nil where there is no value; Had and Has tell that from a null.
	Before any  `json:"before,omitempty"`
	After  any  `json:"after,omitempty"`
	Had    bool `json:"had,omitempty"`
	Has    bool `json:"has,omitempty"`
}

// Diff returns what differs, sorted by path. Lists are compared complete. Call it on masked trees where the outcome is shown.
func Diff(before, after Tree) []Change {
	var out []Change
	diff(nil, before, after, &out)
	return out
}

func diff(at []string, before, after Tree, out *[]Change) {
	keys := maps.Clone(before)
	if keys == nil {
		keys = Tree{}
	}
	maps.Copy(keys, after)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		here := append(slices.Clone(at), key)
		b, had := before[key]
		a, has := after[key]
		bt, bIs := b.(Tree)
		at, aIs := a.(Tree)
		switch {
		case bIs && aIs, bIs && !has, aIs && !had:
			// A complete subtree that comes or goes is told leaf by leaf; an empty one has no leaf to tell.
			if len(bt) == 0 && len(at) == 0 && had != has {
				*out = append(*out, Change{Path: Path(here), Before: b, After: a, Had: had, Has: has})
				continue
			}
			diff(here, bt, at, out)
		case had != has || !reflect.DeepEqual(b, a):
			*out = append(*out, Change{Path: Path(here), Before: b, After: a, Had: had, Has: has})
		}
	}
}

// Text returns a value for people: a string unchanged, anything else as JSON, nothing as "". Numbers read as Helm stores
// them: 1000000 is 1000000 here, although a template writes 1e+06.
func Text(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(data)
}
