package host

import (
	"context"
	"fmt"
	"os"
	"time"

	"upkeep/providers/node/agent"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/fence"
	"upkeep/providers/node/agent/renew"
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

// Perform runs the request with the given id, which a session wrote down, in this process.
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
	works := map[string]unit.Work{}
	for _, m := range h.methods() {
		if m.carried != nil {
			row, _ := protocol.Find(m.Method) // the one that has a unit
			works[m.Method] = unit.Work{Row: row, Do: m.Do}
		}
	}
	return u.Perform(ctx, id, works)
}

// method is what a node answers to one method.
type method struct {
	agent.Handler
	// carried is the handler for a session, which has a changing request run in a unit of its own; nil for a method
	// that is answered in the session.
	carried func(*Session) agent.Handler
}

func answers[Q, R any](m protocol.Method[Q, R], do func(context.Context, Q) (R, error)) method {
	return method{Handler: agent.Answer(m, do)}
}

func changes[Q protocol.Changing, R any](m protocol.Method[Q, R], do func(context.Context, Q, func(string)) (R, error)) method {
	return method{agent.Handle(m, do), func(s *Session) agent.Handler {
		return agent.Handle(m, func(ctx context.Context, q Q, progress func(string)) (R, error) { return Carry(ctx, s, m, q, progress) })
	}}
}

// Session is a node whose changing requests are run in units of their own, which go on when the session ends.
type Session struct {
	host *Host
	who  string
}

// Session returns the node for a session with the one who Caller names.
func (h *Host) Session(who string) *Session { return &Session{host: h, who: who} }

// Methods returns everything that the node can be asked in a session.
func (s *Session) Methods() []agent.Handler {
	var out []agent.Handler
	for _, m := range s.host.methods() {
		if m.carried != nil {
			out = append(out, m.carried(s))
		} else {
			out = append(out, m.Handler)
		}
	}
	return out
}

// Carry has a changing request run in a unit of its own.
func Carry[Q protocol.Changing, R any](ctx context.Context, s *Session, m protocol.Method[Q, R], q Q, progress func(string)) (result R, err error) {
	row, ok := protocol.Find(string(m))
	if !ok || row.Unit == nil {
		return result, fmt.Errorf("the table of methods has no %s that changes a node", m)
	}
	run := q.BelongsTo()
	// What is told from no run could come from one that woke late.
	if !row.Unit.WithoutRun && (run.Lineage == "" || run.Generation == 0) {
		return result, fmt.Errorf("%s: the request names no run, and nothing is changed for it: plan and apply with this version of upkeep", m)
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
	confined := *row.Unit
	confined.Hardening = confined.Hardening.Also(append(places(d, q), s.host.options.Writes...))
	row.Unit = &confined
	err = u.Carry(ctx, row, run, q, &result, quiet(progress))
	return result, err
}

// places returns the directories that one request has its unit write to, in addition to those of its method.
func places(d *disk.Disk, request protocol.Changing) []string {
	switch q := request.(type) {
	case protocol.RenewRequest:
		return renew.Places(d, q.Kubeconfigs)
	case protocol.RepairRequest, protocol.UndoRequest:
		return renew.Places(d, nil)
	}
	return nil
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
