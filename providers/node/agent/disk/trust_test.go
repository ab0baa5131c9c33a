package disk

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What another user owns is not trusted, whoever this process runs as.
func TestAnotherOwnerIsNotTrusted(t *testing.T) {
	self, other := os.Geteuid(), os.Geteuid()+4321
	for _, c := range []struct {
		name   string
		uid    int
		owners []int
		want   bool
	}{
		{"root", 0, nil, true}, {"this user", self, nil, true}, {"another user", other, nil, false},
		{"another user whose own it is", other, []int{other}, true}, {"a third user", other + 1, []int{other}, false},
	} {
		err := trusted("/p", Info{Mode: 0o755, UID: c.uid}, c.owners)
		if (err == nil) != c.want || err != nil && !strings.Contains(err.Error(), "who could exchange its contents") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// The same with a real file of another user, where this process may make one.
func TestAnotherUsersDirectory(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "home/.kube"), 0o755); err != nil {
		t.Fatal(err)
	}
	owner := os.Geteuid()
	if owner == 0 {
		owner = 4321
		if err := os.Chown(filepath.Join(root, "home"), owner, owner); err != nil {
			t.Fatal(err)
		}
	}
	d, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	dir, err := d.Dir("/home/.kube")
	if err != nil {
		t.Fatal(err)
	}
	if err := dir.Trust(); (err == nil) != (owner == os.Geteuid()) {
		t.Errorf("owned by %d: %v", owner, err)
	}
	if err := dir.Trust(owner); err != nil {
		t.Errorf("owned by %d, whose it may be: %v", owner, err)
	}
}
