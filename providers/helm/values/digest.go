package values

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
)

// DigestArgs is what of the arguments of an upgrade a digest covers: all but what stands under "values" for the values
// that a block keeps secret (their paths), which is another text under the key of every state. An error says that the
// arguments are no JSON object.
func DigestArgs[V any](args json.RawMessage, sealed map[string]V) (json.RawMessage, error) {
	if len(sealed) == 0 {
		return args, nil
	}
	in := json.NewDecoder(bytes.NewReader(args))
	in.UseNumber() // a large number must not become another one
	out := map[string]any{}
	if err := in.Decode(&out); err != nil {
		return nil, err
	}
	if tree, ok := out["values"].(map[string]any); ok {
		for _, at := range slices.Sorted(maps.Keys(sealed)) {
			if _, set := Get(tree, at); set {
				Put(tree, Segments(at), "(sensitive)")
			}
		}
	}
	return json.Marshal(out)
}
