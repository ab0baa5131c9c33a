package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upkeep/fixtures/fakecluster"
	"upkeep/providers/backup/bundle"
	"upkeep/providers/store"
)

const placeOfBackups = `
etcd_backup "daily" {
  unencrypted = "a test"
  verify      = "hash"
  store "file" {
    path = "backups"
  }
}
`

// planted writes a bundle that nobody signed and returns its id.
func (p place) planted(address string) string {
	p.t.Helper()
	s, err := store.File(filepath.Join(p.directory, "backups"))
	if err != nil {
		p.t.Fatal(err)
	}
	const id = "daily-cafe-20261122T110000Z-00000001"
	_, err = bundle.Save(context.Background(), s, id, bundle.Options{}, func(w *bundle.Writer) (bundle.Manifest, error) {
		m := bundle.Manifest{ID: id, Address: address, TakenAt: placeNow.Add(-time.Hour), Revision: 1, Keys: 1}
		part, err := w.Part("etcd/snapshot.db")
		if err != nil {
			return m, err
		}
		if _, err := io.WriteString(part, "a database"); err != nil {
			return m, err
		}
		return m, part.Close()
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return id
}

func (p place) damaged(id string, name func(string) string) {
	p.t.Helper()
	path := filepath.Join(p.directory, "backups", name(id))
	data, err := os.ReadFile(path)
	if err != nil {
		p.t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// TestExitCodesOfBackups walks the commands about bundles through what a store can be: what nobody proves, what is damaged and
// what cannot be read never looks like success.
func TestExitCodesOfBackups(t *testing.T) {
	t.Setenv("PATH", fakecluster.SSH(t)+string(os.PathListSeparator)+os.Getenv("PATH"))
	for name, test := range map[string]struct {
		make func(place) string
		// The codes of list, show, verify, verify -all, restore; and of take, -1: it is not tried.
		list, show, verify, all, restore, take int
	}{
		"no bundle": {
			make: func(place) string { return latest },
			show: 1, verify: 1, all: 1, restore: 1, take: -1,
		},
		"nobody signed it": {
			make: func(p place) string { return p.planted("etcd_backup.daily") },
			list: 1, show: 1, verify: 1, all: 1, restore: 1, take: -1,
		},
		"of another block": {
			make:   func(p place) string { return p.planted("etcd_backup.weekly") },
			verify: 1, all: 1, restore: 1, take: -1,
		},
		"its bytes are damaged": {
			make: func(p place) string {
				id := p.planted("etcd_backup.daily")
				p.damaged(id, bundle.Name)
				return id
			},
			list: 1, show: 1, verify: 1, all: 1, restore: 1, take: -1,
		},
		"its label is damaged": {
			make: func(p place) string {
				id := p.planted("etcd_backup.daily")
				p.damaged(id, bundle.LabelName)
				return id
			},
			list: 1, show: 1, verify: 1, all: 1, restore: 1, take: -1,
		},
		"the store is a file": {
			make: func(p place) string { p.write("backups", ""); return latest },
			list: 1, show: 1, verify: 1, all: 1, restore: 1, take: 1,
		},
		"others can write to the store": {
			make: func(p place) string {
				if err := os.Mkdir(filepath.Join(p.directory, "backups"), 0o700); err != nil {
					p.t.Fatal(err)
				}
				if err := os.Chmod(filepath.Join(p.directory, "backups"), 0o777); err != nil {
					p.t.Fatal(err)
				}
				return latest
			},
			list: 1, show: 1, verify: 1, all: 1, restore: 1, take: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			p.write("backup.upkeep.hcl", placeOfBackups)
			id := test.make(p)
			for _, c := range []struct {
				line string
				want int
			}{
				{"backup list", test.list},
				{"backup list -json", test.list},
				{"backup show " + id, test.show},
				{"backup verify " + id, test.verify},
				{"backup verify -all", test.all},
				{"backup verify -all -json", test.all},
				{"backup verify -all daily", test.all},
				{"backup restore -to=$D/out " + id, test.restore},
				{"backup take -auto-approve", test.take},
				{"backup take -auto-approve daily", test.take},
				{"backup list none", 1},
				{"backup verify -all none", 1},
			} {
				if c.want < 0 {
					continue
				}
				code, stdout, stderr := p.upkeep(c.line)
				if code != c.want {
					t.Errorf("%s: exit %d, want %d\n%s%s", c.line, code, c.want, stdout, stderr)
				}
				if strings.Contains(c.line, " -json") {
					checkStatus(t, c.line, code, stdout)
				}
				if code == 1 && stderr == "" && !strings.Contains(stdout, "ERROR") && !strings.Contains(stdout, "UNKNOWN") && !strings.Contains(stdout, `"status"`) {
					t.Errorf("%s exits 1 and says no reason:\n%s", c.line, stdout)
				}
			}
		})
	}
}
