package host

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/fence"
	"upkeep/providers/node/agent/unit"
	"upkeep/providers/node/protocol"
)

func (h *Host) fence(d *disk.Disk) *fence.Fence {
	return &fence.Fence{Disk: d, Clock: fence.SystemClock(h.options.Now)}
}

// Uptime is how long the machine has been up, asleep or not.
func (h *Host) Uptime() time.Duration { return fence.SystemClock(h.options.Now).Uptime() }

func (h *Host) units(d *disk.Disk, who string) (*unit.Units, error) {
	start := h.options.Start
	if start == nil {
		self, err := unit.Self()
		if err != nil {
			return nil, err
		}
		if start, err = unit.Choose(self); err != nil {
			return nil, err
		}
	}
	return &unit.Units{Disk: d, Fence: h.fence(d), Start: start, Who: who, At: h.options.At}, nil
}

// Perform carries out the request with the given id, which a session wrote down, in this process.
func (h *Host) Perform(ctx context.Context, id string) error {
	d, err := h.open()
	if err != nil {
		return err
	}
	defer d.Close()
	u, err := h.units(d, "")
	if err != nil {
		return err
	}
	return u.Perform(ctx, id, map[string]unit.Work{
		protocol.MethodRenew:   work(h.Renew),
		protocol.MethodMend:    work(h.Mend),
		protocol.MethodRestart: work(h.Restart),
		protocol.MethodUndo:    work(h.Undo),
	})
}

func work[Q, R any](do func(context.Context, Q, func(string)) (R, error)) unit.Work {
	return func(ctx context.Context, content json.RawMessage, progress func(string)) (any, error) {
		var q Q
		if err := json.Unmarshal(content, &q); err != nil {
			return nil, fmt.Errorf("the request cannot be read: %w", err)
		}
		return do(ctx, q, progress)
	}
}

// Session is a node whose changing requests are carried out in units of their own, which go on when the session ends.
type Session struct {
	host *Host
	who  string
}

// Session returns the node for a session with whoever Caller names.
func (h *Host) Session(who string) *Session { return &Session{host: h, who: who} }

// Renew is Host.Renew in a unit of its own; so are the others.
func (s *Session) Renew(ctx context.Context, q protocol.RenewRequest, progress func(string)) (protocol.RenewResult, error) {
	return carry[protocol.RenewResult](ctx, s, protocol.MethodRenew, q.Run, q, progress)
}

// Mend is Host.Mend in a unit of its own.
func (s *Session) Mend(ctx context.Context, q protocol.MendRequest, progress func(string)) (protocol.MendResult, error) {
	return carry[protocol.MendResult](ctx, s, protocol.MethodMend, q.Run, q, progress)
}

// Restart is Host.Restart in a unit of its own.
func (s *Session) Restart(ctx context.Context, q protocol.RestartRequest, progress func(string)) (protocol.RestartResult, error) {
	return carry[protocol.RestartResult](ctx, s, protocol.MethodRestart, q.Run, q, progress)
}

// Undo is Host.Undo in a unit of its own.
func (s *Session) Undo(ctx context.Context, q protocol.UndoRequest, progress func(string)) (protocol.UndoResult, error) {
	return carry[protocol.UndoResult](ctx, s, protocol.MethodUndo, q.Run, q, progress)
}

func carry[R any](ctx context.Context, s *Session, method string, run protocol.Run, q any, progress func(string)) (result R, err error) {
	// A mark can be undone without the state, and so without a run; nothing else can be told from a run that woke late.
	if method != protocol.MethodUndo && (run.Lineage == "" || run.Generation == 0) {
		return result, fmt.Errorf("%s: the request names no run, and nothing is changed for it: plan and apply with this version of upkeep", method)
	}
	d, err := s.host.open()
	if err != nil {
		return result, err
	}
	defer d.Close()
	u, err := s.host.units(d, s.who)
	if err != nil {
		return result, err
	}
	err = u.Carry(ctx, method, run, q, &result, quiet(progress))
	return result, err
}

// Caller says who is on the other side of this session, as far as sshd and sudo have said it: the login user, and the
// address the connection came from.
func Caller() string {
	who := os.Getenv("SUDO_USER")
	if who == "" {
		who = os.Getenv("USER")
	}
	if who == "" {
		who = fmt.Sprintf("uid %d", os.Getuid())
	}
	var from string
	// sshd(8): client address, client port, server address, server port.
	if n, _ := fmt.Sscan(os.Getenv("SSH_CONNECTION"), &from); n == 1 {
		who += " from " + from
	}
	return clip(who)
}

// clip makes one short printable line.
func clip(s string) string {
	out := make([]rune, 0, len(s))
	for _, c := range s {
		if c >= ' ' && c != 0x7f && len(out) < 200 {
			out = append(out, c)
		}
	}
	return string(out)
}
