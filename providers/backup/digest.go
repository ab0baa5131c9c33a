package backup

import (
	"cmp"
	"encoding/json"
	"fmt"

	"upkeep/providers"
)

// digestArgs is what of a step's arguments a digest covers, and the store that the step works on, as the configuration names it. The ids of bundles contain
// the time at which they were taken; which of them are removed follows from the policy, which is covered.
func digestArgs(resource providers.Resource, step providers.Step) (json.RawMessage, error) {
	spec, ok := resource.(Spec)
	if !ok {
		return nil, fmt.Errorf("%s is no etcd_backup", resource.Address())
	}
	args, err := providers.ArgsOf[map[string]json.RawMessage](step)
	if err != nil {
		return nil, err
	}
	switch step.Operation {
	case OperationProve:
		delete(args, "bundle")
	case OperationPrune:
		delete(args, "remove")
		delete(args, "scraps")
	}
	store := spec.Store
	store.Path = cmp.Or(store.Written, store.Path)
	return json.Marshal(struct {
		Args  map[string]json.RawMessage `json:"args"`
		Store string                     `json:"store"`
	}{args, store.String()})
}
