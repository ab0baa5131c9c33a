// Package kmsg reads the kernel's log of a node, and hands out what NVIDIA's driver said in it.
//
// It reads /dev/kmsg from a record on and never waits for the next one: what the log has now is the answer. How
// much is read, and for how long, is bounded. What the driver's words mean is package kernellog's to say; what
// could not be read makes every count a lower bound.
package kmsg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/nvidia/kernellog"
)

const (
	device = "/dev/kmsg"
	// maxBytes is more than the kernel keeps (log_buf_len of a large machine is some megabytes), and limit far more than
	// reading that takes.
	maxBytes = 32 << 20
	limit    = 5 * time.Second
	// maxEvents is how many events one answer holds. Each is at most some kilobytes; what is more is asked for again.
	maxEvents = 5000
	maxText   = 2 << 20
	maxNotes  = 20
)

// Collect reads the log of this boot. Errors are in the answer.
func Collect(ctx context.Context, d *disk.Disk, q facts.KernelLogQuestion) facts.KernelLog {
	boot, err := line(d, "/proc/sys/kernel/random/boot_id")
	if err != nil {
		// Without the boot nobody could tell what was read before.
		return facts.KernelLog{Unknown: fmt.Sprintf("the boot's id is unknown: %v", err)}
	}
	out := facts.KernelLog{Boot: boot}
	if q.Boot == boot {
		out.From = q.From
	}
	in, err := open(ctx, d)
	if err != nil {
		out.Unknown = err.Error()
		return out
	}
	defer in.close()
	log, err := kernellog.Read(in, kernellog.KMsg, kernellog.Options{Boot: boot, From: out.From})
	if err != nil {
		out.Unknown = err.Error()
		return out
	}
	out.Lost, out.LowerBound, out.Next = log.Lost, log.LowerBound, out.From
	if log.HasLast {
		out.Next = max(out.Next, log.Last+1)
	}
	if in.cut != "" {
		out.Truncated, out.LowerBound = true, true
		out.Notes = append(out.Notes, in.cut)
	}
	for _, n := range log.Notes[:min(len(log.Notes), maxNotes)] {
		out.Notes = append(out.Notes, fmt.Sprintf("line %d: %s", n.Line, n.Text))
	}
	if more := len(log.Notes) - maxNotes; more > 0 {
		out.Notes = append(out.Notes, fmt.Sprintf("%d more notes about the log", more))
	}
	fill(&out, log, started(d))
	return out
}

// fill takes over the events that matter, as many as one answer holds.
func fill(out *facts.KernelLog, log kernellog.Log, boot time.Time) {
	text := 0
	for i, e := range log.Events {
		// Lines of the driver about nothing that anybody acts on.
		if e.Kind == kernellog.NVRM && e.Topic == "" {
			continue
		}
		text += len(e.Text)
		if len(out.Events) == maxEvents || text > maxText {
			out.Truncated, out.LowerBound = true, true
			out.Next = cutAt(out, log.Events[i:])
			return
		}
		event := facts.KernelEvent{
			Kind: string(e.Kind), Topic: string(e.Topic), Code: e.Code, Unclassified: e.Unclassified, PCI: facts.PCIAddress(e.PCI),
			MIG: e.MIG, Severity: e.Severity, Cause: e.Cause, Client: e.Client, Module: e.Module, Origin: string(e.Origin),
			Sequence: e.Sequence, Monotonic: e.Monotonic, Text: e.Text,
		}
		if !boot.IsZero() {
			event.At = boot.Add(e.Monotonic).UTC()
		}
		out.Events = append(out.Events, event)
	}
}

// cutAt returns the record from which the next question goes on: that of the first event left out. What was
// taken of the same record already is taken back, so that it is not told twice. A damaged line has no number,
// and goes with the next.
func cutAt(out *facts.KernelLog, left []kernellog.Event) uint64 {
	for _, e := range left {
		if !e.HasSequence {
			continue
		}
		for n := len(out.Events); n > 1 && out.Events[n-1].Sequence == e.Sequence; n = len(out.Events) {
			out.Events = out.Events[:n-1]
		}
		return e.Sequence
	}
	return out.Next
}

// source reads records without waiting. The device hands out one record a read, and demands room for the longest.
type source struct {
	ctx    context.Context
	stop   context.CancelFunc
	fd     int
	buffer []byte
	rest   []byte
	read   int
	// cut is why the log was not read to its end.
	cut string
}

func open(ctx context.Context, d *disk.Disk) (*source, error) {
	if _, err := d.Dir("/dev"); err != nil {
		return nil, err
	}
	fd, err := unix.Open(d.Real(device), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", device, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("%s: %w", device, err)
	}
	if kind := st.Mode & unix.S_IFMT; kind != unix.S_IFCHR && kind != unix.S_IFREG {
		unix.Close(fd)
		return nil, fmt.Errorf("%s is no log of the kernel", device)
	}
	ctx, stop := context.WithTimeout(ctx, limit)
	return &source{ctx: ctx, stop: stop, fd: fd, buffer: make([]byte, 64<<10)}, nil
}

func (s *source) close() {
	s.stop()
	unix.Close(s.fd)
}

// Read returns what the log has now. It ends where the log does.
func (s *source) Read(p []byte) (int, error) {
	for len(s.rest) == 0 {
		switch {
		case s.read >= maxBytes:
			s.cut = fmt.Sprintf("only the first %d MiB of the log were read", maxBytes>>20)
			return 0, io.EOF
		case s.ctx.Err() != nil:
			s.cut = fmt.Sprintf("the log was read for %s, and goes on", limit)
			return 0, io.EOF
		}
		n, err := unix.Read(s.fd, s.buffer)
		switch {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EPIPE):
			// The kernel has overwritten what came next. The next record's number tells how much that was.
		case errors.Is(err, syscall.EAGAIN) || err == nil && n == 0:
			return 0, io.EOF
		case err != nil:
			return 0, fmt.Errorf("%s: %w", device, err)
		default:
			s.rest = s.buffer[:n]
			s.read += n
		}
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func line(d *disk.Disk, p string) (string, error) {
	data, _, err := d.Read(p, 4<<10)
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(data))
	if text == "" {
		return "", fmt.Errorf("%s is empty", p)
	}
	return text, nil
}

// started returns when the node was booted, by its own clock: the line btime of /proc/stat. It does not change
// between two looks, unlike the clock minus the uptime. Zero where it cannot be read.
func started(d *disk.Disk) time.Time {
	f, err := d.Files().Open("proc/stat")
	if err != nil {
		return time.Time{}
	}
	defer f.Close()
	return btime(f)
}

func btime(f fs.File) time.Time {
	data, err := io.ReadAll(io.LimitReader(f, 4<<20)) // a line a processor, and one of all interrupts
	if err != nil {
		return time.Time{}
	}
	for l := range bytes.Lines(data) {
		if value, ok := bytes.CutPrefix(l, []byte("btime ")); ok {
			seconds, err := strconv.ParseInt(strings.TrimSpace(string(value)), 10, 64)
			if err != nil || seconds <= 0 || seconds > math.MaxInt32*4 {
				return time.Time{}
			}
			return time.Unix(seconds, 0).UTC()
		}
	}
	return time.Time{}
}
