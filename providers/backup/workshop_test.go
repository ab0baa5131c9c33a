package backup_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/gofrs/flock"
)

// What a run that was killed left in the clear is gone after the next drill; what another run works in stays.
func TestWhatAKilledRunLeftIsRemoved(t *testing.T) {
	s := newSite(t, "restore")
	for _, name := range []string{"upkeep-bundle-killed", "upkeep-bundle-working", "somebody-elses"} {
		if err := os.Mkdir(filepath.Join(s.temp, name), 0o700); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{"lock", "snapshot.db"} {
			if err := os.WriteFile(filepath.Join(s.temp, name, file), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	working := flock.New(filepath.Join(s.temp, "upkeep-bundle-working", "lock"))
	if held, err := working.TryLock(); err != nil || !held {
		t.Fatal(held, err)
	}
	defer working.Close()
	if err := s.run(s.due()[0]); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(s.temp)
	if err != nil || len(left) != 2 || left[0].Name() != "somebody-elses" || left[1].Name() != "upkeep-bundle-working" {
		t.Errorf("left: %v, %v", left, err)
	}
}
