package renew

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever a crash, a disk or a person left: what repairing does ends in a whole certificate.
func TestDecideAlwaysEndsWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		files := rapid.IntRange(1, 2).Draw(t, "files")
		news := rapid.IntRange(0, files).Draw(t, "new")
		olds := rapid.IntRange(0, files-news).Draw(t, "old")
		e := examined{Files: files, New: news, Old: olds, Intact: rapid.Bool().Draw(t, "intact")}
		// The new files fit together, verified before they were recorded. The old ones usually do, and others may.
		e.Complete = news == files || rapid.Bool().Draw(t, "whole")
		what, why := decide(e)
		if why == "" {
			t.Error("no reason given")
		}
		switch what {
		case keepNew:
			if news != files {
				t.Errorf("%+v: keeps new files that are not there", e)
			}
		case keepOld:
			if !e.Complete {
				t.Errorf("%+v: keeps files that do not fit together", e)
			}
		case finish:
			if !e.Intact {
				t.Errorf("%+v: installs damaged files", e)
			}
			if e.Complete && news+olds < files {
				t.Errorf("%+v: overwrites somebody else's work, which is whole", e)
			}
		case restore:
			if e.Intact || e.Complete {
				t.Errorf("%+v: goes back although it need not", e)
			}
		}
	})
}

func TestDecideTable(t *testing.T) {
	for _, c := range []struct {
		name string
		e    examined
		want action
	}{
		{"all in place", examined{Files: 2, New: 2, Intact: true, Complete: true}, keepNew},
		{"all in place, stage damaged", examined{Files: 2, New: 2, Complete: true}, keepNew},
		{"not begun", examined{Files: 2, Old: 2, Intact: true, Complete: true}, finish},
		{"half", examined{Files: 2, New: 1, Old: 1, Intact: true}, finish},
		{"not begun, stage damaged", examined{Files: 2, Old: 2, Complete: true}, keepOld},
		{"half, stage damaged", examined{Files: 2, New: 1, Old: 1}, restore},
		{"renewed by hand", examined{Files: 2, Intact: true, Complete: true}, keepOld},
		{"a mixture", examined{Files: 2, New: 1, Intact: true}, finish},
		{"nothing there, stage damaged", examined{Files: 1}, restore},
	} {
		if got, why := decide(c.e); got != c.want {
			t.Errorf("%s: %d (%s), want %d", c.name, got, why, c.want)
		}
	}
}

func TestIdentifier(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := identifier(rapid.String().Draw(t, "step"), rapidTime)
		if err := checkIdentifier(id); err != nil {
			t.Errorf("made %q, and refuses it: %v", id, err)
		}
	})
	if got, want := identifier("certificates.control_plane@cp1/renew", rapidTime), "certificates.control_plane@cp1-renew-20261122T093000.000Z"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzConfiguration(f *testing.F) {
	f.Add("apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\netcd: {local: {dataDir: /x}}\n")
	f.Add("---\n---\nkind: ClusterConfiguration")
	f.Add("kind: ClusterConfiguration\napiVersion: kubeadm.k8s.io/v1beta3\netcd: {external: {}}\n...\n---\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseConfiguration(text)
		if err != nil {
			return
		}
		file, err := c.File(Node{Name: "cp1", AdvertiseAddress: "10.0.0.11", Port: "6443"})
		if err != nil {
			t.Fatal(err)
		}
		docs := splitDocuments(string(file))
		if len(docs) != 2 {
			t.Fatalf("%d documents:\n%s", len(docs), file)
		}
		if _, err := ParseConfiguration(docs[0]); err != nil {
			t.Fatalf("what was written is refused: %v\n%s", err, docs[0])
		}
	})
}

var rapidTime = time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)
