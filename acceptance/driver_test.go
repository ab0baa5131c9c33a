package acceptance

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// testDriver brings a worker from one release of the driver to the next: real apt and dpkg, a real reboot of the host. Hosts
// share the machine's kernel, so that the kernel that boots next is the one that runs.
func testDriver(t *testing.T, s *suite) {
	s.gpuWorker(t, "g1")
	s.ssh(t, "g1", `set -e
mkdir -p /boot/grub "/usr/src/linux-headers-$(uname -r)"
: >"/boot/vmlinuz-$(uname -r)"
printf 'set default="0"\nmenuentry "Ubuntu" {\n\tlinux /boot/vmlinuz-%s root=/dev/sda1 ro\n}\n' "$(uname -r)" >/boot/grub/grub.cfg`)
	d := s.declare(t, declaration{renewBefore: time.Hour})
	d.declareGPUs(t, fmt.Sprintf(`nvidia_driver "workers" {
  nodes   = role("gpu")
  version = %q
  window  = "always"
  without = { backup = "the worker holds no etcd" }
  drain {
    emptydir = true
  }
}
`, driverNew), "g1")
	d.run(t, "node", "accept", "g1").want(t, 0)
	began, boot := time.Now(), strings.TrimSpace(s.ssh(t, "g1", "cat /proc/sys/kernel/random/boot_id"))
	planned, _ := d.plan(t)
	t.Logf("%d steps", len(planned.Upkeep.Steps))
	d.run(t, "apply", "-auto-approve").want(t, 0)
	t.Logf("figure: a node has another driver after %s", time.Since(began).Round(time.Second))
	if now := strings.TrimSpace(s.ssh(t, "g1", "cat /proc/sys/kernel/random/boot_id")); now == boot {
		t.Error("the host has not booted")
	}
	if said := s.ssh(t, "g1", "cat /proc/driver/nvidia/version; nv-fabricmanager --version; dpkg -l"); strings.Contains(said, driverOld) ||
		!strings.Contains(said, driverNew) {
		t.Errorf("the node has\n%s", said)
	}
	s.until(t, time.Minute, "g1 to take pods, and to offer 8 GPUs", func(ctx context.Context) error {
		said, err := s.kubectlIn(ctx, "", "get", "node", "g1", "-o", `jsonpath={.spec.unschedulable},{.status.allocatable.nvidia\.com/gpu}`)
		if err == nil && said != ",8" {
			err = fmt.Errorf("%q", said)
		}
		return err
	})
	d.run(t, "marks").want(t, 0)
	for _, id := range idsOn(d.findings(t), "g1") {
		t.Errorf("%s on a node that has its driver", id)
	}
}
