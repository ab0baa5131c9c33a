package values

import (
	"encoding/json"
	"strings"
)

// IsSealed reports whether a value stands for a secret.
func IsSealed(value any) bool {
	text, ok := value.(string)
	return ok && strings.HasPrefix(text, Sealed)
}

// SealedIn returns the paths of the values that stand for secrets.
func SealedIn(tree Tree) []string {
	var out []string
	for _, c := range Diff(nil, tree) {
		if IsSealed(c.After) {
			out = append(out, c.Path)
		}
	}
	return out
}

// JSON writes values down for a person, with what stands for secrets in their place.
func JSON(tree Tree) string {
	data, err := json.MarshalIndent(tree, "", "  ")
	if err != nil {
		return "{}" // a tree came out of JSON
	}
	return string(data)
}

// Hidden says how a value changes of which no text may be seen.
func (c Change) Hidden() (before, after string) {
	const hidden = "(sensitive)"
	switch {
	case c.Had && c.Has:
		return hidden, hidden + ", another one"
	case c.Had:
		return hidden, ""
	case c.Has:
		return "", hidden
	}
	return "", ""
}
