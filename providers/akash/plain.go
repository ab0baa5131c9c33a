package akash

import (
	"encoding/json"
	"strings"

	"upkeep/providers/helm/values"
)

// plainJSON writes values down, the placeholders of sensitive ones included.
func plainJSON(tree map[string]any) string {
	data, err := json.MarshalIndent(tree, "", "  ")
	if err != nil {
		return "{}"
	}
	return string(data)
}

// sealedIn returns the paths of the placeholders of sensitive values.
func sealedIn(tree map[string]any) []string {
	var out []string
	for _, c := range values.Diff(nil, tree) {
		if text, ok := c.After.(string); ok && strings.HasPrefix(text, values.Sealed) {
			out = append(out, c.Path)
		}
	}
	return out
}
