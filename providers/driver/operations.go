package driver

import (
	"context"
	"encoding/json"
	"time"

	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/node/protocol"
)

// Caller sends one request to the helper of a node.
type Caller interface {
	Call(ctx context.Context, node, method string, request, result any, progress func(string)) error
}

// Tools are what the operations act with.
type Tools struct {
	Caller Caller
	// Remember changes the section of a resource in the state's memory; it returns when the change is stored.
	Remember func(ctx context.Context, owner facts.Address, change func(json.RawMessage) (json.RawMessage, error)) error
	Now      func() time.Time
}

// Operations returns the domain's own operations.
func Operations(tools Tools) map[string]providers.Operation {
	return map[string]providers.Operation{
		OperationDownload: operation{tools.Caller, download}, OperationPackages: operation{tools.Caller, install},
		OperationProve: operation{tools.Caller, look}, OperationRecord: recording{tools}, OperationSoak: waiting{},
	}
}

// recording writes to the state that the driver works on a model.
type recording struct{ tools Tools }

// Run runs the step.
func (o recording) Run(ctx context.Context, step providers.Step, _ providers.Progress) error {
	return o.tools.Remember(ctx, step.Address.Resource(), func(old json.RawMessage) (json.RawMessage, error) {
		return Remember(old, step, o.tools.Now())
	})
}

// waiting does nothing: its step waits before it would run, and is done by then.
type waiting struct{}

// Run runs the step.
func (waiting) Run(context.Context, providers.Step, providers.Progress) error { return nil }

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
