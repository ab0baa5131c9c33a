package values

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"upkeep/config"
)

// Wanted is the values that a block wants, with its secrets apart. Its JSON has none: what goes into a plan says what
// stands for each of them, and the one who applies the plan takes the secrets from the configuration again.
type Wanted struct {
	// Values are those that are no secrets.
	Values Tree `json:"values,omitempty"`
	// Sealed says what stands for each secret, by its path. Before Seal the texts are empty.
	Sealed map[string]string `json:"sealed,omitempty"`

	secrets map[string]config.Secret // JSON, by path
}

// Part takes a tree of values apart the way in which observation masks one (Mask): what stands at a sensitive path is
// one secret, keys included. What stands under a key that looks like a secret's is secret, text by text and list by
// list, and so is a text that carries a credential; a list that holds a secret is one in all its parts. Nulls, booleans
// and empty texts are no secrets. So both sides of a comparison have the same seals in the same places.
//
// sensitive are the paths that the configuration or the chart's documentation says are.
func Part(tree Tree, sensitive [][]string) Wanted {
	secrets := map[string]config.Secret{}
	var w Wanted
	if plain, _ := part(tree, nil, sensitive, false, secrets).(Tree); len(plain) > 0 {
		w.Values = plain
	}
	if len(secrets) > 0 {
		w.secrets, w.Sealed = secrets, make(map[string]string, len(secrets))
		for at := range secrets {
			w.Sealed[at] = ""
		}
	}
	return w
}

// removed stands for a value that went to the secrets.
type removed struct{}

func part(value any, at []string, sensitive [][]string, secret bool, secrets map[string]config.Secret) any {
	secret = secret || isSecret(at, sensitive)
	switch node := value.(type) {
	case Tree:
		if len(node) > 0 && slices.ContainsFunc(sensitive, func(path []string) bool { return slices.Equal(path, at) }) {
			break // its keys may be secrets, too
		}
		out := Tree{}
		for key, below := range node {
			kept := part(below, append(slices.Clone(at), key), sensitive, secret, secrets)
			if _, gone := kept.(removed); !gone {
				out[key] = kept
			}
		}
		return out
	case []any:
		if !secret && !hides(node, at, sensitive) {
			return node
		}
	case nil, bool:
		return value
	case string:
		if node == "" || !secret && !Carries(node) {
			return value
		}
	default:
		if !secret {
			return value
		}
	}
	data, err := json.Marshal(value)
	if err != nil {
		return value // values came out of JSON
	}
	secrets[Path(at)] = config.NewSecret(string(data))
	return removed{}
}

func isSecret(at []string, sensitive [][]string) bool {
	return len(at) > 0 && Suspicious(at[len(at)-1]) ||
		slices.ContainsFunc(sensitive, func(path []string) bool { return slices.Equal(path, at) })
}

// hides reports whether a list holds a secret.
func hides(list []any, at []string, sensitive [][]string) bool {
	inside := map[string]config.Secret{}
	for i, element := range list {
		part(element, append(slices.Clone(at), strconv.Itoa(i)), sensitive, false, inside)
	}
	return len(inside) > 0
}

// HoldsSecrets reports whether there are secrets, whether they are here or not.
func (w Wanted) HoldsSecrets() bool { return len(w.Sealed) > 0 }

