package nvidia

import (
	"context"
	"fmt"
	"time"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// Cordoner cordons nodes under a mark of upkeep's. What somebody else has cordoned it leaves unchanged, with an
// error.
type Cordoner interface {
	Cordon(ctx context.Context, node string, mark facts.Cordon) error
}

// Tools are what the operations work with.
type Tools struct {
	Nodes Cordoner
	// Run names the run, Who the person; the mark holds both.
	Run, Who string
	Now      func() time.Time
}

// Operations returns the operations of this domain.
func Operations(t Tools) map[string]providers.Operation {
	return map[string]providers.Operation{OperationQuarantine: cordoning{t}}
}

type cordoning struct{ Tools }

// Run cordons the node of a step.
func (c cordoning) Run(ctx context.Context, step providers.Step, progress providers.Progress) error {
	args, err := providers.ArgsOf[quarantineArgs](step)
	if err != nil {
		return err
	}
	if c.Nodes == nil {
		return fmt.Errorf("cordoning %s: %w", args.Object, providers.ErrNoCluster)
	}
	progress.Say("cordoning %s", args.Object)
	return c.Nodes.Cordon(ctx, args.Object, facts.Cordon{
		By: step.Address.Resource().String(), Run: c.Tools.Run, Who: c.Who, Why: args.Reason,
		Since: c.Now().UTC().Truncate(time.Second),
	})
}
