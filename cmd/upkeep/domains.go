package main

import (
	"context"
	"fmt"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/providers"
	"upkeep/providers/akash"
	"upkeep/providers/backup"
	"upkeep/providers/certificates"
	clusterhealth "upkeep/providers/cluster"
	"upkeep/providers/release"
)

// domains lists every domain; a new one is one line here.
func domains() []providers.Type {
	return []providers.Type{
		certificates.Type(),
		backup.Type(),
		akash.Type(),
		release.Type(),
	}
}

// operations lists the code that changes something. apply alone calls this.
// fence is asked once more before a release is touched: certificates' requests ask for themselves, as their session begins.
func operations(caller certificates.Caller, fence func(context.Context) error, backups backup.Tools, providing akash.Tools, charts release.Tools) map[string]providers.Operation {
	all := map[string]providers.Operation{}
	for _, domain := range []map[string]providers.Operation{
		certificates.Operations(caller),
		backup.Operations(backups),
		fenced(akash.Operations(providing), fence),
		fenced(release.Operations(charts), fence),
	} {
		for name, operation := range domain {
			all[name] = operation
		}
	}
	return all
}

// findingDocs documents every finding that upkeep can report. Where two domains report the same one, it is here twice.
func findingDocs(types []providers.Type) []providers.FindingDoc {
	docs := planner.FindingDocs()
	for _, t := range types {
		docs = append(docs, t.Findings...)
	}
	return append(docs, clusterhealth.Findings()...)
}

// findingIDs lists what an ignore block may name.
func findingIDs(types []providers.Type) (ids []string) {
	for _, doc := range findingDocs(types) {
		ids = append(ids, doc.ID)
	}
	return ids
}

// effects lists the pure meaning of every operation.
func effects(types []providers.Type) map[string]providers.Effect {
	all := map[string]providers.Effect{}
	for _, t := range types {
		for name, effect := range t.Effects {
			all[name] = effect
		}
	}
	return all
}

func blockTypes(types []providers.Type) []config.BlockType {
	var out []config.BlockType
	for _, t := range types {
		out = append(out, t.BlockType)
	}
	return out
}

// fenced returns operations that ask whether the run still holds its locks before they do anything: between the executor's
// question and this the journal was written, and a process may have been paused for as long as another run took.
func fenced(operations map[string]providers.Operation, fence func(context.Context) error) map[string]providers.Operation {
	if fence == nil {
		return operations
	}
	out := make(map[string]providers.Operation, len(operations))
	for name, operation := range operations {
		out[name] = fencedOperation{operation, fence}
	}
	return out
}

type fencedOperation struct {
	providers.Operation
	fence func(context.Context) error
}

// Run implements providers.Operation.
func (o fencedOperation) Run(ctx context.Context, step providers.Step, progress providers.Progress) error {
	if err := o.fence(ctx); err != nil {
		return fmt.Errorf("nothing was done: %w", err)
	}
	return o.Operation.Run(ctx, step, progress)
}
