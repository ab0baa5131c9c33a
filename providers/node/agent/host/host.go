// Package host is one node as the node side's program sees it: every collector and every typed operation, behind
// methods that take the protocol's requests.
//
// Its methods do the work in the process that calls them. Session has what changes the node done in units of
// their own, and Perform is what such a unit does. A new method of the table is one line in methods, and what
// that line calls.
//
// It speaks to nobody; the session that carries requests and answers is its caller's. It keeps no state between
// calls.
package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/apt"
	"upkeep/providers/node/agent/boot"
	"upkeep/providers/node/agent/bundles"
	"upkeep/providers/node/agent/cold"
	"upkeep/providers/node/agent/collect"
	"upkeep/providers/node/agent/controlplane"
	"upkeep/providers/node/agent/cri"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/dpkg"
	"upkeep/providers/node/agent/etcdtunnel"
	"upkeep/providers/node/agent/floor"
	"upkeep/providers/node/agent/history"
	"upkeep/providers/node/agent/k3s"
	"upkeep/providers/node/agent/kmsg"
	"upkeep/providers/node/agent/kubeadm"
	"upkeep/providers/node/agent/listen"
	"upkeep/providers/node/agent/marks"
	"upkeep/providers/node/agent/nvidia"
	"upkeep/providers/node/agent/pci"
	"upkeep/providers/node/agent/pki"
	"upkeep/providers/node/agent/reboot"
	"upkeep/providers/node/agent/renew"
	"upkeep/providers/node/agent/served"
	"upkeep/providers/node/agent/service"
	"upkeep/providers/node/agent/sign"
	"upkeep/providers/node/agent/sqlite"
	"upkeep/providers/node/agent/system"
	"upkeep/providers/node/agent/timer"
	"upkeep/providers/node/agent/unit"
	"upkeep/providers/node/protocol"
)

// Options say what a node is. The zero value is the machine that the program runs on.
type Options struct {
	// Root is the directory that stands for "/".
	Root string
	// Kubeadm is the path of kubeadm; empty: the first of the usual places that only root may write to.
	Kubeadm string
	// Systemctl is the path of systemctl; empty: the usual ones.
	Systemctl string
	// NVML is the path of upkeep-nvml; empty: next to this program. NVMLDigest is the SHA-256 that it must have, in
	// hexadecimal; empty: this program was built without one, and runs none.
	NVML, NVMLDigest string
	// NVMLPacked is upkeep-nvml itself, compressed by gzip; nil: this program was built without it.
	NVMLPacked []byte
	// Writes are more places that units may write to; nil outside tests of the complete program.
	Writes []string
	// Now is the node's clock.
	Now func() time.Time
	// Start is how units are started (see package unit); nil: as unit.Choose says.
	Start unit.Starter
	// Schedule is how timers are armed; nil: as timer.Choose says.
	Schedule timer.Scheduler
	// At is called at each instant at which a crash would leave something different behind, with the id of the
	// step, "/" and a word; nil outside tests.
	At func(instant string)
}

// Host is one node. Its methods may be called at once; changes exclude one another by a lock on the node.
type Host struct{ options Options }

