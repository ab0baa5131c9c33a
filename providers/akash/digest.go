package akash

import (
	"encoding/json"
	"fmt"

	"upkeep/providers"
	"upkeep/providers/helm/values"
)

// digestArgs is what of a step's arguments a digest covers: all but what stands for the values that the block keeps
// secret, which is another text under the key of every state.
func digestArgs(resource providers.Resource, step providers.Step) (json.RawMessage, error) {
	if step.Operation != OperationUpgrade {
		return step.Args, nil
	}
	spec, ok := resource.(Spec)
	if !ok {
		return nil, fmt.Errorf("%s is no akash_provider", resource.Address())
	}
	return values.DigestArgs(step.Args, spec.Sealed)
}
