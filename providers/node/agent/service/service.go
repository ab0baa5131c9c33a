// Package service looks at the services of systemd that a layout names, and restarts one of them.
//
// It looks at files alone: systemd keeps a link /run/systemd/units/invocation:NAME while a service is active, which
// holds the id of that start and is as old as it. A restart is `systemctl restart` of a name out of a fixed list,
// and is proved by another id. It stops nothing for good and enables nothing.
package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/protocol"
)

// Names are the services that may be restarted.
func Names() []string {
	return []string{"etcd.service", "k3s.service", "k3s-agent.service", "rke2-server.service", "rke2-agent.service"}
}

// units is where systemd keeps the invocations of what is active (systemd 237 and later, unit_export_invocation_id).
const units = "/run/systemd/units"

var invocation = regexp.MustCompile(`^[0-9a-f]{32}$`)

// Collect looks at services by name. An empty name is passed over.
func Collect(d *disk.Disk, names ...string) []facts.Service {
	var out []facts.Service
	for _, name := range names {
		if name != "" {
			out = append(out, look(d, name))
		}
	}
	return out
}

func look(d *disk.Disk, name string) facts.Service {
	s := facts.Service{Name: name}
	dir, err := d.Dir(units)
	if errors.Is(err, fs.ErrNotExist) {
		s.Unknown = "systemd does not run on this node: there is no " + units
		return s
	}
	if err != nil {
		s.Unknown = err.Error()
		return s
	}
	target, info, ok := dir.LinkInfo("invocation:" + name)
	switch {
	case !ok: // not active
	case !invocation.MatchString(target):
		s.Unknown = units + "/invocation:" + name + " holds no id of an invocation"
	default:
		s.Invocation, s.Started = target, info.Modified.UTC()
	}
	return s
}

// Restarter restarts services of one node.
type Restarter struct {
	Disk *disk.Disk
	// Systemctl is the path of systemctl.
	Systemctl string
	// Now tells whether a certificate has expired; nil: the machine's clock.
	Now func() time.Time
	// Pause is how long to wait between two looks; 0: half a second.
	Pause time.Duration
}

// Run restarts the service of a request, unless the service has been started since the plan was made, and returns when
// it is active again. systemctl itself waits until a service of k3s or etcd says that it is ready.
func (r *Restarter) Run(ctx context.Context, q protocol.RestartServiceRequest,
	progress func(string)) (protocol.RestartServiceResult, error) {
	fail := func(err error) (protocol.RestartServiceResult, error) {
		return protocol.RestartServiceResult{}, fmt.Errorf("restart %s: %w", q.Service, err)
	}
	if !slices.Contains(Names(), q.Service) {
		return fail(fmt.Errorf("it is no service that upkeep restarts; those are %v", Names()))
	}
	before := look(r.Disk, q.Service)
	switch {
	case before.Unknown != "":
		return fail(errors.New(before.Unknown))
	case before.Invocation != q.Invocation:
		return fail(fmt.Errorf("the plan was made for invocation %s, and now the service has %s: plan again",
			word(q.Invocation), word(before.Invocation)))
	}
	if err := r.restart(ctx, q, progress); err != nil {
		return fail(err)
	}
	pause := r.Pause
	if pause == 0 {
		pause = time.Second / 2
	}
	for {
		if now := look(r.Disk, q.Service); now.Invocation != "" && now.Invocation != before.Invocation {
			progress(q.Service + " is active")
			return protocol.RestartServiceResult{Invocation: now.Invocation}, nil
		}
		select {
		case <-ctx.Done():
			return fail(fmt.Errorf("the service did not become active: %w; see: journalctl -u %s", ctx.Err(), q.Service))
		case <-time.After(pause):
		}
	}
}

// restart restarts the service, and sets certificates aside while it is stopped. It is started again whatever came of
// that.
func (r *Restarter) restart(ctx context.Context, q protocol.RestartServiceRequest, progress func(string)) error {
	if len(q.Aside) == 0 {
		return r.systemctl(ctx, "restart", q.Service, progress)
	}
	renames, err := r.expired(q.Aside)
	if err != nil {
		return err // nothing is stopped yet
	}
	if err := r.systemctl(ctx, "stop", q.Service, progress); err != nil {
		return err
	}
	var failed error
	for _, f := range renames {
		if failed = f.run(r.Disk); failed != nil {
			break
		}
		progress(f.from + " is set aside as " + f.to)
	}
	return errors.Join(failed, r.systemctl(ctx, "start", q.Service, progress))
}

func (r *Restarter) systemctl(ctx context.Context, verb, service string, progress func(string)) error {
	progress("systemctl " + verb + " " + service)
	cmd := exec.CommandContext(ctx, r.Systemctl, verb, "--", service)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	cmd.Dir = "/"
	cmd.WaitDelay = time.Second
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("systemctl: %w: %.500s; see: journalctl -u %s", err, strings.TrimSpace(string(said)), service)
	}
	return nil
}

func word(invocation string) string {
	if invocation == "" {
		return "none (not active)"
	}
	return invocation
}
