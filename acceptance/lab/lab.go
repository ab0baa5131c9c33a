package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// DefaultValidity is how long the cluster's certificates live unless [Options] say otherwise: a week. Long enough to keep
// a lab for days, far less than kubeadm's own default of a year.
const DefaultValidity = 168 * time.Hour

// Options say what lab to bring up.
type Options struct {
	// Validity is the life of every certificate but the CAs', now and after each renewal by kubeadm. 0 takes a finished
	// lab whatever it has, and makes a new one with DefaultValidity.
	Validity time.Duration
	// Recreate allows Up to remove a finished lab that differs from what is asked for, and make another. Without it Up
	// refuses: somebody may be using that lab.
	Recreate bool
	// Progress is told what is being done, a line at a time. It may be nil.
	Progress func(line string)
}

// Lab is a lab that is, or was, up. Its methods that change something may be used by one goroutine at a time.
type Lab struct {
	// Nodes are the control-plane nodes n1, n2, n3.
	Nodes []Node
	// Bastion is the jump host, where user ops may log in.
	Bastion Node

	cache    cache
	made     made
	progress func(string)
}

// made records what a finished lab was made from. Its file is written last: a lab without it was never finished.
type made struct {
	Validity string `json:"validity"`
	Programs string `json:"programs"`
	Base     string `json:"base"`
}

// differs names what a wanted lab has otherwise than the one at hand; "" if nothing. The base is not compared: the
// distribution's archives change every day.
func (want made) differs(have made) string {
	switch {
	case want.Validity != have.Validity:
		return fmt.Sprintf("validity (it has %s, asked for is %s)", have.Validity, want.Validity)
	case want.Programs != have.Programs:
		return "programs (their sources or versions have changed since)"
	}
	return ""
}

func newLab(c cache, progress func(string)) *Lab {
	return &Lab{Nodes: slices.Clone(controlPlanes), Bastion: bastion, cache: c, progress: progress}
}

func (l *Lab) say(format string, args ...any) {
	if l.progress != nil {
		l.progress(fmt.Sprintf(format, args...))
	}
}

// Up brings the lab up and returns when all three nodes are Ready: it installs and builds what is missing, starts what is
// stopped, and makes a new cluster if there is none or none was finished. It never replaces a finished lab unless opts
// allow it. Where the lab cannot run the error says why. The lab stays up when the caller ends.
func Up(ctx context.Context, opts Options) (*Lab, error) {
	machine, err := inspect()
	if err != nil {
		return nil, err
	}
	if opts.Validity != 0 && opts.Validity < time.Minute {
		return nil, fmt.Errorf("a validity of %s leaves no time to bring the cluster up: give at least 1m", opts.Validity)
	}
	c, err := findCache(os.Getenv)
	if err != nil {
		return nil, err
	}
	unlock, err := c.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	l := newLab(c, opts.Progress)
	if err := installTools(ctx, l.say); err != nil {
		return nil, err
	}
	want := made{Validity: opts.Validity.String()}
	if want.Programs, err = c.buildPrograms(ctx, l.say); err != nil {
		return nil, err
	}
	have, err := l.readMade()
	switch {
	case opts.Validity != 0:
	case err == nil:
		want.Validity = have.Validity
	default:
		want.Validity = DefaultValidity.String()
	}
	switch {
	case err == nil && want.differs(have) == "":
		l.made = have
		return l, l.resume(ctx)
	case err == nil && !opts.Recreate:
		return nil, fmt.Errorf("a lab is up that differs in its %s: keep it by asking for the same, or replace it with: go run ./cmd/lab up -recreate", want.differs(have))
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return nil, err
	}
	if other, err := c.foreignMounts(); err != nil {
		return nil, err
	} else if len(other) > 0 && !opts.Recreate {
		return nil, fmt.Errorf("this machine holds a lab of another directory already, at %s: remove it with: go run ./cmd/lab down", other[0])
	}
	if err := l.tearDown(ctx); err != nil {
		return nil, err
	}
	if want.Base, err = c.buildBase(ctx, machine, l.say); err != nil {
		return nil, err
	}
	all, err := c.buildImages(ctx, want.Programs)
	if err != nil {
		return nil, err
	}
	if err := c.buildLayer(all); err != nil {
		return nil, err
	}
	l.made = want
	return l, l.create(ctx)
}

// Prepare installs and builds everything that Up needs and starts nothing: Up after it takes about a minute. It may run
// while a lab is up.
func Prepare(ctx context.Context, progress func(line string)) error {
	machine, err := inspect()
	if err != nil {
		return err
	}
	c, err := findCache(os.Getenv)
	if err != nil {
		return err
	}
	unlock, err := c.lock()
	if err != nil {
		return err
	}
	defer unlock()
	l := newLab(c, progress)
	if err := installTools(ctx, l.say); err != nil {
		return err
	}
	if _, err := c.buildPrograms(ctx, l.say); err != nil {
		return err
	}
	if _, err := os.Stat(c.at("state")); err == nil {
		return nil // hosts stand on the base that is there
	}
	_, err = c.buildBase(ctx, machine, l.say)
	return err
}

// Open returns the lab that is up, without changing or starting anything.
func Open() (*Lab, error) {
	c, err := findCache(os.Getenv)
	if err != nil {
		return nil, err
	}
	l := newLab(c, nil)
	if l.made, err = l.readMade(); err != nil {
		return nil, fmt.Errorf("no lab is up (bring it up with: go run ./cmd/lab up): %w", err)
	}
	return l, nil
}

