// Package collect streams the keys and the configuration of a control plane as one tar archive, for a backup.
//
// It reads the places that protocol.CheckCollect allows and nothing else, follows no symbolic link, and bounds how much it
// sends. It writes nothing on the node. What it cannot read it says in its report, which is the archive's last entry: an
// archive without it is not complete.
package collect

import (
	"archive/tar"
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"path"
	"strings"
	"time"

	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/protocol"
	"upkeep/providers/strictjson"
)

// The limits. A large control plane has some hundred files and a few megabytes.
const (
	fileLimit    = 8 << 20
	totalLimit   = 32 << 20
	entryLimit   = 10000
	depthLimit   = 16
	requestLimit = 64 << 10
)

// Service is the name by which the tunnel is asked for.
const Service = protocol.ServiceFiles

// Open returns a connection that takes one protocol.CollectRequest as a line of JSON and answers with the archive. The one who
// has it closes it; the disk is closed when the archive has been sent or the connection has ended.
func Open(ctx context.Context, d *disk.Disk) net.Conn {
	near, far := net.Pipe()
	go func() {
		defer d.Close()
		defer far.Close()
		defer context.AfterFunc(ctx, func() { far.Close() })()
		// The peer sees an archive without a report: it says itself that this is not complete.
		_ = serve(far, d)
	}()
	return near
}

func serve(conn io.ReadWriter, d *disk.Disk) error {
	line, err := bufio.NewReader(io.LimitReader(conn, requestLimit)).ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	var request protocol.CollectRequest
	if err := strictjson.Decode(line, &request); err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	return Write(conn, d, request)
}

// Write writes the archive of a request.
func Write(w io.Writer, d *disk.Disk, request protocol.CollectRequest) error {
	c := &collector{disk: d, out: tar.NewWriter(w), seen: map[string]bool{}}
	for _, p := range request.Paths {
		if err := protocol.CheckCollect(p); err != nil {
			c.gap("%v", err)
			continue
		}
		if err := c.path(p); err != nil {
			return err
		}
	}
	data, err := json.Marshal(c.report)
	if err != nil {
		return err
	}
	if err := c.entry(&tar.Header{Typeflag: tar.TypeReg, Name: protocol.CollectReportName, Size: int64(len(data)), Mode: 0o600}, data); err != nil {
		return err
	}
	return c.out.Close()
}

// collector is one archive in progress. Its errors are those of writing it.
type collector struct {
	disk   *disk.Disk
	out    *tar.Writer
	seen   map[string]bool
	count  int
	report protocol.CollectReport
}

func (c *collector) gap(format string, args ...any) {
	c.report.Gaps = append(c.report.Gaps, fmt.Sprintf(format, args...))
}

// path adds one path of the request: its parent is opened component by component, none of them a link.
func (c *collector) path(p string) error {
	dir, err := c.disk.Dir(path.Dir(p))
	if errors.Is(err, fs.ErrNotExist) {
		c.report.Missing = append(c.report.Missing, p)
		return nil
	}
	if err != nil {
		c.gap("%v", err)
		return nil
	}
	entries, err := dir.List()
	if err != nil {
		c.gap("%v", err)
		return nil
	}
	for _, e := range entries {
		if e.Name == path.Base(p) {
			return c.add(dir, e, 0)
		}
	}
	c.report.Missing = append(c.report.Missing, p)
	return nil
}

func (c *collector) add(dir *disk.Dir, e disk.Entry, depth int) error {
	p := path.Join(dir.Path(), e.Name)
	if c.seen[p] {
		return nil
	}
	c.seen[p] = true
	switch {
	case c.count >= entryLimit:
		if c.count == entryLimit {
			c.count++
			c.gap("%s and what follows: more than %d files", p, entryLimit)
		}
		return nil
	case depth > depthLimit:
		c.gap("%s lies too deep", p)
		return nil
	case strings.ContainsRune(p, 0):
		c.gap("%q is no path", p)
		return nil
	}
	c.count++
	h := &tar.Header{Name: p[1:], Mode: int64(e.Info.Mode.Perm()), Uid: e.Info.UID, Gid: e.Info.GID, ModTime: e.Info.Modified.Truncate(time.Second)}
	switch mode := e.Info.Mode; {
	case mode.IsDir():
		h.Typeflag, h.Name = tar.TypeDir, h.Name+"/"
		if err := c.entry(h, nil); err != nil {
			return err
		}
		return c.directory(dir, e, depth)
	case mode&fs.ModeSymlink != 0:
		target, ok := dir.Link(e.Name)
		if !ok {
			c.gap("%s is a link that cannot be read", p)
			return nil
		}
		// The link alone: what it points to is in the archive where it is in a place of the request. One that leads out is left
		// out: the one who unpacks the archive as root must not write through it.
		if err := protocol.CheckCollectLink(p, target); err != nil {
			c.gap("%s is left out: %v", p, err)
			return nil
		}
		h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, target, 0o777
		return c.entry(h, nil)
	case mode.IsRegular():
		return c.file(dir, e, p, h)
	default:
		c.gap("%s is no regular file", p)
		return nil
	}
}

func (c *collector) directory(dir *disk.Dir, e disk.Entry, depth int) error {
	inner, err := dir.Sub(e.Name)
	if err != nil {
		c.gap("%v", err)
		return nil
	}
	entries, err := inner.List()
	if err != nil {
		c.gap("%v", err)
		return nil
	}
	for _, next := range entries {
		if err := c.add(inner, next, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (c *collector) file(dir *disk.Dir, e disk.Entry, p string, h *tar.Header) error {
	if c.report.Bytes+e.Info.Size > totalLimit {
		c.gap("%s: more than %d bytes in all", p, totalLimit)
		return nil
	}
	data, info, err := dir.Read(e.Name, fileLimit)
	if err != nil {
		c.gap("%v", err)
		return nil
	}
	h.Typeflag, h.Size, h.Mode, h.Uid, h.Gid = tar.TypeReg, int64(len(data)), int64(info.Mode.Perm()), info.UID, info.GID
	c.report.Files++
	c.report.Bytes += h.Size
	return c.entry(h, data)
}

func (c *collector) entry(h *tar.Header, data []byte) error {
	h.Format = tar.FormatPAX
	if err := c.out.WriteHeader(h); err != nil {
		return fmt.Errorf("write %s: %w", h.Name, err)
	}
	if _, err := c.out.Write(data); err != nil {
		return fmt.Errorf("write %s: %w", h.Name, err)
	}
	return nil
}
