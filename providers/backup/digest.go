package backup

import (
	"cmp"
	"encoding/json"
	"fmt"

	"upkeep/providers"
)

// digestArgs is what of a step's arguments a digest covers, and the store that the step works on, as the configuration names
// it.
func digestArgs(resource providers.Resource, step providers.Step) (json.RawMessage, error) {
	spec, ok := resource.(Spec)
	if !ok {
		return nil, fmt.Errorf("%s is no etcd_backup", resource.Address())
	}
	args, err := lastingArgs(step)
	if err != nil {
		return nil, err
	}
	store := spec.Store
	store.Path = cmp.Or(store.Written, store.Path)
	return json.Marshal(struct {
		Args  any    `json:"args"`
		Store string `json:"store"`
	}{args, store.String()})
}

// lastingArgs are the arguments of a step without the names of bundles and of leftovers: these contain the time at which they
// were written. Which bundles are removed follows from the policy, which is covered.
func lastingArgs(step providers.Step) (any, error) {
	switch step.Operation {
	case OperationProve:
		args, err := providers.ArgsOf[proveArgs](step)
		args.Bundle = ""
		return args, err
	case OperationPrune:
		args, err := providers.ArgsOf[pruneArgs](step)
		args.Remove, args.Leftovers = nil, nil
		return args, err
	default:
		return providers.ArgsOf[json.RawMessage](step)
	}
}
