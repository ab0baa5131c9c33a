// Package reboot boots the node that it runs on.
//
// It asks systemd, as `systemctl reboot` does, so that services stop in order and file systems are unmounted. It forces
// nothing: a machine that does not go down is left alone, and said to be up. It reboots at most once: only the boot
// that the request names ends.
package reboot

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/protocol"
)

// bootID is the file in which the kernel says which boot this is.
const bootID = "/proc/sys/kernel/random/boot_id"

// goesDown is how long a machine may take to begin to stop this program after it was told to reboot. systemd stops all
// services at once: nothing that hangs keeps this one from being told.
const goesDown = 5 * time.Minute

// Rebooter reboots one node.
type Rebooter struct {
	Disk *disk.Disk
	// Systemctl is the path of systemctl.
	Systemctl string
	// Patience is how long the machine may take to begin to go down; 0: five minutes.
	Patience time.Duration
}

// Run tells systemd to reboot the machine, and waits to be stopped with it: it returns no success. Its error is that of
// the context where the machine goes down, which the one who runs units judges after the boot.
func (r *Rebooter) Run(ctx context.Context, q protocol.RebootRequest, progress func(string)) (protocol.RebootResult, error) {
	fail := func(err error) (protocol.RebootResult, error) {
		return protocol.RebootResult{}, fmt.Errorf("reboot the node: %w", err)
	}
	text, _, err := r.Disk.Read(bootID, 4096)
	if err != nil {
		return fail(err)
	}
	switch now := strings.TrimSpace(string(text)); {
	case q.BootID == "":
		return fail(errors.New("the request does not say which boot must end"))
	case now != q.BootID:
		return fail(fmt.Errorf("the plan was made for boot %s, and now the node runs boot %s: plan again", q.BootID, now))
	case !r.Disk.Exists("/run/systemd/system"):
		return fail(errors.New("systemd does not run on this node: there is no /run/systemd/system"))
	}
	progress("systemctl reboot")
	cmd := exec.CommandContext(ctx, r.Systemctl, "reboot")
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	cmd.Dir = "/"
	cmd.WaitDelay = time.Second
	if said, err := cmd.CombinedOutput(); err != nil && ctx.Err() == nil {
		return fail(fmt.Errorf("systemctl: %w: %.500s", err, strings.TrimSpace(string(said))))
	}
	patience := r.Patience
	if patience == 0 {
		patience = goesDown
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return fail(context.Cause(ctx))
	case <-timer.C:
		return fail(fmt.Errorf("systemd took the request and the node did not go down in %s; see: systemctl list-jobs", patience))
	}
}
