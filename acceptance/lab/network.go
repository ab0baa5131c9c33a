package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
)

// bridge joins the hosts' network namespaces. The hosts have no default route: nothing leaves the machine.
const bridge = "upkeep-lab0"

func netns(n Node) string { return "upkeep-lab-" + n.Name }

// veth is the machine's end of a host's cable. Interface names have at most 15 characters (linux/if.h, IFNAMSIZ).
func veth(n Node) string { return "ukl-" + n.Name }

func ip(ctx context.Context, args ...string) error {
	_, err := output(ctx, "ip", args...)
	return err
}

// addBridge makes the bridge if it is not there.
func addBridge(ctx context.Context) error {
	if _, err := net.InterfaceByName(bridge); err == nil {
		return nil
	}
	if err := foreignAddress(); err != nil {
		return err
	}
	return sequence(
		func() error { return ip(ctx, "link", "add", bridge, "type", "bridge") },
		func() error { return ip(ctx, "addr", "add", gateway+"/24", "dev", bridge) },
		func() error { return ip(ctx, "link", "set", bridge, "up") },
	)
}

// foreignAddress refuses a machine that is itself in the lab's address range.
func foreignAddress() error {
	_, lab, err := net.ParseCIDR(gateway + "/24")
	if err != nil {
		return err
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return err
	}
	for _, address := range addresses {
		if other, ok := address.(*net.IPNet); ok && lab.Contains(other.IP) {
			return fmt.Errorf("this machine has the address %s, which lies in the lab's own network %s", other, lab)
		}
	}
	return nil
}

// addNetwork makes a host's network namespace with its address on eth0, before the host boots into it.
func addNetwork(ctx context.Context, n Node) error {
	if err := addBridge(ctx); err != nil {
		return err
	}
	ns := netns(n)
	return sequence(
		func() error { return ip(ctx, "netns", "add", ns) },
		func() error {
			return ip(ctx, "link", "add", veth(n), "type", "veth", "peer", "name", "eth0", "netns", ns)
		},
		func() error { return ip(ctx, "link", "set", veth(n), "master", bridge, "up") },
		func() error { return ip(ctx, "-n", ns, "link", "set", "lo", "up") },
		func() error { return ip(ctx, "-n", ns, "addr", "add", n.IP+"/24", "dev", "eth0") },
		func() error { return ip(ctx, "-n", ns, "link", "set", "eth0", "up") },
	)
}

// removeNetwork takes away a host's cable and namespace, if there.
func removeNetwork(ctx context.Context, n Node) error {
	var all error
	if _, err := net.InterfaceByName(veth(n)); err == nil {
		all = errors.Join(all, ip(ctx, "link", "del", veth(n)))
	}
	if _, err := os.Stat("/run/netns/" + netns(n)); err == nil {
		all = errors.Join(all, ip(ctx, "netns", "del", netns(n)))
	}
	return all
}

func removeBridge(ctx context.Context) error {
	if _, err := net.InterfaceByName(bridge); err != nil {
		return nil
	}
	return ip(ctx, "link", "del", bridge)
}

// sequence runs functions up to the first that fails.
func sequence(all ...func() error) error {
	for _, one := range all {
		if err := one(); err != nil {
			return err
		}
	}
	return nil
}

// mountSource is the name of the lab's overlay mounts, by which a later run finds them.
const mountSource = "upkeep-lab"

// mounts lists the mount points of the lab's overlays, the latest first.
func mounts() ([]string, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	return parseMounts(string(text)), nil
}

// parseMounts reads /proc/self/mountinfo, proc(5).
func parseMounts(mountinfo string) []string {
	var points []string
	for line := range strings.Lines(mountinfo) {
		before, after, _ := strings.Cut(line, " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if len(left) > 4 && len(right) > 1 && right[0] == "overlay" && right[1] == mountSource {
			points = append(points, left[4])
		}
	}
	slices.Reverse(points)
	return points
}

// unmount unmounts the lab's overlays, one or all ("").
func unmount(only string) error {
	points, err := mounts()
	if err != nil {
		return err
	}
	for _, point := range points {
		if only != "" && only != point {
			continue
		}
		if err := syscall.Unmount(point, 0); err != nil {
			return fmt.Errorf("unmount %s: %w", point, err)
		}
	}
	return nil
}

// foreignMounts lists the lab's mounts that do not lie in this cache: another cache's lab is up.
func (c cache) foreignMounts() ([]string, error) {
	points, err := mounts()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(points, func(point string) bool {
		return strings.HasPrefix(point, c.at("state")+"/")
	}), nil
}
