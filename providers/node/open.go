package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"upkeep/providers/node/protocol"
)

// open starts a session on a node and brings it to the point where frames begin. A handshake that was dropped before
// anything ran is tried again; nothing else is.
func (c *Client) open(ctx context.Context, t Target, class protocol.Class, words []string) (*process, error) {
	delay := c.options.RetryDelay
	for attempt := 0; ; attempt++ {
		p, err := c.openOnce(ctx, t, class, words)
		var e *Error
		if err == nil || attempt == retries || !errors.As(err, &e) || !e.dropped {
			return p, err
		}
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, context.Cause(ctx)
		}
		delay *= 2
	}
}

func (c *Client) openOnce(ctx context.Context, t Target, class protocol.Class, words []string) (_ *process, err error) {
	nonce := protocol.NewNonce()
	argv, err := c.command(t, class, nonce, words)
	if err != nil {
		return nil, err
	}
	p, err := start(argv)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			p.end()
		}
	}()
	opening := protocol.NewOpening(p.reader, nonce)
	signal, err := c.next(ctx, t, p, opening, c.options.ConnectTimeout, nil)
	if err != nil {
		return nil, err
	}
	if signal.Word == protocol.SignalWant && t.Access != AccessRestricted && t.Transport != TransportLocal {
		send := func() error { return c.upload(p, signal.Text) }
		if signal, err = c.next(ctx, t, p, opening, c.options.UploadTimeout, send); err != nil {
			return nil, err
		}
	}
	switch signal.Word {
	case protocol.SignalReady:
		return p, nil
	case protocol.SignalFail:
		e := &Error{Node: t.Name, Why: oneLine(signal.Text)}
		if !t.Become && (strings.Contains(signal.Text, "cannot create") || strings.Contains(signal.Text, "belongs to uid")) {
			e.Next = "the helper must run as root: set become = true in the connection, or user = \"root\""
		}
		return nil, e
	default:
		return nil, &Error{Node: t.Name, Why: fmt.Sprintf("the session opened with %q, which is not understood", oneLine(signal.Word))}
	}
}

// next waits for the next signal of the opening, after it has sent something where there is something to send. Why a
// transfer broke off is in the signal that follows, so that is read either way.
func (c *Client) next(ctx context.Context, t Target, p *process, o *protocol.Opening, d time.Duration, send func() error) (protocol.Signal, error) {
	var signal protocol.Signal
	var sent error
	err := p.within(ctx, d, func() (err error) {
		if send != nil {
			if sent = send(); sent != nil {
				p.in.Close() // so that the other side does not wait for the rest
			}
		}
		signal, err = o.Next()
		return err
	})
	switch {
	case err == nil && sent != nil && !errors.Is(sent, syscall.EPIPE):
		return signal, fmt.Errorf("send the helper: %w", sent)
	case err == nil:
		return signal, nil
	case errors.Is(err, io.EOF):
		p.end()
		if sent != nil {
			return signal, fmt.Errorf("send the helper: %w", sent)
		}
		return signal, explain(t, c.options.Installed, p.exitCode(), p.stderr.text())
	case ctx.Err() == nil && !errors.As(err, new(noAnswerError)):
		return signal, fmt.Errorf("start the session: %w", err)
	default:
		return signal, err
	}
}

// upload sends the helper for a machine: its size as a decimal line, and its bytes.
func (c *Client) upload(p *process, machine string) error {
	architecture := architectureOf(machine)
	if architecture == "" {
		return fmt.Errorf("there is no helper for machines of type %q", oneLine(machine))
	}
	f, err := os.Open(c.helpers.path(architecture))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(p.in, "%d\n", info.Size()); err != nil {
		return err
	}
	_, err = io.Copy(p.in, f)
	return err
}
