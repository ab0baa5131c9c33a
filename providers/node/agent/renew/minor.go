package renew

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"upkeep/providers/node/agent/controlplane"
)

// sameMinor refuses a kubeadm of another minor release than the control plane's: it may know other certificates, names or
// versions of the configuration, and finds out while it signs. A release that either does not tell is no reason.
func (r *Renewer) sameMinor(ctx context.Context) error {
	running := ""
	for _, pod := range controlplane.StaticPods(r.Disk) {
		if pod.Component == "kube-apiserver" {
			_, tag, _ := strings.Cut(pod.Image[strings.LastIndex(pod.Image, "/")+1:], ":")
			running = minor(tag)
		}
	}
	if running == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, kubeadmTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.Kubeadm, "version", "-o", "short")
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/"}
	cmd.Dir = "/"
	cmd.WaitDelay = time.Second
	said, err := cmd.Output()
	switch {
	case ctx.Err() != nil:
		return errors.New("kubeadm version did not end in time")
	case err != nil:
		return fmt.Errorf("kubeadm version: %w", err)
	}
	if own := minor(strings.TrimSpace(string(said))); own != "" && own != running {
		return fmt.Errorf("kubeadm on this node is %s and the control plane is %s: install the kubeadm of %s, for example `apt-get install kubeadm=%s.*`",
			own, running, running, strings.TrimPrefix(running, "v"))
	}
	return nil
}

// minor returns the minor release of a version, "v1.35" of "v1.35.4-rc.1"; empty where it has none, or is that of a program that
// nobody stamped.
func minor(version string) string {
	var major, number int
	if n, _ := fmt.Sscanf(version, "v%d.%d", &major, &number); n != 2 || major == 0 {
		return ""
	}
	return fmt.Sprintf("v%d.%d", major, number)
}
