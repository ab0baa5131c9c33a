package sqlite

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"upkeep/providers/node/agent/disk"
	"upkeep/providers/sqlitefile"
)

// The bytes that SQLite locks. Sources: os.h and os_unix.c of SQLite 3.51 (the database: PENDING_BYTE and what follows;
// the index of the log: UNIX_SHM_BASE, UNIX_SHM_DMS), walformat.html section 2.3 (which lock is for what).
const (
	pendingByte  = 0x40000000
	reservedByte = pendingByte + 1
	sharedFirst  = pendingByte + 2
	sharedSize   = 510

	checkpointByte = 121
	readByte       = 123 // of reader 0; the others follow
	inUseByte      = 128
)

// patience is how long locks are waited for that somebody else has, pause how long between two tries. SQLite holds them
// for moments, but a checkpoint for as long as the disk needs.
const (
	patience = 20 * time.Second
	pause    = 5 * time.Millisecond
)

// held is a database at one moment: what every page of it is, until it is closed.
type held struct {
	dir  *disk.Dir
	name string

	db, wal, shm *os.File
	pageSize     int64
	pages        uint32
	// frames says where in the log a page is; those that it does not name are in the database.
	frames map[uint32]int64
	log    walHeader
	// used: others have the database open, and their locks protect what ours do not.
	used   bool
	before []fs.FileInfo // of the files, where nobody has them open
}

// hold takes the locks and finds where each page is. The caller closes what it returns.
func hold(ctx context.Context, dir *disk.Dir, name string) (_ *held, err error) {
	patient, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	h := &held{dir: dir, name: name}
	defer func() {
		if err != nil {
			h.close()
		}
	}()
	if h.db, _, err = dir.Open(name); err != nil {
		return nil, err
	}
	if err := h.lockDatabase(patient); err != nil {
		return nil, err
	}
	if err := h.refuseHotJournal(); err != nil {
		return nil, err
	}
	var first [sqlitefile.HeaderSize]byte
	if _, err := h.db.ReadAt(first[:], 0); err != nil {
		return nil, fmt.Errorf("%s: it is no database of SQLite: %w", name, err)
	}
	format, err := sqlitefile.ParseHeader(first[:])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	h.pageSize = format.PageSize
	if !format.WAL {
		// The lock keeps everybody from writing into the database: this is all of it.
		h.used = true
		return h, h.countPages(0)
	}
	if err := h.lockLog(patient); err != nil {
		return nil, err
	}
	if h.used {
		err = h.readLog(ctx, patient)
	} else {
		err = h.recoverLog(ctx)
	}
	return h, err
}

// lockDatabase takes the lock of a reader as unixLock does (os_unix.c): the pending byte first, for the moment.
func (h *held) lockDatabase(ctx context.Context) error {
	for {
		free, err := lockShared(h.db, pendingByte, 1)
		if err == nil && free {
			free, err = lockShared(h.db, sharedFirst, sharedSize)
			err = errors.Join(err, unlock(h.db, pendingByte, 1))
		}
		if err != nil {
			return fmt.Errorf("lock %s: %w", h.name, err)
		}
		if free {
			return nil
		}
		if err := wait(ctx, "a process has "+h.name+" for itself alone"); err != nil {
			return err
		}
	}
}

// refuseHotJournal refuses a database that a crash left half changed: the journal is needed to undo it, by its owner. A
// journal that begins with a zero is finished; one whose owner is at work (it has the reserved byte) has not been used yet,
// and cannot be while this reader is here (fileformat2.html, section 3; lockingv3.html, section 4.1).
func (h *held) refuseHotJournal() error {
	f, _, err := h.dir.Open(h.name + "-journal")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	var first [1]byte
	if n, _ := f.ReadAt(first[:], 0); n == 0 || first[0] == 0 {
		return nil
	}
	if owned, err := locked(h.db, reservedByte, 1); err != nil || owned {
		return err
	}
	return fmt.Errorf("%s was left half changed by a crash (%s-journal is hot): start k3s, which puts it in order", h.name, h.name)
}

