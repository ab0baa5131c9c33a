package renew

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/pki"
)

// install puts the files of one group in their places, from the intent's own copies. All new files lie ready and durable
// before the first is renamed, so that key and certificate differ for two renames and no longer: etcd reads them on
// every handshake.
func (r *Renewer) install(s *state, id string, g Group) error {
	intent, err := s.intents.Sub(id)
	if err != nil {
		return err
	}
	contents := make([][]byte, len(g.Files))
	for i, f := range g.Files {
		if contents[i], err = stagedFile(intent, f); err != nil {
			return err
		}
	}
	return r.put(g, contents)
}

// stagedFile returns a new file out of the intent; one whose bytes are not what the record says is an error.
func stagedFile(intent *disk.Dir, f IntendedFile) ([]byte, error) {
	data, _, err := intent.Read(f.Staged, pki.MaxFile)
	if err != nil {
		return nil, err
	}
	if sum(data) != f.After {
		return nil, fmt.Errorf("%s is damaged: its SHA-256 is not the recorded one", path.Join(intent.Path(), f.Staged))
	}
	return data, nil
}

// put exchanges the files of one group for the given contents.
func (r *Renewer) put(g Group, contents [][]byte) (err error) {
	var ready []*disk.Prepared
	defer func() {
		if err != nil {
			for _, p := range ready {
				p.Discard()
			}
		}
	}()
	var dirs []*disk.Dir
	for i, f := range g.Files {
		dir, err := r.targetDir(f)
		if err != nil {
			return err
		}
		if !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
		r.at("install:%s:prepare:%d", g.Name, i)
		p, err := dir.Prepare(path.Base(f.Path), f.Mode, f.UID, f.GID, disk.Bytes(contents[i]))
		if err != nil {
			return err
		}
		ready = append(ready, p)
	}
	for i, p := range ready {
		r.at("install:%s:rename:%d", g.Name, i)
		if err := p.Rename(); err != nil {
			return err
		}
	}
	for _, dir := range dirs {
		r.at("install:%s:sync", g.Name)
		if err := dir.Sync(); err != nil {
			return err
		}
	}
	r.at("install:%s:done", g.Name)
	return nil
}

// targetDir opens the directory of a file that is to be replaced, checking again that nobody could have exchanged it, and
// removes what an interrupted write left there.
func (r *Renewer) targetDir(f IntendedFile) (*disk.Dir, error) {
	dir, err := r.Disk.Dir(path.Dir(f.Path))
	if err != nil {
		return nil, err
	}
	err = dir.TrustFile(path.Base(f.Path), f.UID)
	if errors.Is(err, fs.ErrNotExist) {
		err = dir.Trust(f.UID)
	}
	if err != nil {
		return nil, err
	}
	if err := dir.Sweep(path.Base(f.Path)); err != nil {
		return nil, err
	}
	return dir, nil
}
