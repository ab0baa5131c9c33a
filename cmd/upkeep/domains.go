package main

import (
	"context"
	"encoding/json"
	"maps"

	"upkeep/cmd/upkeep/wiring"
	"upkeep/planner"
	"upkeep/providers"
	"upkeep/providers/akash"
	"upkeep/providers/backup"
	"upkeep/providers/certificates"
	clusterhealth "upkeep/providers/cluster"
	"upkeep/providers/driver"
	"upkeep/providers/facts"
	"upkeep/providers/nvidia"
	"upkeep/providers/reboot"
	"upkeep/providers/release"
)

// domain is a domain: what it declares, and how its operations are made of a run's tools.
type domain struct {
	declares providers.Type
	acts     func(tools) map[string]providers.Operation
}

// every lists every domain; a new one is one line here.
func every() []domain {
	return []domain{
		{certificates.Type(), certificateOperations},
		{backup.Type(), backupOperations},
		{akash.Type(), akashOperations},
		{release.Type(), releaseOperations},
		{nvidia.Type(), nvidiaOperations},
		{reboot.Type(), rebootOperations},
		{driver.Type(), driverOperations},
	}
}

// tools are what the operations of one run act with; each domain takes what it needs of them.
type tools struct {
	workspace
	plan planner.Plan
	// caller sends requests to nodes. Its fence is asked once more before anything else is touched: requests to nodes ask for
	// themselves, as their session begins.
	caller wiring.Caller
	// look observes what a step needs, now.
	look func(context.Context, providers.Step) (providers.Input, error)
	// remember changes the section of a resource in the memory; it returns when the change is stored.
	remember func(context.Context, facts.Address, func(json.RawMessage) (json.RawMessage, error)) error
	// sign signs a statement with the key of the state.
	sign func(statement []byte) facts.Signature
}

// domains lists what every domain declares.
func domains() (types []providers.Type) {
	for _, d := range every() {
		types = append(types, d.declares)
	}
	return types
}

// operations lists the code that changes something. apply alone calls this.
func operations(t tools) map[string]providers.Operation {
	all := map[string]providers.Operation{}
	for _, d := range every() {
		maps.Copy(all, d.acts(t))
	}
	return all
}

// findingDocs declares every finding that upkeep can report. Where two domains report the same one, it is here twice.
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
