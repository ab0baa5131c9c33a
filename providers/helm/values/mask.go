package values

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Rule says which values may be shown. A text may be a secret unless it is known not to be one: a release has values
// that upkeep did not write, under names that nobody can foresee.
type Rule struct {
	// Secret are the paths of secrets. In a path the segment `*` is any key or index, and other segments may hold the
	// wildcards of path.Match. A list or a map at such a path is one secret.
	Secret []string
	// Show are the paths of texts that are no secrets, in the same form. They name no element of a list: another element
	// may be there tomorrow.
	Show []string
	// Known are texts that are no secrets wherever they stand.
	Known []string
	// Keys are keys of maps that are no secrets wherever they stand. The keys in Secret and Show are known, too.
	Keys []string
}

// The words in a key's name that make its value a secret although somebody shows its path.
var suspicious = []string{"password", "passwd", "passphrase", "secret", "token", "apikey", "api_key", "privatekey", "private_key", "credential", "authpem", "mnemonic"}

// Suspicious reports whether a key's or variable's name looks like that of a secret. It errs towards secrecy, and what
// it does not find is no more known for it.
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

// carries are texts that hold a credential whatever their path: a URL with a user's password (RFC 3986, 3.2.1), and a
// private key in PEM (RFC 7468).
var carries = regexp.MustCompile(`://[^/?#\s@]*:[^/?#\s]*@|-----BEGIN [A-Z ]*PRIVATE KEY-----`)

// Carries reports whether a text holds a credential that can be told by its form.
func Carries(text string) bool { return carries.MatchString(text) }

// Harmless reports whether a text is a number or a boolean, or is empty.
func Harmless(text string) bool {
	if _, err := strconv.ParseFloat(text, 64); err == nil && len(text) <= 12 {
		return true
	}
	return text == "" || text == "true" || text == "false"
}

// rule is a Rule that is ready.
type rule struct {
	secret, show [][]string
	known, keys  map[string]bool
}

func (r Rule) ready() rule {
	ready := rule{known: map[string]bool{}, keys: map[string]bool{}}
	for _, key := range r.Keys {
		ready.keys[key] = true
	}
	for _, p := range slices.Concat(r.Secret, r.Show) {
		for _, key := range Segments(p) {
			ready.keys[key] = true
		}
	}
	for _, p := range r.Secret {
		ready.secret = append(ready.secret, Segments(p))
	}
	for _, p := range r.Show {
		ready.show = append(ready.show, Segments(p))
	}
	for _, text := range r.Known {
		ready.known[text] = true
	}
	return ready
}

// secretAt reports whether what stands at a path is a secret.
func (r rule) secretAt(at []string) bool {
	return matches(at, r.secret) || len(at) > 0 && Suspicious(at[len(at)-1])
}

// shows reports whether a text at a path, which is no secret's, is known.
func (r rule) shows(at []string, text string) bool {
	return text == "" || text == "true" || text == "false" || !Carries(text) && (r.known[text] || matches(at, r.show))
}

// Mask replaces by its seal everything that is a secret, and every text and every key that is not known not to be one.
// Numbers, booleans and nulls stay where no path makes them secrets.
func Mask(tree Tree, show Rule, mac MAC) Tree {
	masked, _ := show.ready().mask(tree, nil, mac, false).(Tree)
	return masked
}

func (r rule) mask(value any, at []string, mac MAC, secret bool) any {
	secret = secret || r.secretAt(at)
	switch node := value.(type) {
	case Tree:
		if len(node) > 0 && matches(at, r.secret) {
			return Seal(mac, value) // its keys may be secrets, too
		}
		out := make(Tree, len(node))
		for _, key := range slices.Sorted(maps.Keys(node)) {
			out[r.maskedKey(key, mac, out)] = r.mask(node[key], append(slices.Clone(at), key), mac, secret)
		}
		return out
	case []any:
		if secret {
			return Seal(mac, value)
		}
		out := make([]any, len(node))
		for i, below := range node {
			out[i] = r.mask(below, append(slices.Clone(at), strconv.Itoa(i)), mac, false)
		}
		return out
	case nil, bool:
		return value // "not set" and "enabled" are no secrets
	case string:
		if node != "" && (secret || !r.shows(at, node)) {
			return Seal(mac, value)
		}
		return value
	}
	if secret {
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

// shortest is the shortest text that is looked for elsewhere: a shorter one is in too many words.
const shortest = 6

// Secrets returns the texts that are secrets by their path, their name or their form, of at least six characters,
// sorted. The one who writes something derived from the values elsewhere can look for them.
func Secrets(tree Tree, paths []string) []string {
	r := Rule{Secret: paths}.ready()
	return texts(tree, func(at []string, text string, secret bool) bool {
		return len(text) >= shortest && (secret || Carries(text))
	}, r)
}

// Unknown returns the texts, of at least six characters, that are no secrets by what anybody says and that nobody
// knows, sorted.
func Unknown(tree Tree, show Rule) []string {
	r := show.ready()
	return texts(tree, func(at []string, text string, secret bool) bool {
		return len(text) >= shortest && !secret && !Harmless(text) && !r.shows(at, text)
	}, r)
}

// Known returns the texts of a block's own values that are no secrets, sorted.
func Known(tree Tree, secrets []string) []string {
	r := Rule{Secret: secrets}.ready()
	return texts(tree, func(at []string, text string, secret bool) bool { return text != "" && !secret && !Carries(text) }, r)
}

func texts(tree Tree, wanted func(at []string, text string, secret bool) bool, r rule) []string {
	found := map[string]bool{}
	r.visit(tree, nil, false, false, func(at []string, text string, secret bool) {
		if wanted(at, text, secret) {
			found[text] = true
		}
	})
	return slices.Sorted(maps.Keys(found))
}

func (r rule) visit(value any, at []string, secret, keys bool, see func(at []string, text string, secret bool)) {
	secret = secret || r.secretAt(at)
	switch node := value.(type) {
	case Tree:
		keys = keys || matches(at, r.secret)
		for key, below := range node {
			if keys {
				see(at, key, true)
			}
			r.visit(below, append(slices.Clone(at), key), secret, keys, see)
		}
	case []any:
		for i, below := range node {
			r.visit(below, append(slices.Clone(at), strconv.Itoa(i)), secret, keys, see)
		}
	case string:
		see(at, node, secret)
	}
}