// lockLog takes the locks on the index of the log, where somebody has the database open.
//
// Where nobody has, they are not taken: the first to open the database must find the byte that says so free, since it has
// to throw the index away, which may be of before a crash of the machine (unixLockSharedMemory in os_unix.c).
func (h *held) lockLog(ctx context.Context) (err error) {
	if h.shm, _, err = h.dir.Open(h.name + "-shm"); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	if h.used, err = locked(h.shm, inUseByte, 1); err != nil || !h.used {
		return err
	}
	for _, at := range []struct {
		byte int64
		what string
	}{{inUseByte, "a process is opening " + h.name}, {checkpointByte, "a checkpoint of " + h.name + " is in progress"}} {
		for {
			free, err := lockShared(h.shm, at.byte, 1)
			if err != nil {
				return fmt.Errorf("lock %s-shm: %w", h.name, err)
			}
			if free {
				break
			}
			if err := wait(ctx, at.what); err != nil {
				return err
			}
		}
	}
	return h.lockReader(ctx)
}

// lockReader takes the place of a reader, one that nobody reads from where there is one: it limits no checkpoint.
func (h *held) lockReader(ctx context.Context) error {
	for {
		var b [indexSize]byte
		if _, err := h.shm.ReadAt(b[:], 0); err == nil {
			x, _ := parseIndex(b[:])
			for _, unused := range []bool{true, false} {
				for i := readers - 1; i > 0; i-- {
					if unused && x.marks[i] != markUnused {
						continue
					}
					if free, err := lockShared(h.shm, readByte+int64(i), 1); err != nil || free {
						return err
					}
				}
			}
		}
		if err := wait(ctx, "all readers of "+h.name+" are being changed"); err != nil {
			return err
		}
	}
}

// readLog finds the pages in the log as any reader does: up to the last commit that the index names. The locks are held,
// so that neither these frames nor the database change any more.
func (h *held) readLog(ctx, patient context.Context) error {
	var x index
	for {
		var b [indexSize]byte
		_, err := h.shm.ReadAt(b[:], 0)
		ok := err == nil
		if ok {
			x, ok = parseIndex(b[:])
		}
		if ok {
			break
		}
		if err := wait(patient, "the index of its log stays in disorder, as after a crash; start k3s, which puts it in order"); err != nil {
			return err
		}
	}
	if x.frames == 0 {
		// The log begins anew; what is in the file was written into the database before.
		return h.countPages(x.pages)
	}
	damaged := func(what string) error { return fmt.Errorf("%s-wal is damaged: %s", h.name, what) }
	if x.pageSize != h.pageSize {
		return damaged(fmt.Sprintf("pages of %d bytes, and the database has pages of %d", x.pageSize, h.pageSize))
	}
	if err := h.openLog(); err != nil {
		return err
	}
	if h.log.salts != x.salts {
		return damaged("its index is of another log")
	}
	last, sum, err := h.scan(ctx, x.frames)
	switch {
	case err != nil:
		return err
	case last.frames != x.frames:
		return damaged(fmt.Sprintf("it is intact up to frame %d, and %d frames are committed", last.frames, x.frames))
	case sum != x.sum || last.pages != x.pages:
		return damaged("its last frame is not the one that its index names")
	}
	return h.countPages(x.pages)
}

// recoverLog finds the pages in the log of a database that nobody has open, as SQLite recovers it: up to the last commit
// before the first frame that does not follow (fileformat2.html, section 4.1).
func (h *held) recoverLog(ctx context.Context) (err error) {
	if h.before, err = h.look(); err != nil {
		return err
	}
	switch err := h.openLog(); {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, errNoLog):
		return h.countPages(0)
	case err != nil:
		return err
	}
	if h.log.pageSize != h.pageSize {
		return fmt.Errorf("%s-wal has pages of %d bytes, and the database pages of %d", h.name, h.log.pageSize, h.pageSize)
	}
	last, _, err := h.scan(ctx, markUnused)
	if err != nil {
		return err
	}
	return h.countPages(last.pages)
}

// errNoLog: the file is there and holds no log.
var errNoLog = errors.New("it holds no log")

func (h *held) openLog() (err error) {
	if h.wal, _, err = h.dir.Open(h.name + "-wal"); err != nil {
		return err
	}
	var b [walHeaderSize]byte
	if _, err := h.wal.ReadAt(b[:], 0); err != nil && err != io.EOF {
		return err
	}
	log, ok := parseWALHeader(b[:])
	if !ok {
		return fmt.Errorf("%s-wal: %w", h.name, errNoLog)
	}
	h.log = log
	return nil
}

