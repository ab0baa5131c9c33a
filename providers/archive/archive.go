// Package archive keeps what an upgrade of a Helm release replaces, in a directory of the machine that upkeep runs on,
// and fetches small texts from URLs.
//
// An archived revision is a directory of its own, NAMESPACE/RELEASE/REVISION, with an entry.json that is written last:
// a directory without one is half written and does not count. Everything is 0600 in directories of 0700, since a
// provider's values hold its wallet. Nothing here is ever deleted or written over by another revision of the same
// number: it moves aside.
package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"upkeep/providers/bounded"
	"upkeep/providers/facts"
	"upkeep/providers/strictjson"
	"upkeep/state/durable"
)

// Directory is a place for archives. Base is what relative directories are meant against.
type Directory struct{ Base string }

const entryName = "entry.json"

// Archive reads which revisions of a release are kept.
func (a Directory) Archive(_ context.Context, question facts.ArchiveQuestion) facts.Archive {
	directory, err := a.directory(question)
	if err != nil {
		return facts.Archive{Unknown: err.Error()}
	}
	list, err := os.ReadDir(directory)
	if errors.Is(err, fs.ErrNotExist) {
		return facts.Archive{}
	}
	if err != nil {
		return facts.Archive{Unknown: err.Error()}
	}
	var out facts.Archive
	for _, entry := range list {
		revision, err := strconv.Atoi(entry.Name())
		if err != nil || !entry.IsDir() {
			continue
		}
		data, err := bounded.File(filepath.Join(directory, entry.Name(), entryName), bounded.Text)
		if errors.Is(err, fs.ErrNotExist) {
			continue // half written
		}
		if err != nil {
			return facts.Archive{Unknown: err.Error()}
		}
		var e facts.ArchiveEntry
		if err := strictjson.Decode(data, &e); err != nil || e.Revision != revision {
			continue // damaged: it is kept anew
		}
		out.Entries = append(out.Entries, e)
	}
	slices.SortFunc(out.Entries, func(a, b facts.ArchiveEntry) int { return a.Revision - b.Revision })
	return out
}

// Keep writes the files of one revision, then its entry. It returns the directory.
func (a Directory) Keep(_ context.Context, question facts.ArchiveQuestion, entry facts.ArchiveEntry, files map[string][]byte) (string, error) {
	parent, err := a.directory(question)
	if err != nil {
		return "", err
	}
	fail := func(err error) (string, error) {
		return "", fmt.Errorf("keeping revision %d of %s/%s: %w", entry.Revision, question.Namespace, question.Release, err)
	}
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return fail(err)
	}
	if err := durable.KeepOutOfGit(a.own(question)); err != nil {
		return fail(err)
	}
	directory := filepath.Join(parent, strconv.Itoa(entry.Revision))
	if err := aside(directory); err != nil {
		return fail(err)
	}
	if err := os.Mkdir(directory, 0o700); err != nil {
		return fail(err)
	}
	data, err := json.MarshalIndent(entry, "", "  ")
	if err != nil {
		return fail(err)
	}
	for _, name := range sorted(files) {
		if filepath.Base(name) != name || name == entryName {
			return fail(fmt.Errorf("%q is no name of a file", name))
		}
		if err := write(filepath.Join(directory, name), files[name]); err != nil {
			return fail(err)
		}
	}
	if err := syncDirectory(directory); err != nil {
		return fail(err)
	}
	if err := write(filepath.Join(directory, entryName), append(data, '\n')); err != nil {
		return fail(err)
	}
	if err := errors.Join(syncDirectory(directory), syncDirectory(parent)); err != nil {
		return fail(err)
	}
	return directory, nil
}

// own returns the directory that holds nothing but archives: what the question names, or the directory of a namespace
// in it where the configuration lies in the archive as well.
func (a Directory) own(question facts.ArchiveQuestion) string {
	base := question.Directory
	if !filepath.IsAbs(base) {
		base = filepath.Join(a.Base, base)
	}
	if inside, err := filepath.Rel(base, a.Base); err == nil && filepath.IsLocal(inside) {
		return filepath.Join(base, question.Namespace)
	}
	return base
}

// directory returns where a release's revisions are. The names came from the configuration, which checks them; a path
// that leads out of the archive is refused here, too.
func (a Directory) directory(question facts.ArchiveQuestion) (string, error) {
	for _, name := range []string{question.Namespace, question.Release} {
		if name == "" || name == "." || name == ".." || strings.ContainsAny(name, `/\`) {
			return "", fmt.Errorf("%q is no name of a release or namespace", name)
		}
	}
	base := question.Directory
	if !filepath.IsAbs(base) {
		base = filepath.Join(a.Base, base)
	}
	return filepath.Join(base, question.Namespace, question.Release), nil
}

// aside moves a directory that stands in the way to a name that is free.
func aside(directory string) error {
	for n := 1; ; n++ {
		if _, err := os.Lstat(directory); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		to := fmt.Sprintf("%s.old-%d", directory, n)
		if _, err := os.Lstat(to); errors.Is(err, fs.ErrNotExist) {
			return os.Rename(directory, to)
		}
	}
}

func write(path string, data []byte) (err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := file.Write(data); err != nil {
		return err
	}
	return file.Sync()
}

func syncDirectory(path string) error {
	directory, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}

func sorted(files map[string][]byte) []string {
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
