package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"upkeep/providers/node/protocol"
)

// lingerLimit is how long a service may go on answering after the peer closed its half. It keeps a helper whose peer is
// gone from living as long as a service that never closes.
const lingerLimit = 30 * time.Second

// ServeTunnel serves one session that is a raw tunnel: it connects to the service, writes the line with the nonce (or
// the reason why it cannot), and then copies bytes both ways until the service closes the connection. When in ends, the
// service is told so and may still answer.
//
// When ctx ends the connection is closed; the caller must then close in (or exit) to release the goroutine that reads it.
func ServeTunnel(ctx context.Context, in io.Reader, out io.Writer, nonce, service string, h Handlers) error {
	if err := protocol.CheckNonce(nonce); err != nil {
		return err
	}
	refuse := func(err error) error {
		return errors.Join(err, protocol.WriteSignal(out, nonce, protocol.Signal{Word: protocol.SignalFail, Text: err.Error()}))
	}
	if h.Tunnel == nil {
		return refuse(fmt.Errorf("tunnel to %s: this helper offers no tunnels", service))
	}
	conn, err := h.Tunnel(ctx, service)
	if err != nil {
		return refuse(fmt.Errorf("tunnel to %s: %w", service, err))
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if err := protocol.WriteSignal(out, nonce, protocol.Signal{Word: protocol.SignalReady}); err != nil {
		return fmt.Errorf("tunnel to %s: %w", service, err)
	}
	go func() {
		_, err := io.Copy(conn, in)
		if half, ok := conn.(interface{ CloseWrite() error }); ok && err == nil {
			if half.CloseWrite() == nil {
				time.AfterFunc(lingerLimit, func() { conn.Close() })
				return
			}
		}
		conn.Close()
	}()
	if err := relay(out, conn); err != nil {
		return fmt.Errorf("tunnel to %s: %w", service, err)
	}
	return nil
}
