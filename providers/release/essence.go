package release

import (
	"bytes"
	"encoding/json"
	"fmt"

	"upkeep/providers"
	"upkeep/providers/helm/values"
)

// essence is what of a step's arguments a digest covers: all but what stands for the values that the block keeps secret,
// which is another text under the key of every state.
func essence(resource providers.Resource, step providers.Step) (json.RawMessage, error) {
	if step.Operation != OperationUpgrade {
		return step.Args, nil
	}
	spec, ok := resource.(Spec)
	switch {
	case !ok:
		return nil, fmt.Errorf("%s is no helm_release", resource.Address())
	case len(spec.Sealed) == 0:
		return step.Args, nil
	}
	in := json.NewDecoder(bytes.NewReader(step.Args))
	in.UseNumber() // a large number must not become another one
	args := map[string]any{}
	if err := in.Decode(&args); err != nil {
		return nil, err
	}
	if tree, ok := args["values"].(map[string]any); ok {
		for at := range spec.Sealed {
			if _, set := values.Get(tree, at); set {
				values.Put(tree, values.Segments(at), "(sensitive)")
			}
		}
	}
	return json.Marshal(args)
}
