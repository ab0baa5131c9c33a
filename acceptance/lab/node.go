package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Node is one host of the lab.
type Node struct {
	Name string
	IP   string
}

// The hosts. 10.77.0.0/24 is private address space (RFC 1918); gateway is the machine's own address on the bridge.
var (
	controlPlanes = []Node{{"n1", "10.77.0.11"}, {"n2", "10.77.0.12"}, {"n3", "10.77.0.13"}}
	// workers are up while a test wants them, see AddWorker.
	workers = []Node{{"g1", "10.77.0.21"}, {"g2", "10.77.0.22"}, {"g3", "10.77.0.23"}}
	bastion = Node{"bastion", "10.77.0.10"}
)

const (
	gateway      = "10.77.0.1"
	endpointName = "cp.lab" // what the cluster calls its API; it resolves to the balancer on the bastion
)

// hosts are those that are always up, the bastion first: nothing can join a cluster whose endpoint does not answer.
func hosts() []Node { return append([]Node{bastion}, controlPlanes...) }

// all are the hosts that can be up.
func all() []Node { return append(hosts(), workers...) }

func find(name string) (Node, error) {
	var names []string
	for _, n := range all() {
		if n.Name == name {
			return n, nil
		}
		names = append(names, n.Name)
	}
	return Node{}, fmt.Errorf("the lab has no host %q; its hosts are %s", name, strings.Join(names, ", "))
}

// bound are the directories of a host that are not on its overlay root: containerd makes overlays itself, and an overlay
// cannot be the upper layer of another.
var bound = []string{"containerd", "kubelet", "etcd"}

// dir is where a host's files lie.
func (c cache) dir(n Node, elem ...string) string {
	return c.at(append([]string{"state", "hosts", n.Name}, elem...)...)
}

