package main

import (
	"context"

	"upkeep/cmd/upkeep/wiring"
	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/akash"
	"upkeep/providers/backup"
	"upkeep/providers/certificates"
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
		wiring.Fenced(akash.Operations(providing), fence),
		wiring.Fenced(release.Operations(charts), fence),
	} {
		for name, operation := range domain {
			all[name] = operation
		}
	}
	return all
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
