package downtime

import (
	"context"
	"fmt"
	"time"

	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/node/protocol"
)

// Nodes changes nodes of the cluster.
type Nodes interface {
	// Cordon cordons a node under a mark. What somebody else has cordoned it leaves unchanged, with an error.
	Cordon(ctx context.Context, node string, mark facts.Cordon) error
	// Mark returns upkeep's mark on a node; nil where there is none.
	Mark(ctx context.Context, node string) (*facts.Cordon, error)
	// Uncordon uncordons a node that carries this very mark, and takes the mark away.
	Uncordon(ctx context.Context, node string, mark facts.Cordon) error
	// Drain evicts the pods of a node, and returns when they have ended.
	Drain(ctx context.Context, node string, how Eviction, progress func(string)) error
}

// Eviction is how a node is drained.
type Eviction struct {
	EmptyDir, Bare, Tenants bool
	Limit                   time.Duration
}

// Caller sends one request to the helper of a node.
type Caller interface {
	Call(ctx context.Context, node, method string, request, result any, progress func(string)) error
}

// Tools are what the operations work with.
type Tools struct {
	// Nodes is nil where the configuration has no cluster.
	Nodes  Nodes
	Caller Caller
	// Run names the run, Who the person; the mark holds both.
	Run, Who string
	Now      func() time.Time
}

// Operations returns the operations.
func Operations(t Tools) map[string]providers.Operation {
	out := map[string]providers.Operation{}
	for name, do := range map[string]func(Tools, context.Context, providers.Step, args, providers.Progress) error{
		OperationCordon: Tools.cordon, OperationDrain: Tools.drain, OperationReboot: Tools.reboot,
		OperationUncordon: Tools.uncordon,
	} {
		out[name] = operation{t, do}
	}
	return out
}

type operation struct {
	Tools
	do func(Tools, context.Context, providers.Step, args, providers.Progress) error
}

// Run runs the step.
func (o operation) Run(ctx context.Context, step providers.Step, progress providers.Progress) error {
	a, err := providers.ArgsOf[args](step)
	if err != nil {
		return err
	}
	if o.Nodes == nil {
		return fmt.Errorf("%s: %w", step.Summary, providers.ErrNoCluster)
	}
	return o.do(o.Tools, ctx, step, a, progress)
}

func (t Tools) cordon(ctx context.Context, step providers.Step, a args, progress providers.Progress) error {
	progress.Say("cordoning %s", a.Object)
	return t.Nodes.Cordon(ctx, a.Object, facts.Cordon{
		By: step.Address.Resource().String(), Run: t.Run, Who: t.Who, Why: a.Reason,
		Since: t.Now().UTC().Truncate(time.Second),
	})
}

func (t Tools) drain(ctx context.Context, _ providers.Step, a args, progress providers.Progress) error {
	return t.Nodes.Drain(ctx, a.Object, Eviction{
		EmptyDir: a.Policy.EmptyDir, Bare: a.Policy.Bare, Tenants: a.Policy.Leases == LeasesInterrupt,
		Limit: time.Duration(a.Policy.DrainTimeout),
	}, func(line string) { progress.Say("%s", line) })
}

// reboot returns when the node is back, and says nothing of what it runs: that is for the proof.
func (t Tools) reboot(ctx context.Context, step providers.Step, _ args, progress providers.Progress) error {
	was, err := providers.GroundOf[ground](step)
	if err != nil {
		return err
	}
	if was.BootID == "" {
		return fmt.Errorf("reboot %s: the plan does not say which boot must end; plan again", step.Node)
	}
	var result protocol.RebootResult
	request := protocol.RebootRequest{Step: step.ID, BootID: was.BootID}
	return t.Caller.Call(ctx, step.Node, protocol.MethodReboot, request, &result,
		func(line string) { progress.Say("%s", line) })
}

// uncordon looks again whose cordon it is, and uncordons only the block's own.
func (t Tools) uncordon(ctx context.Context, step providers.Step, a args, progress providers.Progress) error {
	mark, err := t.Nodes.Mark(ctx, a.Object)
	switch {
	case err != nil:
		return err
	case mark == nil:
		return fmt.Errorf("uncordon %s: the node carries no mark of upkeep's, so the cordon is somebody else's", a.Object)
	case mark.Unknown != "" || mark.By != step.Address.Resource().String():
		return fmt.Errorf("uncordon %s: the mark is not that of %s, so the node stays cordoned", a.Object,
			step.Address.Resource())
	}
	progress.Say("uncordoning %s", a.Object)
	return t.Nodes.Uncordon(ctx, a.Object, *mark)
}
