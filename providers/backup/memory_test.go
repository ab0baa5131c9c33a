package backup_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"upkeep/providers/backup"
	"upkeep/providers/facts"
	"upkeep/state"
)

// A state of the first format had all proofs in one list.
func TestProofsOfAnOldStateAreRead(t *testing.T) {
	data, err := os.ReadFile("../../state/testdata/version1.json")
	if err != nil {
		t.Fatal(err)
	}
	s, err := state.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	of := func(a facts.Address) string {
		found, err := backup.Remembered(s.Memory, a)
		if err != nil {
			t.Fatal(err)
		}
		var bundles []string
		for _, p := range found {
			bundles = append(bundles, p.Bundle+" "+p.Level+" "+p.TakenAt.Format(time.TimeOnly))
		}
		return strings.Join(bundles, ", ")
	}
	if got := of(daily); got != "daily-1 hash 03:09:00, daily-2 restore 02:10:00" {
		t.Errorf("daily: %s", got)
	}
	if got := of(facts.Address{Type: "etcd_backup", Name: "sites", Key: "berlin"}); got != "weekly-1 restore 03:10:00" {
		t.Errorf("sites: %s", got)
	}
}

// What a newer upkeep wrote is neither believed nor overwritten: no backup counts, none is taken, and the words say why.
func TestMemoryOfANewerUpkeep(t *testing.T) {
	in := input(stored{id: "b1", age: time.Hour, proved: "restore"})
	in.Memory.Sections[daily] = json.RawMessage(`{"version":3,"proved":[]}`)
	out := declared().Diff(in)
	found, steps := summary(out)
	if len(steps) > 0 || !strings.Contains(strings.Join(found, "\n"), "upgrade upkeep") {
		t.Errorf("findings %q, steps %q", found, steps)
	}
	var newer *facts.NewerSectionError
	if _, err := backup.WithProofs(daily, in.Memory.Sections[daily], facts.Proof{Bundle: "b2"}); !errors.As(err, &newer) {
		t.Errorf("written: %v", err)
	}
}
