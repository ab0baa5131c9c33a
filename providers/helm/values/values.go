// Package values is the arithmetic of Helm values: merging, removing, comparing and masking trees as JSON knows them.
//
// It is pure and knows neither Helm nor a cluster. No function writes into its arguments, and what a function returns
// shares no map or list with them. Secrets are replaced by Mask before a tree goes anywhere that a person or a file sees.
package values

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
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

// Merge lays wanted over kept: maps are merged key by key; everything else, lists too, is replaced whole. A null that is
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

// Diff returns what differs, sorted by path. Lists are compared whole. Call it on masked trees where the outcome is shown.
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
			// A whole subtree that comes or goes is told leaf by leaf; an empty one has no leaf to tell.
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

// Text returns a value for people: a string as it is, anything else as JSON, nothing as "". Numbers read as Helm stores
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

// The words in a key's name that make its value a secret although nobody said so.
var suspicious = []string{"password", "passwd", "passphrase", "secret", "token", "apikey", "api_key", "privatekey", "private_key", "credential", "authpem", "mnemonic"}

// Suspicious reports whether a key's or variable's name looks like that of a secret. It errs towards secrecy.
func Suspicious(name string) bool {
	name = strings.ToLower(name)
	name = strings.ReplaceAll(name, "-", "_")
	for _, word := range suspicious {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// Mask replaces every scalar and list at the given paths, and every one whose key is Suspicious, by its seal. In a path
// the segment `*` is any key or index, and other segments may hold the wildcards of path.Match.
func Mask(tree Tree, paths []string, mac MAC) Tree {
	patterns := make([][]string, len(paths))
	for i, p := range paths {
		patterns[i] = Segments(p)
	}
	masked, _ := mask(tree, nil, patterns, mac, false).(Tree)
	return masked
}

func mask(value any, at []string, patterns [][]string, mac MAC, secret bool) any {
	secret = secret || matches(at, patterns) || len(at) > 0 && Suspicious(at[len(at)-1])
	switch node := value.(type) {
	case Tree:
		out := make(Tree, len(node))
		for key, below := range node {
			out[key] = mask(below, append(slices.Clone(at), key), patterns, mac, secret)
		}
		return out
	case []any:
		if secret {
			return Seal(mac, value)
		}
		out := make([]any, len(node))
		for i, below := range node {
			out[i] = mask(below, append(slices.Clone(at), strconv.Itoa(i)), patterns, mac, false)
		}
		return out
	case nil, bool:
		return value // "not set" and "enabled" are no secrets
	}
	if secret && value != "" {
		return Seal(mac, value)
	}
	return value
}

func matches(at []string, patterns [][]string) bool {
	for _, pattern := range patterns {
		if len(pattern) != len(at) {
			continue
		}
		ok := true
		for i, segment := range pattern {
			if match, err := path.Match(segment, at[i]); segment != at[i] && (err != nil || !match) {
				ok = false
				break
			}
		}
		if ok {
			return true
		}
	}
	return false
}

// Secrets returns the texts that Mask would replace: strings of at least six characters at the given paths or under a
// Suspicious key, sorted. Whoever writes something derived from the values elsewhere can look for them.
func Secrets(tree Tree, paths []string) []string {
	patterns := make([][]string, len(paths))
	for i, p := range paths {
		patterns[i] = Segments(p)
	}
	found := map[string]bool{}
	collect(tree, nil, patterns, false, found)
	return slices.Sorted(maps.Keys(found))
}

func collect(value any, at []string, patterns [][]string, secret bool, found map[string]bool) {
	secret = secret || matches(at, patterns) || len(at) > 0 && Suspicious(at[len(at)-1])
	switch node := value.(type) {
	case Tree:
		for key, below := range node {
			collect(below, append(slices.Clone(at), key), patterns, secret, found)
		}
	case []any:
		for i, below := range node {
			collect(below, append(slices.Clone(at), strconv.Itoa(i)), patterns, secret, found)
		}
	case string:
		if secret && len(node) >= 6 {
			found[node] = true
		}
	}
}