// Keys are the keys of all values that the block says. Its author has shown them.
func (w Wanted) Keys() []string {
	found := map[string]bool{}
	keysIn(w.Values, found)
	for at := range w.Sealed {
		for _, key := range Segments(at) {
			found[key] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// SecretMaps are the paths of the secrets that are maps. A release has there what the block says and nothing else: the
// map that it had is removed first, or what the two give together would be neither one's secret.
func (w Wanted) SecretMaps() []string {
	return slices.DeleteFunc(w.Paths(), func(at string) bool {
		value, _ := w.secret(at)
		_, is := value.(Tree)
		return !is
	})
}

// Show are the paths of the values that the block says and that are no secrets: what a release has there may be shown.
// None is inside a list.
func (w Wanted) Show() []string {
	var out []string
	for _, c := range Diff(nil, w.Values) {
		if _, ok := c.After.([]any); !ok {
			out = append(out, c.Path)
		}
	}
	return out
}

// Known are the texts that the block says and that are no secrets.
func (w Wanted) Known() []string { return Known(w.Values, nil) }

// Paths are the paths of the secrets, sorted.
func (w Wanted) Paths() []string { return slices.Sorted(maps.Keys(w.Sealed)) }

// Seal returns the values with the secrets of another reading of the same configuration, and with what mac makes of
// each standing for it.
func (w Wanted) Seal(from Wanted, mac MAC) (Wanted, error) {
	sealed := make(map[string]string, len(w.Sealed))
	secrets := make(map[string]config.Secret, len(w.Sealed))
	for _, at := range w.Paths() {
		secret, ok := from.secrets[at]
		if !ok {
			return Wanted{}, fmt.Errorf("the sensitive value %s is no longer in the configuration; make a new plan", at)
		}
		text := Sealed + mac([]byte(secret.Reveal()))
		if was := w.Sealed[at]; was != "" && was != text {
			return Wanted{}, fmt.Errorf("the sensitive value %s is another one than when the plan was made; make a new plan", at)
		}
		sealed[at], secrets[at] = text, secret
	}
	w.Sealed, w.secrets = sealed, secrets
	return w, nil
}

// Seals returns what stands for the secrets, by their paths.
func (w Wanted) Seals() map[string]string { return w.Sealed }

// Resealed returns the values with what stood for their secrets at another time. What was not known then is unknown.
func (w Wanted) Resealed(seals map[string]string) Wanted {
	sealed := make(map[string]string, len(w.Sealed))
	for at := range w.Sealed {
		sealed[at] = cmp.Or(seals[at], unknownSeal)
	}
	w.Sealed = sealed
	return w
}

// Masked returns all values, with what stands for the secrets in their place.
func (w Wanted) Masked() Tree {
	out := Clone(w.Values)
	for _, at := range w.Paths() {
		Put(out, Segments(at), w.Sealed[at])
	}
	return out
}

// All returns all values with the secrets. Those that a restored plan does not have are left out.
func (w Wanted) All() Tree {
	out := Clone(w.Values)
	for _, at := range w.Paths() {
		if value, ok := w.secret(at); ok {
			Put(out, Segments(at), value)
		}
	}
	return out
}

func (w Wanted) secret(at string) (value any, ok bool) {
	err := json.Unmarshal([]byte(w.secrets[at].Reveal()), &value)
	return value, err == nil
}

// Reveal puts the secrets in the place of what stands for them in the values of a plan. What is not what the plan was
// made with is an error.
func (w Wanted) Reveal(planned Tree) (Tree, error) {
	out := Clone(planned)
	for _, at := range w.Paths() {
		if text, ok := Get(out, at); !ok || w.Sealed[at] == "" || text != w.Sealed[at] {
			return nil, fmt.Errorf("the sensitive value %s is another one than when the plan was made; plan again", at)
		}
		value, ok := w.secret(at)
		if !ok {
			return nil, fmt.Errorf("the sensitive value %s is not in the configuration; plan again", at)
		}
		Put(out, Segments(at), value)
	}
	for _, c := range Diff(nil, out) {
		if _, known := w.Sealed[c.Path]; !known && IsSealed(c.After) {
			return nil, fmt.Errorf("the value %s is a secret that the configuration does not have; plan again", c.Path)
		}
	}
	return out, nil
}

// Put sets one value in a tree, which the caller owns.
func Put(tree Tree, path []string, value any) {
	for _, segment := range path[:len(path)-1] {
		below, ok := tree[segment].(Tree)
		if !ok {
			below = Tree{}
			tree[segment] = below
		}
		tree = below
	}
	tree[path[len(path)-1]] = value
}
