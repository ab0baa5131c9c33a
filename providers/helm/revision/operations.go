package revision

import (
	"context"
	"fmt"

	"upkeep/providers"
	"upkeep/providers/helm/pending"
)

// Repairer marks the pending revision of a release as failed, if it is still the one that is named.
type Repairer interface {
	Repair(ctx context.Context, namespace, name string, m pending.Repair) error
}

// Repair is the operation of a step that repairs a release. It changes the cluster.
type Repair struct {
	Releases Repairer // nil where the configuration has no cluster
}

// Run implements providers.Operation.
func (o Repair) Run(ctx context.Context, step providers.Step, _ providers.Progress) error {
	args, err := providers.ArgsOf[RepairArgs](step)
	if err != nil {
		return err
	}
	ground, err := Planned(step)
	if err != nil {
		return err
	}
	switch {
	case ground.Status == "":
		return fmt.Errorf("%s: the plan does not say in which state the release was; plan again", step.ID)
	case o.Releases == nil:
		return providers.ErrNoCluster
	}
	return o.Releases.Repair(ctx, args.Namespace, args.Release, pending.Repair{Action: args.Action, Revision: *ground.Revision, Status: ground.Status})
}