// New returns the node that the options describe.
func New(o Options) *Host {
	if o.Root == "" {
		o.Root = "/"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NVML == "" {
		if self, err := os.Executable(); err == nil {
			o.NVML = filepath.Join(filepath.Dir(self), "upkeep-nvml")
			if sent.MatchString(filepath.Base(self)) {
				// Two versions of upkeep may look after one node. Neither takes the other's program away.
				o.NVML += "-" + o.NVMLDigest
			} else {
				o.NVMLPacked = nil
			}
		}
	}
	return &Host{options: o}
}

// sent is the name of a helper that a session has brought. Nobody installed anything beside it.
var sent = regexp.MustCompile(`^upkeep-node-[0-9a-f]{64}$`)

// kubeadmPlaces are where packages and kubespray put kubeadm.
var kubeadmPlaces = []string{"/usr/bin/kubeadm", "/usr/local/bin/kubeadm", "/usr/sbin/kubeadm", "/opt/bin/kubeadm"}

// kubeadm returns the path of kubeadm; an error wraps fs.ErrNotExist where there is none.
func (h *Host) kubeadm(d *disk.Disk) (string, error) {
	if h.options.Kubeadm != "" {
		return h.options.Kubeadm, nil
	}
	for _, p := range kubeadmPlaces {
		real, err := filepath.EvalSymlinks(d.Real(p))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		if err := runnable(real); err != nil {
			return "", fmt.Errorf("kubeadm is not run: %w", err)
		}
		return real, nil
	}
	return "", fmt.Errorf("kubeadm is in none of %v: %w", kubeadmPlaces, fs.ErrNotExist)
}

// runnable refuses a program that others than root could have exchanged.
func runnable(real string) error {
	d, err := disk.Open("/")
	if err != nil {
		return err
	}
	defer d.Close()
	dir, err := d.Dir(filepath.Dir(real))
	if err != nil {
		return err
	}
	return dir.TrustFile(filepath.Base(real))
}

func (h *Host) open() (*disk.Disk, error) { return disk.Open(h.options.Root) }

// Observe answers a question. It always answers: what could not be observed is unknown with its reason, in its
// place. An error means that nothing at all could be looked at.
func (h *Host) Observe(ctx context.Context, r protocol.ObserveRequest) (facts.Node, error) {
	d, err := h.open()
	if err != nil {
		return facts.Node{}, err
	}
	defer d.Close()
	q := r.Question
	node := facts.Node{
		Certificates: facts.Certificates{Unknown: "not asked"},
		ControlPlane: facts.ControlPlane{Unknown: "not asked"},
		NVIDIA:       facts.NVIDIA{Unknown: "not asked"},
		KernelLog:    facts.KernelLog{Unknown: "not asked"},
		Boot:         facts.Boot{Unknown: "not asked"},
	}
	// Each part writes its own field, so that one that hangs delays the answer by its own limit and no more.
	var wg sync.WaitGroup
	wg.Go(func() { node.System = system.Collect(d, h.options.Now()) })
	if q.Authorities || q.Certificates != nil {
		wg.Go(func() { node.Authorities, node.AuthorityKeys = pki.Authorities(d) })
	}
	pods := []facts.StaticPod(nil)
	if q.Certificates != nil || q.ControlPlane {
		pods = controlplane.StaticPods(d)
	}
	if q.Certificates != nil {
		var leaves []facts.Served
		wg.Go(func() {
			var inner sync.WaitGroup
			inner.Go(func() { leaves = served.Collect(ctx, d, pods) })
			found := pki.Collect(d, *q.Certificates)
			found.Unfinished = renew.Unfinished(d)
			inner.Wait()
			found.Served = leaves
			node.Certificates = found
		})
	}
	if q.ControlPlane {
		wg.Go(func() { node.ControlPlane = controlPlane(ctx, d, pods) })
		wg.Go(func() { node.K3s = k3s.Collect(d) })
	}
	if q.Certificates != nil || q.ControlPlane {
		wg.Go(func() { node.Services = services(d) })
	}
	if q.NVIDIA || q.KernelLog != nil || q.Boot {
		wg.Go(func() { h.gpus(ctx, d, q, &node) })
	}
	if q.Apt != nil {
		wg.Go(func() { node.Apt = apt.Collect(ctx, d, *q.Apt, system.Kernel(d), boot.Collect(d).Next) })
	}
	if q.EtcdData {
		wg.Go(func() { node.EtcdData = cold.Look(d) })
	}
	if len(q.Ports) > 0 {
		wg.Go(func() { node.Listeners = listen.Collect(d.Files(), q.Ports) })
	}
	if q.Floor {
		wg.Go(func() { node.Floor = floor.Collect(d) })
	}
	if q.Software {
		wg.Go(func() {
			found := dpkg.Software(d)
			found.Runtime = cri.Handlers(ctx, d)
			node.Software = found
		})
	}
	if q.History {
		wg.Go(func() { node.History = history.Last(d) })
	}
	wg.Go(func() { node.Work = (&unit.Units{Disk: d, Fence: h.fence(d)}).InProgress() })
	if q.Marks {
		wg.Go(func() { node.Marks = marks.Found(d) })
	}
	wg.Wait()
	return node, nil
}

// gpus answers what is asked of kernels, GPUs and the kernel's log. It writes the parts of its name and no others.
func (h *Host) gpus(ctx context.Context, d *disk.Disk, q facts.Question, node *facts.Node) {
	bus := pci.Look(d.Files())
	var wg sync.WaitGroup
	if q.KernelLog != nil {
		wg.Go(func() {
			node.KernelLog = facts.KernelLog{Unknown: "this node has no NVIDIA GPU"}
			if !nvidia.Absent(d, bus) {
				node.KernelLog = kmsg.Collect(ctx, d, *q.KernelLog)
			}
		})
	}
	if q.Boot || q.NVIDIA {
		// What boots next names a module to look at.
		node.Boot = boot.Collect(d)
	}
	if q.NVIDIA {
		program := nvidia.Program{Path: h.options.NVML, Digest: h.options.NVMLDigest, Packed: h.options.NVMLPacked}
		node.NVIDIA = nvidia.Collect(ctx, d, bus, system.Kernel(d), node.Boot, program)
		if q.Products {
			node.NVIDIA.Products = program.Products(ctx, d, node.NVIDIA.CUDA)
		}
	}
	wg.Wait()
}

func controlPlane(ctx context.Context, d *disk.Disk, pods []facts.StaticPod) facts.ControlPlane {
	if len(pods) == 0 {
		return facts.ControlPlane{Unknown: "no static pods of a control plane on this node"}
	}
	found := facts.ControlPlane{StaticPods: append([]facts.StaticPod(nil), pods...), Doubles: controlplane.Doubles(d)}
	var wg sync.WaitGroup
	wg.Go(func() { found.APIServer = controlplane.APIServer(ctx, d, pods) })
	containers, err := running(ctx, d)
	wg.Wait()
	if err != nil {
		found.ContainersUnknown = err.Error()
	}
	for i := range found.StaticPods {
		for _, c := range containers {
			if p := &found.StaticPods[i]; p.Component == c.Component {
				p.ContainerID, p.StartedAt, p.Attempt = c.ID, c.StartedAt, c.Attempt
			}
		}
	}
	return found
}

// services looks at the services that the node's layout names.
func services(d *disk.Disk) []facts.Service {
	l, err := pki.Find(d, "auto")
	if err != nil {
		return nil
	}
	return service.Collect(d, l.Service, l.Etcd)
}

func running(ctx context.Context, d *disk.Disk) ([]cri.Container, error) {
	client, err := cri.Dial(d)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return client.Running(ctx, controlplane.Components())
}

// methods are what a node answers, one line each. Hello is the session's own.
func (h *Host) methods() []method {
	return []method{
		answers(protocol.Observe, h.Observe),
		answers(protocol.Kubeadm, h.Kubeadm),
		answers(protocol.Lock, h.Lock),
		changes(protocol.Renew, h.Renew),
		changes(protocol.Repair, h.Repair),
		changes(protocol.Restart, h.Restart),
		changes(protocol.Undo, h.Undo),
		changes(protocol.RestartService, h.RestartService),
		changes(protocol.Reboot, h.Reboot),
		changes(protocol.Download, h.Download),
		changes(protocol.Install, h.Install),
		changes(protocol.Sign, h.Sign),
		changes(protocol.Timer, h.Timer),
	}
}

// Kubeadm says what this node has of the cluster's kubeadm configuration; see package kubeadm.
func (h *Host) Kubeadm(ctx context.Context, _ protocol.KubeadmRequest) (facts.ConfigurationSources, error) {
	d, err := h.open()
	if err != nil {
		return facts.ConfigurationSources{}, err
	}
	defer d.Close()
	return kubeadm.Sources(ctx, d, h.options.Now()), nil
}

// Renew renews certificates; see package renew.
func (h *Host) Renew(ctx context.Context, q protocol.RenewRequest, progress func(string)) (protocol.RenewResult, error) {
	d, err := h.open()
	if err != nil {
		return protocol.RenewResult{}, err
	}
	defer d.Close()
	kubeadm, err := h.kubeadm(d)
	if err != nil {
		return protocol.RenewResult{}, fmt.Errorf("renew certificates: %w", err)
	}
	r := h.renewer(d, q.Run.Step)
	r.Kubeadm = kubeadm
	result, err := r.Run(ctx, q, quiet(progress))
	if err == nil && q.Outage {
		wake(ctx, d, quiet(progress))
	}
	return result, err
}

// wake has what ended for want of a certificate started again; see package cri.
func wake(ctx context.Context, d *disk.Disk, progress func(string)) {
	client, err := cri.Dial(d)
	if err != nil {
		progress(fmt.Sprintf("the kubelet may wait before it starts what has ended: %v", err))
		return
	}
	defer client.Close()
	client.Wake(ctx, controlplane.Components(), progress)
}

// Repair finishes or undoes what an interrupted renewal left; see package renew.
func (h *Host) Repair(_ context.Context, q protocol.RepairRequest, progress func(string)) (protocol.RepairResult, error) {
	d, err := h.open()
	if err != nil {
		return protocol.RepairResult{}, err
	}
	defer d.Close()
	return h.renewer(d, q.Run.Step).Repair(q, quiet(progress))
}

// Undo undoes one mark; see package renew, which makes all there are.
func (h *Host) Undo(ctx context.Context, q protocol.UndoRequest, progress func(string)) (protocol.UndoResult, error) {
	d, err := h.open()
	if err != nil {
		return protocol.UndoResult{}, err
	}
	defer d.Close()
	if strings.HasPrefix(q.Mark, timer.Kind+":") {
		t, err := h.timers(d)
		if err != nil {
			return protocol.UndoResult{}, err
		}
		if err := t.Undo(ctx, q.Mark); err != nil {
			return protocol.UndoResult{}, fmt.Errorf("undo mark %q: %w", q.Mark, err)
		}
		return protocol.UndoResult{Undone: "stopped the timer"}, nil
	}
	return h.renewer(d, q.Run.Step).Undo(q, quiet(progress))
}

// Sign issues a client certificate again for a new key; see package sign.
func (h *Host) Sign(_ context.Context, q protocol.SignRequest, _ func(string)) (protocol.SignResult, error) {
	d, err := h.open()
	if err != nil {
		return protocol.SignResult{}, err
	}
	defer d.Close()
	return sign.Run(d, q, h.options.Now())
}

// Timer arms a timer that restores a StatefulSet, or takes it back; see package timer.
func (h *Host) Timer(
	ctx context.Context, q protocol.TimerRequest, progress func(string),
) (protocol.TimerResult, error) {
	d, err := h.open()
	if err != nil {
		return protocol.TimerResult{}, err
	}
	defer d.Close()
	t, err := h.timers(d)
	if err != nil {
		return protocol.TimerResult{}, err
	}
	return t.Run(ctx, q, quiet(progress))
}

func (h *Host) timers(d *disk.Disk) (*timer.Timers, error) {
	t := &timer.Timers{Disk: d, Schedule: h.options.Schedule, Now: h.options.Now}
	var err error
	if t.Schedule == nil {
		if t.Schedule, err = timer.Choose(); err != nil {
			return nil, err
		}
	}
	t.Program, err = unit.Self()
	return t, err
}

// Restore does what a timer is for that has elapsed, and says what that was.
func (h *Host) Restore(ctx context.Context, id string) (string, error) {
	d, err := h.open()
	if err != nil {
		return "", err
	}
	defer d.Close()
	return timer.Restore(ctx, d, id)
}

// Lock takes, renews or releases the node's lock; see package fence.
func (h *Host) Lock(_ context.Context, q protocol.LockRequest) (protocol.LockResult, error) {
	d, err := h.open()
	if err != nil {
		return protocol.LockResult{}, err
	}
	defer d.Close()
	return h.fence(d).Lock(q)
}

func (h *Host) renewer(d *disk.Disk, step string) *renew.Renewer {
	r := &renew.Renewer{Disk: d, Now: h.options.Now}
	if h.options.At != nil {
		r.At = func(instant string) { h.options.At(step + "/" + instant) }
	}
	if socket, err := cri.Socket(d); err == nil {
		r.CRISocket = socket
	}
	return r
}

// Restart replaces the container of a static pod; see package cri.
func (h *Host) Restart(ctx context.Context, q protocol.RestartRequest, progress func(string)) (protocol.RestartResult, error) {
	d, err := h.open()
	if err != nil {
		return protocol.RestartResult{}, err
	}
	defer d.Close()
	client, err := cri.Dial(d)
	if err != nil {
		return protocol.RestartResult{}, fmt.Errorf("restart %s: %w", q.Component, err)
	}
	defer client.Close()
	if q.Stale {
		written, err := pki.Written(d, q.Component)
		if err != nil {
			return protocol.RestartResult{}, fmt.Errorf("restart %s: %w", q.Component, err)
		}
		return client.RestartStale(ctx, q, written, controlplane.Components(), quiet(progress))
	}
	return client.Restart(ctx, q, controlplane.Components(), quiet(progress))
}

// RestartService restarts a service of systemd; see package service.
func (h *Host) RestartService(
	ctx context.Context, q protocol.RestartServiceRequest, progress func(string),
) (protocol.RestartServiceResult, error) {
	d, err := h.open()
	if err != nil {
		return protocol.RestartServiceResult{}, err
	}
	defer d.Close()
	r := service.Restarter{Disk: d, Systemctl: h.systemctl(d)}
	if r.Systemctl == "" {
		return protocol.RestartServiceResult{}, fmt.Errorf("restart %s: there is no systemctl on this node", q.Service)
	}
	return r.Run(ctx, q, quiet(progress))
}

// systemctl returns the path of systemctl; empty where the node has none.
func (h *Host) systemctl(d *disk.Disk) string {
	if h.options.Systemctl != "" {
		return h.options.Systemctl
	}
	for _, p := range []string{"/usr/bin/systemctl", "/bin/systemctl"} {
		if d.Exists(p) {
			return d.Real(p)
		}
	}
	return ""
}

// Reboot boots this node; see package reboot.
func (h *Host) Reboot(
	ctx context.Context, q protocol.RebootRequest, progress func(string),
) (protocol.RebootResult, error) {
	d, err := h.open()
	if err != nil {
		return protocol.RebootResult{}, err
	}
	defer d.Close()
	r := reboot.Rebooter{Disk: d, Systemctl: h.systemctl(d)}
	if r.Systemctl == "" {
		return protocol.RebootResult{}, errors.New("reboot the node: there is no systemctl on this node")
	}
	return r.Run(ctx, q, quiet(progress))
}

// Download downloads the archives of a change of packages; see package apt.
func (h *Host) Download(
	ctx context.Context, q protocol.DownloadRequest, progress func(string),
) (protocol.DownloadResult, error) {
	d, err := h.open()
	if err != nil {
		return protocol.DownloadResult{}, err
	}
	defer d.Close()
	return apt.Download(ctx, d, q, quiet(progress))
}

// Install changes packages of the driver; see package apt.
func (h *Host) Install(
	ctx context.Context, q protocol.InstallRequest, progress func(string),
) (protocol.InstallResult, error) {
	d, err := h.open()
	if err != nil {
		return protocol.InstallResult{}, err
	}
	defer d.Close()
	return apt.Install(ctx, d, q, quiet(progress))
}

// Tunnel opens a connection to a service of this node by its name: "etcd", its member; "endpoint", an etcd
// elsewhere that the request names; "bundles" (package bundles); "files", the keys and the configuration of its
// control plane (package collect); "cold", the data directory of its member while that is stopped (package
// cold); or "sqlite", the database of its k3s server (package sqlite). The caller closes it.
func (h *Host) Tunnel(ctx context.Context, service string) (net.Conn, error) {
	var names []string
	for _, s := range protocol.Services() {
		names = append(names, s.Name)
	}
	if !slices.Contains(names, service) {
		return nil, fmt.Errorf("no tunnel to %q; there are %q", service, names)
	}
	d, err := h.open()
	if err != nil {
		return nil, err
	}
	switch service {
	case bundles.Service:
		return bundles.Dial(d, h.fence(d)), nil
	case collect.Service:
		return collect.Open(ctx, d), nil
	case cold.Service:
		return cold.Open(ctx, d), nil
	case etcdtunnel.EndpointService:
		return etcdtunnel.Open(ctx, d, h.options.Now()), nil
	case sqlite.Service:
		return sqlite.Open(ctx, d, k3s.Database), nil
	}
	defer d.Close()
	return etcdtunnel.Dial(ctx, d, h.options.Now())
}

// quiet lets operations call progress without looking whether anybody listens.
func quiet(progress func(string)) func(string) {
	if progress == nil {
		return func(string) {}
	}
	return progress
}
