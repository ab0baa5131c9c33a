package akash

import (
	"slices"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// SecondNeeds asks for the prices of scripts that nobody published, for the definitions that a text behind a URL
// names, once that is known, and for who listens on the gateway's ports, where the step over 16.0.0 is ahead and the
// cluster does not tell. With measure it asks the running pod.
func (s Spec) SecondNeeds(world facts.World, inventory providers.Inventory, measure bool) providers.Needs {
	needs := providers.Needs{
		Kubernetes: providers.KubernetesNeeds{Definitions: s.furtherDefinitions(world)},
		Nodes:      s.furtherNodes(world, inventory),
		Prices:     s.furtherPrices(world),
	}
	if measure {
		return needs.And(s.MeasurementNeeds(world))
	}
	return needs
}

func (s Spec) furtherDefinitions(world facts.World) []string {
	if s.Definitions == nil || s.Definitions.URL == "" {
		return nil
	}
	text, err := s.Definitions.text(world.Downloads)
	if err != nil {
		return nil
	}
	list, err := readDefinitions(text)
	if err != nil {
		return nil
	}
	var out []string
	for _, d := range list {
		if !slices.Contains(akashDefinitions, d.Name) && !slices.Contains(out, d.Name) {
			out = append(out, d.Name)
		}
	}
	return out
}

func (s Spec) furtherNodes(world facts.World, inventory providers.Inventory) []providers.NodeNeed {
	release := world.Release(s.Namespace, s.Release)
	if s.Chart == nil || release.Unknown != "" || release.Missing || !stepsOverGateway(release.Chart.Version,
		s.Chart.Version) {
		return nil
	}
	var out []providers.NodeNeed
	ground, _ := groundOfPorts(world)
	find := inventory.Finder()
	for _, node := range ground.nodes {
		if declared, ok := find(node.node); ok && len(node.open) > 0 {
			out = append(out, providers.NodeNeed{
				Nodes: config.Selection{Names: []string{declared.Name}}, Question: facts.Question{Ports: node.open},
			})
		}
	}
	return out
}
