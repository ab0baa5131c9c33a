package providers

import (
	"errors"
	"reflect"
	"slices"

	"upkeep/config"
)

// ErrNoCluster says why nothing can be asked of a cluster, or changed in it.
var ErrNoCluster = errors.New("the configuration has no cluster block; write cluster { kubeconfig = \"~/.kube/config\" }")

// NeedsOfResource is what the whole block of a step needs: the answer of Effect.Needs where the step's neighbours matter, as
// the other control planes and etcd do for a control plane. Once the block's first needs are answered it asks what the
// block wants to know in its second stage. Of a block that is not declared nothing is asked.
func NeedsOfResource(in Input, step Step) Needs {
	resource, declared := in.Resources[step.Address.Resource()]
	if !declared {
		return Needs{}
	}
	needs := resource.Needs()
	if staged, ok := resource.(Staged); ok {
		needs = needs.And(staged.SecondNeeds(in.World, in.Inventory))
	}
	return needs
}

// NeedsOfNode is what the block of a step needs, but of the nodes only the step's own is asked, and etcd, which is reached
// through nodes, is not: the answer of Effect.Needs for a step that its neighbours do not matter to.
func NeedsOfNode(in Input, step Step) Needs {
	needs := NeedsOfResource(in, step)
	needs.Etcd = false
	needs.Nodes = slices.DeleteFunc(slices.Clone(needs.Nodes), func(need NodeNeed) bool {
		selected, _ := in.Inventory.Select(need.Nodes)
		return !slices.ContainsFunc(selected, func(n config.Node) bool { return n.Name == step.Node })
	})
	for i := range needs.Nodes {
		needs.Nodes[i].Nodes = config.Selection{Names: []string{step.Node}}
	}
	return needs
}

// And returns what both need: lists one after the other, and what either asks for.
func (n Needs) And(other Needs) Needs {
	both(reflect.ValueOf(&n).Elem(), reflect.ValueOf(other))
	return n
}

// both adds the lists and flags of a struct to those of another, and writes into no list. A field of any other kind has no
// sum, and its type does not belong into Needs.
func both(into, from reflect.Value) {
	switch into.Kind() {
	case reflect.Struct:
		for i := range into.NumField() {
			both(into.Field(i), from.Field(i))
		}
	case reflect.Bool:
		into.SetBool(into.Bool() || from.Bool())
	default: // a slice, or a panic that TestAnd sees
		into.Set(reflect.AppendSlice(into.Slice3(0, into.Len(), into.Len()), from))
	}
}