// commit is the end of a transaction in a log.
type commit struct{ frames, pages uint32 }

// scan reads the log up to a frame, or up to one that does not follow, and notes where the pages are up to the last commit.
// It returns that, and the checksum behind it.
func (h *held) scan(ctx context.Context, most uint32) (last commit, sum [2]uint32, err error) {
	h.frames = map[uint32]int64{}
	size := frameHeaderSize + h.pageSize
	in := io.NewSectionReader(h.wal, walHeaderSize, 1<<62)
	buffered := bufio.NewReaderSize(in, 1<<20)
	pending := map[uint32]int64{}
	b := make([]byte, size)
	for n, running := uint32(1), h.log.sum; n <= most && n != 0; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return last, sum, context.Cause(ctx)
		}
		if _, err := io.ReadFull(buffered, b); err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		} else if err != nil {
			return last, sum, err
		}
		page, pages, after, ok := h.log.frame(b, running)
		if !ok {
			break
		}
		running = after
		pending[page] = walHeaderSize + int64(n-1)*size + frameHeaderSize
		if pages != 0 {
			last, sum = commit{n, pages}, running
			for page, at := range pending {
				h.frames[page] = at
			}
			clear(pending)
		}
	}
	return last, sum, nil
}

// countPages says how many pages there are: as the last commit says, else as many as the file has.
func (h *held) countPages(pages uint32) error {
	if pages == 0 {
		info, err := h.db.Stat()
		if err != nil {
			return err
		}
		if info.Size()%h.pageSize != 0 {
			return fmt.Errorf("%s has %d bytes, which is not a multiple of the page size %d", h.name, info.Size(), h.pageSize)
		}
		pages = uint32(info.Size() / h.pageSize)
	}
	h.pages = pages
	return nil
}

// look returns what is to be seen of the files from outside; nil for one that is not there.
func (h *held) look() ([]fs.FileInfo, error) {
	var out []fs.FileInfo
	for _, ending := range []string{"", "-wal", "-shm"} {
		f, _, err := h.dir.Open(h.name + ending)
		if errors.Is(err, fs.ErrNotExist) {
			out = append(out, nil)
			continue
		}
		if err != nil {
			return nil, err
		}
		info, err := f.Stat()
		f.Close()
		if err != nil {
			return nil, err
		}
		out = append(out, info)
	}
	return out, nil
}

// stood returns an error where what was read need not be of one moment after all.
func (h *held) stood() error {
	if h.used {
		if h.wal == nil {
			return nil
		}
		var b [walHeaderSize]byte
		if _, err := h.wal.ReadAt(b[:], 0); err != nil {
			return err
		}
		if log, ok := parseWALHeader(b[:]); !ok || log != h.log {
			return fmt.Errorf("%s-wal was restarted although it was locked: a process does not keep SQLite's locks", h.name)
		}
		return nil
	}
	now, err := h.look()
	if err != nil {
		return err
	}
	for i, was := range h.before {
		switch is := now[i]; {
		case was == nil && is == nil:
		case was == nil || is == nil, !os.SameFile(was, is), was.Size() != is.Size(), !was.ModTime().Equal(is.ModTime()):
			return fmt.Errorf("%s was opened by a process while it was read, although none had it before: k3s was started; take another bundle", h.name)
		}
	}
	if h.shm == nil {
		return nil
	}
	if used, err := locked(h.shm, inUseByte, 1); err != nil || used {
		return errors.Join(err, fmt.Errorf("%s was opened by a process while it was read: k3s was started; take another bundle", h.name))
	}
	return nil
}

func (h *held) close() {
	for _, f := range []*os.File{h.wal, h.shm, h.db} {
		if f != nil {
			f.Close() // the locks end with it
		}
	}
}

func wait(ctx context.Context, what string) error {
	select {
	case <-ctx.Done():
		if context.Cause(ctx) == context.DeadlineExceeded {
			return fmt.Errorf("%s (waited for %s)", what, patience)
		}
		return context.Cause(ctx)
	case <-time.After(pause):
		return nil
	}
}
