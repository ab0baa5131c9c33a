package store

import (
	"context"
	"fmt"
	"os"
)

// draft is a file that is being made.
type draft struct {
	f               *file
	ctx             context.Context
	root            *os.Root
	name, temporary string
	out             *os.File
	flushed         flushed
	committed       bool
}

func (d *draft) Write(p []byte) (int, error) {
	if d.ctx.Err() != nil {
		return 0, context.Cause(d.ctx)
	}
	n, err := d.flushed.Write(p)
	if err != nil {
		err = d.wrong(err)
	}
	return n, err
}

func (d *draft) Commit() error {
	if err := d.flushed.finish(); err != nil {
		return d.wrong(err)
	}
	if err := publish(d.root, d.temporary, d.name); err != nil {
		return d.f.explain(err)
	}
	d.committed = true
	return d.f.sync(d.root)
}

// Close removes what was not committed. What cannot be removed is listed as partial.
func (d *draft) Close() error {
	_ = d.flushed.settle()
	d.out.Close()
	if !d.committed {
		_ = d.root.Remove(d.temporary)
	}
	return d.root.Close()
}

func (d *draft) wrong(err error) error { return d.f.explain(fmt.Errorf("write %s: %w", d.name, err)) }

// copySize is how much is read and written at once, in bytes.
const copySize = 256 << 10

// flushAfter is how much is written before the disk is asked to have it, in bytes.
const flushAfter = 64 << 20

// flushed writes a file that reaches the disk while it is written, so that what is left to wait for at the end is
// little. It hides the file's ReadFrom, so that errors of the two sides of a copy stay apart.
type flushed struct {
	out     *os.File
	pending int        // bytes written since the disk was asked last
	asked   chan error // of the flush that goes on; nil where none does
}

func (s *flushed) Write(p []byte) (int, error) {
	n, err := s.out.Write(p)
	s.pending += n
	if err != nil || s.pending < flushAfter {
		return n, err
	}
	if err := s.settle(); err != nil {
		return n, err
	}
	s.pending, s.asked = 0, make(chan error, 1)
	go func(asked chan<- error) { asked <- s.out.Sync() }(s.asked)
	return n, nil
}

// settle waits for the flush that goes on, if any.
func (s *flushed) settle() error {
	if s.asked == nil {
		return nil
	}
	err := <-s.asked
	s.asked = nil
	return err
}

// finish returns when all that was written is on the disk, or why it is not.
func (s *flushed) finish() error {
	if err := s.settle(); err != nil {
		return err
	}
	return s.out.Sync()
}