// Reset gives back a fresh cluster on fresh hosts, under the same keys and addresses. Kubeconfig has new content afterwards.
func (l *Lab) Reset(ctx context.Context) error {
	unlock, err := l.cache.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := os.Remove(l.cache.at("state", "made.json")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := l.stopAll(ctx); err != nil {
		return err
	}
	for _, n := range all() {
		if err := l.cache.empty(n); err != nil {
			return err
		}
	}
	return l.create(ctx)
}

// Down removes the lab and everything that any earlier run left of one. The build cache stays.
func Down(ctx context.Context) error {
	if _, err := inspect(); err != nil {
		return err
	}
	c, err := findCache(os.Getenv)
	if err != nil {
		return err
	}
	unlock, err := c.lock()
	if err != nil {
		return err
	}
	defer unlock()
	return newLab(c, nil).tearDown(ctx)
}

// Down is [Down] for a lab at hand.
func (l *Lab) Down(ctx context.Context) error { return Down(ctx) }

// Kubeconfig is the path of an admin kubeconfig that works on this machine, through the balancer.
func (l *Lab) Kubeconfig() string { return l.cache.at("state", "admin.conf") }

// Program is the path of one of the programs that the lab's hosts run: "kube-apiserver", "etcdctl".
func (l *Lab) Program(name string) string { return l.cache.at("bin", name) }

// SSHConfig is the path of the ssh_config(5) that reaches the hosts: n1 to n3 and g1 to g3 as root, bastion as ops, ops-n1 to ops-n3 as
// ops through the bastion.
func (l *Lab) SSHConfig() string { return l.cache.at("state", "ssh_config") }

// KnownHosts is the path of the file with every host's key, under its name and its address.
func (l *Lab) KnownHosts() string { return l.cache.at("state", "known_hosts") }

// Identity is the path of the private key that root and ops accept on every host.
func (l *Lab) Identity() string { return l.cache.at("state", "id") }

// Pause freezes every process of a host, containers too. The host still takes connections and answers nothing, until Resume.
func (l *Lab) Pause(node string) error {
	n, err := find(node)
	if err != nil {
		return err
	}
	return setFrozen(n, true)
}

// Resume ends a Pause.
func (l *Lab) Resume(node string) error {
	n, err := find(node)
	if err != nil {
		return err
	}
	return setFrozen(n, false)
}

// Stop powers a host off in good order and waits until it is.
func (l *Lab) Stop(ctx context.Context, node string) error {
	n, err := find(node)
	if err != nil {
		return err
	}
	return l.cache.stop(ctx, n)
}

// Start boots a host that is stopped and waits until ssh answers. Its static pods take some seconds more: see Ready.
func (l *Lab) Start(ctx context.Context, node string) error {
	n, err := find(node)
	if err != nil {
		return err
	}
	return l.start(ctx, n)
}

// create makes the hosts and the cluster; nothing of either exists.
func (l *Lab) create(ctx context.Context) error {
	if err := l.cache.makeKeys(ctx); err != nil {
		return err
	}
	l.say("booting %d hosts", len(hosts()))
	if err := l.startAll(ctx); err != nil {
		return err
	}
	l.say("importing images")
	err := each(l.Nodes, func(n Node) error {
		_, err := l.SSH(ctx, n.Name, importImages)
		return err
	})
	if err != nil {
		return err
	}
	if err := l.form(ctx, l.validity()); err != nil {
		return err
	}
	l.say("waiting for the nodes to be Ready")
	if err := l.Ready(ctx, time.Time{}); err != nil {
		return err
	}
	text, err := json.MarshalIndent(l.made, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(l.cache.at("state", "made.json"), append(text, '\n'), 0o644)
}

// importImages waits for containerd, bounded, and gives it the images.
const importImages = `set -e
for i in $(seq 300); do if ctr version >/dev/null 2>&1; then break; fi; sleep 0.1; done
for f in /srv/images/*.tar; do ctr -n k8s.io images import "$f"; done`

// resume starts what is not running of a lab that was finished before.
func (l *Lab) resume(ctx context.Context) error {
	var since time.Time
	for _, n := range hosts() {
		if len(processes(n)) == 0 {
			since = time.Now()
		} else if err := setFrozen(n, false); err != nil {
			return err
		}
	}
	if err := l.startAll(ctx); err != nil {
		return err
	}
	l.say("waiting for the nodes to be Ready")
	return l.Ready(ctx, since)
}

func (l *Lab) startAll(ctx context.Context) error {
	if err := addBridge(ctx); err != nil {
		return err
	}
	return each(hosts(), func(n Node) error { return l.start(ctx, n) })
}

// stopAll leaves no process, cgroup, mount or network of any host.
func (l *Lab) stopAll(ctx context.Context) error {
	return errors.Join(
		each(all(), func(n Node) error { return l.cache.remove(ctx, n) }),
		unmount(""),
		removeBridge(ctx),
	)
}

func (l *Lab) tearDown(ctx context.Context) error {
	if err := l.stopAll(ctx); err != nil {
		return err // files that something still uses stay
	}
	return os.RemoveAll(l.cache.at("state"))
}

func (l *Lab) readMade() (made, error) {
	var m made
	text, err := os.ReadFile(l.cache.at("state", "made.json"))
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("%s: %w", filepath.Base(l.cache.at("state", "made.json")), err)
	}
	return m, nil
}

func (l *Lab) validity() time.Duration {
	validity, err := time.ParseDuration(l.made.Validity)
	if err != nil {
		return DefaultValidity
	}
	return validity
}

// each does one thing for all nodes at once and joins their errors in the nodes' order.
func each(nodes []Node, do func(Node) error) error {
	failures := make([]error, len(nodes))
	var all sync.WaitGroup
	for i, n := range nodes {
		all.Go(func() { failures[i] = do(n) })
	}
	all.Wait()
	return errors.Join(failures...)
}
