package observe

import (
	"context"

	"golang.org/x/sync/errgroup"

	"upkeep/config"
	"upkeep/providers/facts"
)

// stored asks the members' nodes for the cluster's own configuration while the API does not tell it: each for what its
// own member of etcd holds, in one request.
func (o *Observer) stored(
	ctx context.Context, members []string, byName map[string]config.Node, world *facts.World,
) facts.Kubernetes {
	answers := make([]facts.ConfigurationAnswer, len(members))
	var group errgroup.Group
	for i, name := range members {
		answers[i].Node = name
		if asked := world.Nodes[name]; asked != nil && asked.Unknown != "" {
			answers[i].Unknown = asked.Unknown
			continue
		}
		group.Go(func() error {
			found, err := o.Nodes.Stored(ctx, byName[name])
			if err != nil {
				found = facts.ConfigurationSources{Unknown: err.Error()}
			}
			answers[i].ConfigurationSources = found
			return nil
		})
	}
	_ = group.Wait() // a node that failed says why in its answer
	return o.Kubernetes.FromNodes(world.Kubernetes, answers)
}
