// Package cold streams the data directory of a member of etcd that does not run, as one tar archive, for when no member
// answers any longer: its database, raft's snapshots next to it and its write-ahead log, and nothing else of the node.
//
// It takes the lock that a running member holds, and keeps it until the last byte is read: a member that runs is refused,
// and one that is started at the same time waits. It follows no symbolic link, writes nothing, and starts and stops nothing. What
// it sends it also hashes; the hashes come in the archive's last entry, and an archive without that is not complete.
package cold

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"path"
	"time"

	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/protocol"
)

// The limits: etcd's documentation advises against databases of more than 8 GiB, and a log has some files of 64 MiB
// (--max-wals, --max-snapshots).
const (
	fileLimit  = 4096
	totalLimit = 64 << 30
)

// Service is the name by which the tunnel is asked for.
const Service = protocol.ServiceCold

// Open returns a connection that takes one line, answers whether there is a stopped member, and then sends its data
// directory. The one who has it closes it; the disk is closed when all has been sent or the connection has ended.
func Open(ctx context.Context, d *disk.Disk) net.Conn {
	near, far := net.Pipe()
	go func() {
		defer d.Close()
		defer far.Close()
		defer context.AfterFunc(ctx, func() { far.Close() })()
		if _, err := bufio.NewReaderSize(far, 16).ReadSlice('\n'); err != nil {
			return
		}
		// The peer sees an archive without a report: it says itself that this is not complete.
		_ = Write(far, d)
	}()
	return near
}

// Write writes the answer, and the archive where that is no refusal.
func Write(w io.Writer, d *disk.Disk) error {
	c, refused := prepare(d)
	if c.lock != nil {
		defer c.lock.Close()
	}
	var answer protocol.Answer
	if refused != nil {
		answer.Refused = refused.Error()
	}
	line, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	if _, err := w.Write(append(line, '\n')); err != nil || refused != nil {
		return errors.Join(refused, err)
	}
	return c.write(tar.NewWriter(w))
}

// copying is one copy in progress.
type copying struct {
	disk   *disk.Disk
	lock   io.Closer // held until all is read
	files  []file
	report protocol.ColdReport
}

func prepare(d *disk.Disk) (copying, error) {
	c := copying{disk: d}
	at, there := directory(d)
	if !there {
		return c, errors.New("no data directory of a member of etcd is on this node")
	}
	lock, err := hold(d, at)
	if err != nil {
		return c, err
	}
	c.lock = lock
	if c.files, err = list(d, at); err != nil {
		return c, err
	}
	total := int64(0)
	for _, f := range c.files {
		if total += f.info.Size; total > totalLimit {
			return c, fmt.Errorf("%s has more than %d bytes", at, int64(totalLimit))
		}
	}
	p, err := locate(d, at, c.files)
	c.report = protocol.ColdReport{Directory: at, ClusterID: hexID(p.cluster), MemberID: hexID(p.member), Term: p.term, Index: p.index}
	return c, err
}

func (c *copying) write(out *tar.Writer) error {
	for _, f := range c.files {
		if err := c.file(out, f); err != nil {
			return fmt.Errorf("send %s: %w", path.Join(c.report.Directory, f.name), err)
		}
	}
	data, err := json.Marshal(c.report)
	if err != nil {
		return err
	}
	if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: protocol.ColdReportName, Size: int64(len(data)), Mode: 0o600, Format: tar.FormatPAX}); err != nil {
		return err
	}
	if _, err := out.Write(data); err != nil {
		return err
	}
	return out.Close()
}

func (c *copying) file(out *tar.Writer, f file) error {
	dir, err := c.disk.Dir(path.Dir(path.Join(c.report.Directory, f.name)))
	if err != nil {
		return err
	}
	in, info, err := dir.Open(path.Base(f.name))
	if err != nil {
		return err
	}
	defer in.Close()
	if info.Size != f.info.Size {
		return fmt.Errorf("it had %d bytes and now has %d: something writes to it", f.info.Size, info.Size)
	}
	if err := out.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: f.name, Size: info.Size, Mode: 0o600, Uid: info.UID, Gid: info.GID,
		ModTime: info.Modified.Truncate(time.Second), Format: tar.FormatPAX,
	}); err != nil {
		return err
	}
	sum := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(out, sum), in, info.Size); err != nil {
		return err
	}
	c.report.Files = append(c.report.Files, protocol.ColdFile{Name: f.name, Size: info.Size, SHA256: hex.EncodeToString(sum.Sum(nil))})
	return nil
}
