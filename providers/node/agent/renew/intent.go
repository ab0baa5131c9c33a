package renew

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"upkeep/providers/facts"
	"upkeep/providers/layout"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/pki"
	"upkeep/providers/node/agent/store"
	"upkeep/providers/strictjson"
)

// intentVersion is the version of the record's form.
const intentVersion = 1

// maxIntent is far above what all certificates of a node and a thousand copies need.
const maxIntent = 1 << 20

// Intent is what a renewal records, durably, before it changes the first file. How far it came is not recorded but
// read off the disk, where it cannot be wrong: a file is the old one, the new one, or somebody else's.
type Intent struct {
	Version int       `json:"version"`
	Step    string    `json:"step"`
	Started time.Time `json:"started"`
	// Archive is the path of the PKI as it was.
	Archive string  `json:"archive"`
	Groups  []Group `json:"groups"`
}

// Group is the files of one certificate, which must be exchanged all or none: a key and its certificate.
type Group struct {
	Name string `json:"name"`
	// Serial and Ends are the new certificate's.
	Serial string         `json:"serial"`
	Ends   time.Time      `json:"ends"`
	Files  []IntendedFile `json:"files"`
}

// IntendedFile is one file of a group. Staged is the new file's name next to the record; Before and After are SHA-256.
type IntendedFile struct {
	Path   string      `json:"path"`
	Staged string      `json:"staged"`
	Before string      `json:"before"`
	After  string      `json:"after"`
	Mode   fs.FileMode `json:"mode"`
	UID    int         `json:"uid"`
	GID    int         `json:"gid"`
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

func newIntent(step string, now time.Time, archive string, done []renewed) Intent {
	record := Intent{Version: intentVersion, Step: step, Started: now.UTC().Truncate(time.Millisecond), Archive: archive}
	for i, r := range done {
		g := Group{Name: r.name, Serial: r.serial, Ends: r.ends}
		for j, f := range r.files {
			g.Files = append(g.Files, IntendedFile{
				Path: f.old.path, Staged: fmt.Sprintf("%d.%d.new", i, j), Before: sum(f.old.data), After: sum(f.data),
				Mode: f.old.info.Mode.Perm(), UID: f.old.info.UID, GID: f.old.info.GID,
			})
		}
		record.Groups = append(record.Groups, g)
	}
	return record
}

// write makes the intent durable: the new files first, then the record that names them.
func (r *Renewer) write(s *state, id string, record Intent, done []renewed) error {
	r.at("intent:mkdir")
	dir, err := store.Private(s.intents, id)
	if err != nil {
		return err
	}
	for i, g := range record.Groups {
		for j, f := range g.Files {
			r.at("intent:stage:%s", f.Staged)
			if err := dir.WriteFile(f.Staged, 0o600, done[i].files[j].data); err != nil {
				return err
			}
		}
	}
	text, err := json.MarshalIndent(record, "", "  ")
	if err != nil {
		return err
	}
	r.at("intent:record")
	if err := dir.WriteFile(intentFile, 0o600, text); err != nil {
		return err
	}
	r.at("intent:recorded")
	return nil
}

// readIntent reads a record and checks what repairing relies on.
func readIntent(dir *disk.Dir, l layout.Layout) (Intent, error) {
	var record Intent
	if err := dir.Trust(); err != nil {
		return record, err
	}
	text, _, err := dir.Read(intentFile, maxIntent)
	if err != nil {
		return record, err
	}
	if err := strictjson.DecodeKnown(text, &record); err != nil {
		return Intent{}, fmt.Errorf("%s cannot be parsed: %w", path.Join(dir.Path(), intentFile), err)
	}
	if record.Version != intentVersion {
		return Intent{}, fmt.Errorf("%s is of version %d; this program knows %d: repair with the version of upkeep that began", path.Join(dir.Path(), intentFile), record.Version, intentVersion)
	}
	for _, g := range record.Groups {
		for _, f := range g.Files {
			if _, err := disk.Clean(f.Path); err != nil || path.Base(f.Staged) != f.Staged || f.Staged == intentFile {
				return Intent{}, fmt.Errorf("%s names files that no renewal names", path.Join(dir.Path(), intentFile))
			}
		}
		if entry, ok := l.Lookup(g.Name); ok && g.Files[len(g.Files)-1].Path != entry.Path {
			return Intent{}, fmt.Errorf("%s: %s is not at %s", path.Join(dir.Path(), intentFile), g.Name, g.Files[len(g.Files)-1].Path)
		}
	}
	return record, nil
}

// Unfinished returns the intents that lie on the node, in the order of their ids. A directory of intents that cannot be
// read is one that says so, since there may be an intent in it.
func Unfinished(d *disk.Disk) []facts.Unfinished {
	dir, err := d.Dir(path.Join(Dir, "intents"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return []facts.Unfinished{{ID: "intents", Unknown: err.Error()}}
	}
	entries, err := dir.List()
	if err != nil {
		return []facts.Unfinished{{ID: "intents", Unknown: err.Error()}}
	}
	l := layoutOf(d)
	var found []facts.Unfinished
	for _, e := range entries {
		u := facts.Unfinished{ID: e.Name}
		sub, err := dir.Sub(e.Name)
		if err != nil {
			u.Unknown = err.Error()
			found = append(found, u)
			continue
		}
		record, err := readIntent(sub, l)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it never came to a record: nothing was begun, and the next renewal removes it
		}
		if err != nil {
			u.Unknown = err.Error()
			found = append(found, u)
			continue
		}
		u.Step, u.Started = record.Step, record.Started
		for _, g := range record.Groups {
			if installed(d, g) {
				u.Installed = append(u.Installed, g.Name)
			} else {
				u.Remaining = append(u.Remaining, g.Name)
			}
		}
		found = append(found, u)
	}
	return found
}

// layoutOf returns the layout of a node; one that is not known names nothing.
func layoutOf(d *disk.Disk) layout.Layout {
	l, _ := pki.Find(d, "auto")
	return l.Layout
}

func installed(d *disk.Disk, g Group) bool {
	for _, f := range g.Files {
		if data, _, err := d.Read(f.Path, pki.MaxFile); err != nil || sum(data) != f.After {
			return false
		}
	}
	return true
}
