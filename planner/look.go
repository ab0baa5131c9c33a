package planner

import (
	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// Needs says what must be looked at for a step: what its effect needs and, whatever that is, what tells which cluster this
// is and which machine the step's node is. Without these the check for the right cluster would find nothing to compare, and
// pass. A step without an effect stands for its complete block.
func Needs(effect providers.Effect, in providers.Input, step providers.Step) providers.Needs {
	var needs providers.Needs
	if effect != nil {
		needs = effect.Needs(in, step)
	} else {
		needs = providers.NeedsOfResource(in, step)
	}
	identity := providers.Needs{Kubernetes: providers.KubernetesNeeds{Cluster: true}}
	if step.Node != "" {
		// Every answer of a node has its machine id.
		identity.Nodes = []providers.NodeNeed{{Nodes: config.Selection{Names: []string{step.Node}}, Question: facts.Question{Authorities: true}}}
	}
	return needs.And(identity)
}

// Input is what the request's pure decisions depend on, with the declared blocks as the caller has them: what is known before
// anything is looked at for a step.
func (r Request) Input(resources []providers.Resource) providers.Input {
	in := r.input()
	in.Resources = make(map[providers.Address]providers.Resource, len(resources))
	for _, resource := range resources {
		in.Resources[resource.Address()] = resource
	}
	return in
}
