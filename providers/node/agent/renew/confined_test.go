package renew_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"upkeep/providers/node/agent/host"
	"upkeep/providers/node/agent/unit"
	"upkeep/providers/node/protocol"
)

// confined starts units as hostOf does and keeps how systemd would confine them.
type confined struct {
	unit.Detached
	terms *[]unit.Terms
}

func (c confined) Start(ctx context.Context, id string, terms unit.Terms) error {
	*c.terms = append(*c.terms, terms)
	return c.Detached.Start(ctx, id, terms)
}

// standing is what a write changes of each file and directory below a node's "/".
func standing(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		found[strings.TrimPrefix(p, dir)] = fmt.Sprint(info.Mode(), info.Size(), info.ModTime().UnixNano(), info.Sys().(*syscall.Stat_t).Ino)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// What each method writes is inside the places that its unit may write to, in every place where a kubeconfig may lie.
// (static_pod.restart, which writes nowhere but in upkeep's own directory, is in package host.)
func TestUnitsWriteWhereTheyMay(t *testing.T) {
	for _, test := range []struct {
		name, dies string
		// then is what is done after the renewal that died.
		then func(t *testing.T, s *host.Session, dir string) error
	}{
		{"renew", "never", nil},
		{"repair", "install:apiserver:rename:1", func(t *testing.T, s *host.Session, dir string) error {
			_, err := host.Carry(t.Context(), s, protocol.Repair, protocol.RepairRequest{Run: runOf(5), Intent: observe(t, dir).Unfinished[0].ID}, nil)
			return err
		}},
		{"undo", "install:apiserver:rename:1", func(t *testing.T, s *host.Session, dir string) error {
			for _, m := range traces(t, dir).Marks.Found {
				if _, err := host.Carry(t.Context(), s, protocol.Undo, protocol.UndoRequest{Run: runOf(5), Mark: m.ID}, nil); err != nil {
					return err
				}
			}
			return nil
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir, q, _ := dying(t)
			q.Run = runOf(4)
			for _, p := range []string{"/home/ops/.kube/config", "/opt/deploy/kubeconfig"} {
				copyOfAdmin(t, dir, strings.TrimPrefix(p, "/"), func(text string) string { return text })
				q.Kubeconfigs = append(q.Kubeconfigs, p)
			}
			var terms []unit.Terms
			session := func(die string) *host.Session {
				return host.New(host.Options{Root: dir, Kubeadm: os.Args[0], Start: confined{
					unit.Detached{Command: []string{os.Args[0], "perform-and-die", dir, die}}, &terms,
				}}).Session("ops")
			}
			before := standing(t, dir)
			_, err := host.Carry(t.Context(), session(test.dies), protocol.Renew, q, nil)
			if (err == nil) != (test.then == nil) {
				t.Fatalf("renewing: %v", err)
			}
			if test.then != nil {
				before, terms = standing(t, dir), nil
				if err := test.then(t, session("never"), dir); err != nil {
					t.Fatal(err)
				}
			}
			written := 0
			for p, now := range standing(t, dir) {
				if before[p] == now {
					continue
				}
				written++
				if !slices.ContainsFunc(terms, func(u unit.Terms) bool { return may(u.Hardening, p) }) {
					t.Errorf("%s was written, and no unit may write there: %+v", p, terms)
				}
			}
			if written < 5 || len(terms) == 0 {
				t.Errorf("%d files were written by %d units: nothing was seen", written, len(terms))
			}
		})
	}
}

// may reports whether a confined unit may write to a path. The node's own root and the directories above upkeep's are there
// before a unit starts: the session makes them.
func may(h protocol.Hardening, p string) bool {
	for _, at := range append([]string{"/var/lib/upkeep"}, h.Writes...) {
		if p == at || strings.HasPrefix(p, at+"/") || strings.HasPrefix("/var/lib/upkeep", p) {
			return true
		}
	}
	return false
}