// mountRoot mounts a host's root: its own writable layer over the shared read-only ones.
func (c cache) mountRoot(n Node) error {
	for _, dir := range append([]string{"upper", "work", "root"}, bound...) {
		if err := os.MkdirAll(c.dir(n, dir), 0o755); err != nil {
			return err
		}
	}
	if mounted, err := mounts(); err != nil || slices.Contains(mounted, c.dir(n, "root")) {
		return err
	}
	lower := c.at("base")
	if n != bastion {
		lower = c.at("layer") + ":" + lower
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", lower, c.dir(n, "upper"), c.dir(n, "work"))
	if err := syscall.Mount(mountSource, c.dir(n, "root"), "overlay", 0, options); err != nil {
		return fmt.Errorf("mount the root of %s: %w", n.Name, err)
	}
	return nil
}

// prepare writes what makes a host that host and no other. Its root must be mounted.
func (c cache) prepare(n Node) error {
	public, err := os.ReadFile(c.at("state", "id.pub"))
	if err != nil {
		return err
	}
	hostKey, err := os.ReadFile(c.dir(n, "ssh_host_ed25519_key"))
	if err != nil {
		return err
	}
	files := []file{
		{"/etc/hostname", 0o644, n.Name + "\n"},
		{"/etc/hosts", 0o644, hostsFile(slices.Concat(controlPlanes, workers))},
		{"/etc/ssh/ssh_host_ed25519_key", 0o600, string(hostKey)},
		{"/root/.ssh/authorized_keys", 0o600, string(public)},
		{"/home/" + opsUser + "/.ssh/authorized_keys", 0o600, string(public)},
	}
	root := c.dir(n, "root")
	if n == bastion {
		files = append(files, file{"/etc/systemd/system/balancer.service", 0o644, balancerUnit(controlPlanes)})
	} else {
		files = append(files, file{"/etc/cni/net.d/10-lab.conflist", 0o644, cniConfig(n)})
	}
	if err := writeFiles(root, files); err != nil {
		return err
	}
	if n == bastion {
		// The bastion shares the base with the nodes but is no node.
		if err := os.Symlink("/dev/null", filepath.Join(root, "etc/systemd/system/containerd.service")); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
		if err := enable(root, "balancer.service", "multi-user.target"); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
		if err := install(c.at("bin", "balancer"), filepath.Join(root, "usr/local/bin/balancer")); err != nil {
			return err
		}
	}
	const opsID = 1000 // given to useradd in buildBase
	home := filepath.Join(root, "home", opsUser, ".ssh")
	return errors.Join(
		os.Chmod(filepath.Join(root, "root/.ssh"), 0o700),
		os.Chmod(home, 0o700),
		os.Chown(home, opsID, opsID),
		os.Chown(filepath.Join(home, "authorized_keys"), opsID, opsID),
	)
}

// bootScript starts a host in its cgroups and starts it again when it reboots itself: with --keep-unit systemd-nspawn
// then ends with 133 instead of doing so. The inner shell enters the cgroups, so that nothing but the host is in them.
const bootScript = `
while :; do
	sh -c 'for g in $CGROUPS; do echo $$ > "$g/cgroup.procs" || exit 1; done; echo $$ > "$PIDFILE"; exec "$@"' boot "$@"
	status=$?
	[ "$status" = 133 ] || exit "$status"
done
`

// boot starts a host and does not wait for it. The host outlives this process.
func (c cache) boot(n Node) error {
	groups, err := makeCgroups(n)
	if err != nil {
		return err
	}
	console, err := os.OpenFile(c.dir(n, "console.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer console.Close()
	nspawn := []string{
		"systemd-nspawn", "--quiet", "--boot", "--directory=" + c.dir(n, "root"), "--machine=" + n.Name,
		// No systemd-machined and no unit of the machine's systemd: there may be none.
		"--register=no", "--keep-unit",
		"--network-namespace-path=/run/netns/" + netns(n),
		// What runc, containerd and the kubelet need.
		"--capability=all", "--system-call-filter=@known", "--bind=/dev/kmsg",
		"--console=read-only", "--resolv-conf=off", "--timezone=off", "--link-journal=no",
	}
	for _, dir := range bound {
		nspawn = append(nspawn, "--bind="+c.dir(n, dir)+":/var/lib/"+dir)
	}
	process, err := os.StartProcess("/bin/sh", append([]string{"sh", "-c", bootScript, "lab-" + n.Name}, nspawn...), &os.ProcAttr{
		Dir: "/",
		Env: append(os.Environ(),
			"CGROUPS="+strings.Join(groups, " "),
			"PIDFILE="+c.dir(n, "pid"),
			"SYSTEMD_NSPAWN_API_VFS_WRITABLE=1", "SYSTEMD_NSPAWN_USE_CGNS=1"),
		Files: []*os.File{nil, console, console},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return fmt.Errorf("start %s: %w", n.Name, err)
	}
	return process.Release()
}

// start brings one host up from whatever state it is in, and waits until ssh answers.
func (l *Lab) start(ctx context.Context, n Node) error {
	if len(processes(n)) > 0 {
		return l.awaitSSH(ctx, n)
	}
	if err := errors.Join(removeCgroups(ctx, n), removeNetwork(ctx, n)); err != nil {
		return err
	}
	if err := addNetwork(ctx, n); err != nil {
		return err
	}
	if err := l.cache.mountRoot(n); err != nil {
		return err
	}
	if err := l.cache.prepare(n); err != nil {
		return fmt.Errorf("prepare %s: %w", n.Name, err)
	}
	if err := l.cache.boot(n); err != nil {
		return err
	}
	return l.awaitSSH(ctx, n)
}

func (l *Lab) awaitSSH(ctx context.Context, n Node) error {
	err := until(ctx, time.Minute, 200*time.Millisecond, "ssh to "+n.Name, func(ctx context.Context) error {
		_, err := l.SSH(ctx, n.Name, "true")
		return err
	})
	if err != nil {
		text, _ := os.ReadFile(l.cache.dir(n, "console.log"))
		return fmt.Errorf("%w\nits console ends with:\n%s", err, tail(string(text)))
	}
	return nil
}

// remove powers a host off and takes its cgroups and its network away. Its files stay.
func (c cache) remove(ctx context.Context, n Node) error {
	if err := c.stop(ctx, n); err != nil {
		return err
	}
	return errors.Join(removeCgroups(ctx, n), removeNetwork(ctx, n))
}

// empty removes the files of a host whose root is not mounted, but for its key.
func (c cache) empty(n Node) error {
	for _, dir := range append([]string{"upper", "work"}, bound...) {
		if err := os.RemoveAll(c.dir(n, dir)); err != nil {
			return err
		}
	}
	return nil
}

// stop powers a host off as its power button would, and makes sure that nothing of it is left running.
func (c cache) stop(ctx context.Context, n Node) error {
	if err := setFrozen(n, false); err != nil {
		return err
	}
	running := processes(n)
	if len(running) == 0 {
		return nil
	}
	gone := func(context.Context) error {
		if left := processes(n); len(left) > 0 {
			return fmt.Errorf("%d processes left", len(left))
		}
		return nil
	}
	if text, err := os.ReadFile(c.dir(n, "pid")); err == nil {
		// A pid file may be older than the machine's last boot: signal only what is in the host's own cgroup.
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && running[pid] {
			if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
				return fmt.Errorf("stop %s: %w", n.Name, err)
			}
			if until(ctx, 30*time.Second, 50*time.Millisecond, n.Name+" to power off", gone) == nil {
				return nil
			}
		}
	}
	return until(ctx, 20*time.Second, 100*time.Millisecond, n.Name+" to die", func(ctx context.Context) error {
		for pid := range processes(n) {
			_ = syscall.Kill(pid, syscall.SIGKILL) // one that has just ended by itself is as good
		}
		return gone(ctx)
	})
}
