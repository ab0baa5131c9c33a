package renew

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/pki"
	"upkeep/providers/node/protocol"
)

// Repair finishes what an interrupted renewal left: each certificate whose new files are intact is installed; of the
// others, one that was not begun stays unchanged, and one that was is put back from the archive. After it no key lies
// next to a certificate that is not its own. Repairing what is repaired already does nothing.
func (r *Renewer) Repair(q protocol.RepairRequest, progress func(string)) (protocol.RepairResult, error) {
	fail := func(err error) (protocol.RepairResult, error) {
		return protocol.RepairResult{}, fmt.Errorf("repair intent %s: %w", q.Intent, err)
	}
	if err := checkIdentifier(q.Intent); err != nil {
		return fail(err)
	}
	s, err := r.open()
	if err != nil {
		return fail(err)
	}
	defer s.close()
	if err := s.sweep(); err != nil {
		return fail(err)
	}
	result, err := r.repair(s, q.Intent, progress)
	if err != nil {
		return fail(err)
	}
	return result, nil
}

// repair is Repair with the lock held.
func (r *Renewer) repair(s *state, id string, progress func(string)) (protocol.RepairResult, error) {
	fail := func(err error) (protocol.RepairResult, error) { return protocol.RepairResult{}, err }
	dir, err := s.intents.Sub(id)
	if errors.Is(err, fs.ErrNotExist) {
		progress("the intent no longer exists: nothing to repair")
		return protocol.RepairResult{}, nil
	}
	if err != nil {
		return fail(err)
	}
	record, err := readIntent(dir, layoutOf(r.Disk))
	if err != nil {
		return fail(fmt.Errorf("%w; the PKI as it was before is in %s", err, path.Join(Dir, "archive")))
	}
	var result protocol.RepairResult
	for _, g := range record.Groups {
		what, why := decide(r.examine(dir, g))
		progress(fmt.Sprintf("%s: %s", g.Name, why))
		switch what {
		case finish:
			if err := r.install(s, id, g); err != nil {
				return fail(fmt.Errorf("install %s: %w", g.Name, err))
			}
		case restore:
			if err := r.putBack(g, record.Archive); err != nil {
				return fail(fmt.Errorf("put %s back: %w", g.Name, err))
			}
		}
		for _, f := range g.Files { // whatever was decided, no half-written file stays
			if _, err := r.targetDir(f); err != nil {
				return fail(err)
			}
		}
		if what == finish || what == keepNew {
			result.Installed = append(result.Installed, g.Name)
		} else {
			result.Discarded = append(result.Discarded, g.Name)
		}
	}
	r.at("clear")
	if err := s.clear(id); err != nil {
		return fail(err)
	}
	return result, nil
}

// What repairing does with one group.
type action int

const (
	finish  action = iota // put the new files in place
	keepNew               // they are there already
	keepOld               // leave what is there: the pair belongs together
	restore               // put the archived files back
)

// examined is what repairing one group depends on.
type examined struct {
	// New and Old count the files that are the new and the old ones, of Files.
	Files, New, Old int
	// Intact: all new files lie next to the record as it says, and the certificate has not ended.
	Intact bool
	// Complete: what is on the disk now is a certificate with its key, no matter who put it there.
	Complete bool
}

// decide is pure: what to do with a group, and why in words.
func decide(e examined) (action, string) {
	switch {
	case e.New == e.Files:
		return keepNew, "is in place already"
	case e.Intact && e.New+e.Old == e.Files:
		return finish, "its new files are intact; putting them in place"
	case e.Complete:
		return keepOld, "the installed files are intact; leaving them"
	case e.Intact:
		return finish, "what is there does not fit together and its new files are intact; putting them in place"
	}
	return restore, "it was begun and its new files are damaged; putting the archived ones back"
}

func (r *Renewer) examine(intent *disk.Dir, g Group) examined {
	e := examined{Files: len(g.Files), Intact: g.Ends.After(r.Now())}
	var current [][]byte
	for _, f := range g.Files {
		data, _, err := r.Disk.Read(f.Path, pki.MaxFile)
		if err == nil {
			current = append(current, data)
		}
		switch {
		case err != nil:
		case sum(data) == f.After:
			e.New++
		case sum(data) == f.Before:
			e.Old++
		}
		if _, err := stagedFile(intent, f); err != nil {
			e.Intact = false
		}
	}
	e.Complete = len(current) == len(g.Files) && fits(current)
	return e
}

// fits reports whether a group's files, a key and its certificate or one kubeconfig, belong together.
func fits(files [][]byte) bool {
	var cert, key []byte
	switch len(files) {
	case 1:
		config, err := pki.ParseKubeconfig(files[0])
		if err != nil {
			return false
		}
		cert, key = config.Certificate, config.Key
	case 2:
		key, cert = files[0], files[1]
	default:
		return false
	}
	certs, err := pki.ParseCertificates(cert)
	if err != nil {
		return false
	}
	signer, err := pki.ParseKey(key)
	return err == nil && pki.KeyMatches(certs[0], signer)
}

// putBack restores a group from the archive.
func (r *Renewer) putBack(g Group, archive string) error {
	contents := make([][]byte, len(g.Files))
	for i, f := range g.Files {
		data, err := r.unarchive(archive, f.Path)
		if err != nil {
			return err
		}
		if sum(data) != f.Before {
			return fmt.Errorf("%s in %s is not the file that was there", f.Path, archive)
		}
		contents[i] = data
	}
	return r.put(g, contents)
}
