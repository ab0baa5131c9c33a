package backup_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/gofrs/flock"

	"upkeep/providers/backup"
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

// Sweep takes nothing that another user may have made: whoever runs upkeep as root must not be led to other places by it.
func TestSweepLeavesAloneWhatOthersMayHaveMade(t *testing.T) {
	parent, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "made")
	for name, mode := range map[string]os.FileMode{"upkeep-bundle-open": 0o755, "upkeep-bundle-link": 0o700, "upkeep-bundle-killed": 0o700} {
		path := filepath.Join(parent, name)
		if err := os.Mkdir(path, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		lock := filepath.Join(path, "lock")
		if name == "upkeep-bundle-link" {
			if err := os.Symlink(elsewhere, lock); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(lock, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := backup.Sweep(parent); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(parent)
	if err != nil || len(left) != 2 || left[0].Name() != "upkeep-bundle-link" || left[1].Name() != "upkeep-bundle-open" {
		t.Errorf("left: %v, %v", left, err)
	}
	if _, err := os.Lstat(elsewhere); err == nil {
		t.Error("a file was made where a link pointed")
	}
}
