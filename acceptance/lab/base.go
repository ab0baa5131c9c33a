package lab

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// basePackages is what every host has beside the essential packages: what a freshly installed server has, and what
// kubeadm's documentation asks for.
var basePackages = []string{
	"systemd", "systemd-sysv", "dbus", "libpam-systemd", "openssh-server", "sudo",
	"apt-utils", "ca-certificates", "conntrack", "containerd", "containernetworking-plugins", "ethtool", "iproute2",
	"iptables", "iputils-ping", "kmod", "logrotate", "mount", "openssl", "procps", "rsync", "runc", "socat", "util-linux",
}

// opsUser is the user on every host who is not root and may use sudo without a password.
const opsUser = "ops"

// baseFiles are on every host.
func baseFiles() []file {
	return []file{
		{"/etc/resolv.conf", 0o644, ""}, // with the machine's, every unknown name waits for a resolver that nobody can reach
		{"/etc/machine-id", 0o644, ""},  // systemd makes one at each host's first boot
		{"/etc/sudoers.d/" + opsUser, 0o440, opsUser + " ALL=(ALL:ALL) NOPASSWD: ALL\n"},
		{"/etc/sysctl.d/99-lab.conf", 0o644, "net.ipv4.ip_forward=1\n"},
	}
}

// buildBase makes the root that all hosts share, from the distribution's own archives.
func (c cache) buildBase(ctx context.Context, m machine, say func(string, ...any)) (string, error) {
	sources, err := aptSources(m)
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(sources)
	if err != nil {
		return "", err
	}
	hooks := []string{
		"--customize-hook=chroot \"$1\" useradd --uid 1000 --create-home --shell /bin/bash " + opsUser,
		"--customize-hook=chroot \"$1\" usermod --password '*' " + opsUser, // no password fits; a key does
		"--customize-hook=rm -f \"$1\"/etc/ssh/ssh_host_*",
	}
	var parts []string
	for _, f := range baseFiles() {
		parts = append(parts, f.path, f.mode.String(), f.content)
	}
	stamp := digest(append(append(append(parts, string(text), m.suite), basePackages...), hooks...)...)
	if stamped(c.at("base.stamp"), stamp) {
		return stamp, nil
	}
	say("making the hosts' root file system (%s %s)", m.distribution, m.suite)
	if err := os.RemoveAll(c.at("base.stamp")); err != nil {
		return "", err
	}
	if err := os.RemoveAll(c.at("base")); err != nil {
		return "", err
	}
	args := append([]string{"--mode=root", "--variant=minbase", "--include=" + strings.Join(basePackages, ",")}, hooks...)
	args = append(args, m.suite, c.at("base"), sources)
	if _, err := (command{name: "mmdebstrap", args: args, env: []string{"DEBIAN_FRONTEND=noninteractive"}}).run(ctx); err != nil {
		return "", err
	}
	if err := errors.Join(os.Remove(c.at("base/etc/resolv.conf")), writeFiles(c.at("base"), baseFiles())); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	return stamp, os.WriteFile(c.at("base.stamp"), []byte(stamp), 0o644)
}

// layerFiles are what a control-plane host has on top of the base, besides programs and images.
func layerFiles(pauseImage string) []file {
	return []file{
		{"/etc/containerd/config.toml", 0o644, containerdConfig(pauseImage)},
		{"/etc/systemd/system/lab-cgroup.service", 0o644, cgroupUnit},
		{"/etc/systemd/system/kubelet.service", 0o644, kubeletUnit},
		{"/etc/systemd/system/kubelet.service.d/10-kubeadm.conf", 0o644, kubeletDropIn},
	}
}

// buildLayer makes the control-plane hosts' layer. It must not be called while a host runs: it is mounted below their root.
func (c cache) buildLayer(all []image) error {
	root := c.at("layer")
	if err := os.RemoveAll(root); err != nil {
		return err
	}
	pause := ""
	for _, i := range all {
		if i.name() == "pause.tar" {
			pause = i.reference
		}
		if err := install(c.at("image", i.name()), filepath.Join(root, "srv/images", i.name())); err != nil {
			return err
		}
	}
	if pause == "" {
		return errors.New("no pause image among the images")
	}
	for _, program := range []string{"kubeadm", "kubelet", "kubectl", "etcdctl", "etcdutl"} {
		if err := install(c.at("bin", program), filepath.Join(root, "usr/bin", program)); err != nil {
			return err
		}
	}
	if err := writeFiles(root, layerFiles(pause)); err != nil {
		return err
	}
	for unit, target := range map[string]string{"lab-cgroup.service": "sysinit.target", "kubelet.service": "multi-user.target"} {
		if err := enable(root, unit, target); err != nil {
			return err
		}
	}
	for _, dir := range []string{"etc/kubernetes/manifests", "etc/cni/net.d"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// enable does what systemctl enable does for a unit of a root that is not running.
func enable(root, unit, target string) error {
	wants := filepath.Join(root, "etc/systemd/system", target+".wants", unit)
	if err := os.MkdirAll(filepath.Dir(wants), 0o755); err != nil {
		return err
	}
	return os.Symlink("../"+unit, wants)
}

// install copies a large file of the cache into a root. A copy and no link: a later build may write the original while
// a host still runs the copy.
func install(from, to string) (err error) {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, info.Mode().Perm())
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := out.Close(); err == nil {
			err = closeErr
		}
	}()
	_, err = io.Copy(out, in)
	return err
}
