package certificates

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"upkeep/providers"
	"upkeep/providers/node/protocol"
)

// Caller sends one request to the helper of a node and reads its answer into result. Progress receives the lines that the
// helper sends at the same time; it may be nil.
type Caller interface {
	Call(ctx context.Context, node, method string, request, result any, progress func(string)) error
}

// Operations returns the operations of this domain by name. They change the nodes: hand them to apply alone.
func Operations(c Caller) map[string]providers.Operation {
	return map[string]providers.Operation{
		OperationRepair:  repair{c},
		OperationRenew:   renew{c},
		OperationRestart: restart{c},
		OperationService: restartService{c},
	}
}

// restartTimeout is how long the helper waits for a new container, in seconds. The API server's graceful stop alone took 47.
const restartTimeout = 180

type repair struct{ caller Caller }

func (o repair) Run(ctx context.Context, step providers.Step, progress providers.Progress) error {
	ground, err := providers.GroundOf[repairGround](step)
	if err != nil {
		return err
	}
	if len(ground.Unfinished) == 0 {
		return fmt.Errorf("%s: the plan does not say which renewal to repair; plan again", step.ID)
	}
	var failures []error
	for _, intent := range ground.Unfinished {
		var result protocol.RepairResult
		request := protocol.RepairRequest{Step: step.ID, Intent: intent}
		if err := o.caller.Call(ctx, step.Node, protocol.MethodRepair, request, &result, progress); err != nil {
			// One whose record is damaged must not keep the others in halves.
			failures = append(failures, fmt.Errorf("repair renewal %s on %s: %w", intent, step.Node, err))
			continue
		}
		if len(result.Installed) > 0 {
			progress.Say("finished %s", strings.Join(result.Installed, ", "))
		}
		if len(result.Discarded) > 0 {
			progress.Say("undid %s", strings.Join(result.Discarded, ", "))
		}
	}
	return errors.Join(failures...)
}

type renew struct{ caller Caller }

func (o renew) Run(ctx context.Context, step providers.Step, progress providers.Progress) error {
	args, ground, err := decoded[renewArgs, renewGround](step)
	if err != nil {
		return err
	}
	request := protocol.RenewRequest{
		Step: step.ID, Names: args.Names, Kubeconfigs: args.Kubeconfigs, ClusterConfiguration: args.ClusterConfiguration,
		Serials: make(map[string]string, len(args.Names)), Layout: args.Layout, SANs: args.SANs,
		Outage: args.Outage,
	}
	for _, name := range args.Names {
		if rank(name) == notRenewable {
			return fmt.Errorf("%s: %q is not a certificate that kubeadm renews", step.ID, name)
		}
		planned, ok := ground.certificate(name)
		if !ok {
			return fmt.Errorf("%s: the plan does not say which %s it was made for; plan again", step.ID, name)
		}
		request.Serials[name] = planned.Serial
	}
	var result protocol.RenewResult
	if err := o.caller.Call(ctx, step.Node, protocol.MethodRenew, request, &result, progress); err != nil {
		return fmt.Errorf("%s on %s: %w", step.Summary, step.Node, err)
	}
	if result.Archive != "" {
		progress.Say("what stood there before is in %s", result.Archive)
	}
	return nil
}

type restartService struct{ caller Caller }

func (o restartService) Run(ctx context.Context, step providers.Step, progress providers.Progress) error {
	args, ground, err := decoded[serviceArgs, serviceGround](step)
	if err != nil {
		return err
	}
	var result protocol.RestartServiceResult
	request := protocol.RestartServiceRequest{Step: step.ID, Service: args.Service, Invocation: ground.Invocation, Aside: args.Aside}
	if err := o.caller.Call(ctx, step.Node, protocol.MethodRestartService, request, &result, progress); err != nil {
		return fmt.Errorf("restart %s on %s: %w", args.Service, step.Node, err)
	}
	progress.Say("%s runs as invocation %s", args.Service, short(result.Invocation))
	return nil
}

type restart struct{ caller Caller }

// Run restarts one component after the other; an error leaves those that follow unchanged.
func (o restart) Run(ctx context.Context, step providers.Step, progress providers.Progress) error {
	args, ground, err := decoded[restartArgs, restartGround](step)
	if err != nil {
		return err
	}
	for _, component := range args.Components {
		container, ok := ground.Containers[component]
		if !ok && !args.Outage {
			return fmt.Errorf("%s: the plan does not say which container of %s it was made for; plan again", step.ID, component)
		}
		var result protocol.RestartResult
		request := protocol.RestartRequest{
			Step: step.ID, Component: component, ContainerID: container, Stale: args.Outage, TimeoutSeconds: restartTimeout,
		}
		if err := o.caller.Call(ctx, step.Node, protocol.MethodRestart, request, &result, progress); err != nil {
			return fmt.Errorf("restart %s on %s: %w", component, step.Node, err)
		}
		progress.Say("%s runs as %s", component, short(result.ContainerID))
	}
	return nil
}
