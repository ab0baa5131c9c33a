package main

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/rogpeppe/go-internal/testscript"

	"upkeep/state"
	"upkeep/state/journal"
	"upkeep/state/local"
	"upkeep/state/spill"
)

// fullJournal takes the start of a run, and then no more.
type fullJournal struct{ state.Journal }

func (j fullJournal) Append(records ...journal.Record) error {
	if records[0].Kind == journal.RunStarted {
		return j.Journal.Append(records...)
	}
	return errors.New("no space left on device")
}

// spilled leaves what a run of a plan leaves whose journal took no more: spilled PLANFILE.
func spilled(ts *testscript.TestScript, _ bool, args []string) {
	var plan struct{ ID, Digest string }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &plan))
	backend, err := local.New(ts.MkAbs("upkeep.state.json"), local.Options{})
	ts.Check(err)
	lock, err := backend.Lock(context.Background(), state.LockRequest{Operation: "apply"})
	ts.Check(err)
	opened, history, err := lock.Journal(context.Background(), plan.ID)
	ts.Check(err)
	record := spill.Guard(fullJournal{opened}, history, spill.Place{
		Directories: []string{ts.MkAbs(".upkeep")}, Lineage: lock.State().Lineage, Plan: plan.ID, Key: lock.State().Key,
	})
	at := clockOf(ts)
	ts.Check(record.Append(journal.Record{At: at, Kind: journal.RunStarted, Plan: plan.ID, Digest: plan.Digest, Lineage: lock.State().Lineage}))
	var full *journal.SpilledError
	if err := record.Append(journal.Record{At: at, Kind: journal.StepSkipped, Step: "s", Text: "already so"}); !errors.As(err, &full) {
		ts.Fatalf("the journal took it: %v", err)
	}
	ts.Check(record.Append(journal.Record{At: at, Kind: journal.RunEnded, Outcome: "partial"}))
	ts.Check(record.Close())
	ts.Check(lock.Unlock())
}
