package driver

import (
	"context"

	"upkeep/providers"
	"upkeep/providers/node/protocol"
)

// Caller sends one request to the helper of a node.
type Caller interface {
	Call(ctx context.Context, node, method string, request, result any, progress func(string)) error
}

// Operations returns the domain's own operations.
func Operations(caller Caller) map[string]providers.Operation {
	return map[string]providers.Operation{
		OperationDownload: operation{caller, download}, OperationPackages: operation{caller, install},
		OperationProve: operation{caller, look},
	}
}

type operation struct {
	caller Caller
	do     func(context.Context, Caller, providers.Step, args, providers.Progress) error
}

// Run runs the step.
func (o operation) Run(ctx context.Context, step providers.Step, progress providers.Progress) error {
	a, err := providers.ArgsOf[args](step)
	if err != nil {
		return err
	}
	return o.do(ctx, o.caller, step, a, progress)
}

func download(ctx context.Context, caller Caller, step providers.Step, a args, progress providers.Progress) error {
	request := protocol.DownloadRequest{Step: step.ID, Change: a.Change}
	return caller.Call(ctx, step.Node, protocol.MethodDownload, request, &protocol.DownloadResult{},
		func(line string) { progress.Say("%s", line) })
}

func install(ctx context.Context, caller Caller, step providers.Step, a args, progress providers.Progress) error {
	request := protocol.InstallRequest{Step: step.ID, Change: a.Change, Installs: a.Installs, Removes: a.Removes,
		Hold: a.Hold}
	return caller.Call(ctx, step.Node, protocol.MethodInstall, request, &protocol.InstallResult{},
		func(line string) { progress.Say("%s", line) })
}

// look changes nothing: the executor observes the node afterwards, again and again until the driver is proved or the
// time is over.
func look(_ context.Context, _ Caller, step providers.Step, a args, progress providers.Progress) error {
	progress.Say("looking for driver %s on %s", a.Version, step.Node)
	return nil
}
