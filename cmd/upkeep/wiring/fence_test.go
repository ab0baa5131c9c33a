package wiring_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upkeep/cmd/upkeep/wiring"
	"upkeep/state"
	"upkeep/state/local"
)

// Nothing is sent to a node unless the locks last for as long as the node may take it.
func TestTheFenceWantsTime(t *testing.T) {
	for _, test := range []struct {
		ttl  time.Duration
		want string
	}{{2 * time.Minute, ""}, {20 * time.Second, "a request may be in progress for 30s; no new step starts"}} {
		backend, err := local.New(filepath.Join(t.TempDir(), "upkeep.state.json"), local.Options{})
		if err != nil {
			t.Fatal(err)
		}
		lock, err := backend.Lock(t.Context(), state.LockRequest{Operation: "apply", TTL: test.ttl})
		if err != nil {
			t.Fatal(err)
		}
		err = wiring.Fence(lock, nil)(t.Context())
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("a lock that lasts %s: %v", test.ttl, err)
		}
		if err := lock.Unlock(); err != nil {
			t.Fatal(err)
		}
		if err := wiring.Fence(lock, nil)(t.Context()); err == nil {
			t.Error("a lock that was given back lets a request through")
		}
	}
}
