package driver

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/downtime"
	"upkeep/providers/facts"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func block(change ...func(*Spec)) Spec {
	return spec(append([]func(*Spec){func(s *Spec) {
		s.Nodes = config.Selection{Fleets: []string{"w"}}
		s.Policy = downtime.Policy{Leases: downtime.LeasesWait, DrainTimeout: config.Duration(time.Minute),
			RebootTimeout: config.Duration(time.Hour)}
	}}, change...)...)
}

// world holds nodes that are Ready, each with one pod, and what apt says of them.
func world(s Spec, nodes ...facts.Node) providers.Input {
	in := providers.Input{Now: noon, World: facts.World{
		Nodes: map[string]*facts.Node{}, Tenancies: &facts.Tenancies{}, Residents: &facts.Residents{},
		Maintenance: &facts.Maintenance{}, Drains: map[string]facts.Drain{},
	}}
	for i := range nodes {
		n := &nodes[i]
		in.World.Nodes[n.Name] = n
		in.World.Drains[n.Name] = facts.Drain{Pods: []facts.DrainPod{{Namespace: "default", Name: "web",
			Owner: "ReplicaSet web"}}}
		in.World.Kubernetes.Nodes = append(in.World.Kubernetes.Nodes, facts.KubernetesNode{Name: n.Name, Ready: true})
		in.Inventory.Nodes = append(in.Inventory.Nodes, config.Node{Name: n.Name, Block: "w", Fleet: true})
	}
	in.Declared = []providers.Resource{s}
	ask(s, in)
	return in
}

// ask has apt on each node answer what the second needs of a block ask.
func ask(s Spec, in providers.Input) {
	for _, need := range s.SecondNeeds(in.World, in.Inventory, false).Nodes {
		for _, name := range need.Nodes.Names {
			n := in.World.Nodes[name]
			change := *need.Question.Apt.Change
			t := &facts.AptTrial{Change: change, Missing: 2, Bytes: 300 << 20}
			for _, p := range change.Install {
				from := ""
				if has := n.NVIDIA.Packages.Package(p.Name); has != nil {
					from = has.Version
				}
				t.Installs = append(t.Installs, facts.PackageChange{Name: p.Name, From: from, To: p.Version})
			}
			for _, name := range change.Remove {
				t.Removes = append(t.Removes, facts.PackageAt{Name: name, Version: n.NVIDIA.Packages.Package(name).Version})
			}
			n.Apt.Trial = t
		}
	}
}

func old(change ...func(*facts.Node)) facts.Node {
	return node(serverHas(), serverOffers(), append([]func(*facts.Node){fabric}, change...)...)
}

// changed is a node that has everything of 580.126.20 on disk, and has not booted since.
func changed(change ...func(*facts.Node)) facts.Node {
	return old(append([]func(*facts.Node){func(n *facts.Node) {
		n.NVIDIA.Packages.Packages = []facts.Package{
			has("libnvidia-compute-580-server", is, archive), has("libnvidia-gl-580-server", is, archive),
			has("linux-modules-nvidia-580-server-open-"+kernel, "6.8.0-71.71+1", archive), has("nvidia-driver-580-server-open",
				is, archive),
			has("nvidia-fabricmanager-580", is, archive),
		}
		n.NVIDIA.OnDisk[0].Version, n.NVIDIA.Libraries.Files[0].Version, n.NVIDIA.FabricManager.Version = "580.126.20",
			"580.126.20", "580.126.20"
	}}, change...)...)
}

func loaded(n *facts.Node) {
	n.NVIDIA.Module.Version, n.NVIDIA.NVML.Driver = "580.126.20", "580.126.20"
}

func ours(in *providers.Input) {
	in.World.Kubernetes.Nodes[0].Unschedulable = true
	in.World.Kubernetes.Nodes[0].Cordon = &facts.Cordon{By: "nvidia_driver.workers", Run: "plan p0", Since: noon}
}

func tenant(in *providers.Input) {
	in.World.Tenancies.Leases = []facts.TenantLease{{Namespace: "l1", Owner: "akash1o", DSeq: "5", GSeq: "1", OSeq: "1",
		Provider: "akash1p",
		Pods:     []facts.TenantPod{{Name: "app", Node: "gpu1", GPUs: 8}}}}
}

func TestDiff(t *testing.T) {
	all := []string{
		"download driver 580.126.20", "cordon gpu1", "drain gpu1", "install driver 580.126.20", "reboot gpu1",
		"prove driver 580.126.20", "uncordon gpu1",
	}
	branch := block(func(s *Spec) { s.Version = "580" })
	second := func(change ...func(*facts.Node)) facts.Node {
		return old(append([]func(*facts.Node){func(n *facts.Node) {
			n.Name, n.System.MachineID, n.System.BootID = "gpu2",
				"m2", "b2"
		}}, change...)...)
	}
	only := func(version string) func(*facts.Node) {
		return func(n *facts.Node) {
			for i := range n.Apt.Offers {
				o := &n.Apt.Offers[i]
				o.Versions = slices.DeleteFunc(slices.Clone(o.Versions), func(v facts.PackageVersion) bool {
					return strings.HasPrefix(v.Version, "580") && upstreamOf(v.Version) != version
				})
			}
		}
	}
	with := func(in providers.Input, change ...func(*providers.Input)) providers.Input {
		for _, c := range change {
			c(&in)
		}
		return in
	}
	trial := func(change func(*facts.AptTrial)) func(*providers.Input) {
		return func(in *providers.Input) { change(in.World.Nodes["gpu1"].Apt.Trial) }
	}
	for _, test := range []struct {
		name     string
		spec     Spec
		in       providers.Input
		steps    []string
		findings []string
		says     string
	}{
		{name: "it has the driver", spec: block(), in: world(block(), changed(loaded))},
		{
			name: "another driver", spec: block(), in: world(block(), old()), steps: all, findings: []string{due},
			says: "the block wants driver 580.126.20, and the node has: loaded kernel module 570.124.06, module on disk",
		},
		{name: "everything is downloaded", spec: block(), steps: all[1:], findings: []string{due},
			in: with(world(block(), old()), trial(func(t *facts.AptTrial) { t.Missing = 0 }))},
		{name: "packages are there, and the boot is old", spec: block(), in: world(block(), changed()),
			steps:    []string{all[1], all[2], all[4], all[5], all[6]},
			findings: []string{due}},
		{name: "left cordoned before its reboot", spec: block(), in: with(world(block(), changed()), ours),
			steps:    []string{all[2], all[4], all[5], all[6]},
			findings: []string{due}},
		{name: "left cordoned with its driver", spec: block(), in: with(world(block(), changed(loaded)), ours),
			steps: all[5:], findings: []string{left}},
		{
			name: "another kernel module alone", spec: block(func(s *Spec) { s.KernelModule = Proprietary }),
			findings: []string{due, blocked},
			in:       world(block(), changed(loaded)),
			says:     "the open kernel module is loaded, and the block wants the proprietary one",
		},
		{
			name: "rebooted, and the module is still the old one", spec: block(), findings: []string{due, blocked},
			in: world(block(), changed(func(n *facts.Node) {
				n.History.Entries = []facts.HistoryEntry{
					{Method: "driver.install", Ended: noon, Outcome: facts.OutcomeDone},
					{Method: "node.reboot", Ended: noon.Add(time.Hour), Outcome: facts.OutcomeRebooted},
				}
			})),
			says: "the node has rebooted since upkeep installed the packages, and the loaded module is still 570.124.06",
		},
		{
			name: "rebooted before its packages came", spec: block(), steps: []string{all[1], all[2], all[4], all[5], all[6]},
			findings: []string{due},
			in: world(block(), changed(func(n *facts.Node) {
				n.History.Entries = []facts.HistoryEntry{
					{Method: "node.reboot", Ended: noon, Outcome: facts.OutcomeRebooted},
					{Method: "driver.install", Ended: noon.Add(time.Hour), Outcome: facts.OutcomeDone},
				}
			})),
		},
		{
			name: "the module of the next kernel stayed behind", spec: block(), findings: []string{due, blocked},
			in: world(block(), changed(func(n *facts.Node) { n.NVIDIA.OnDisk[0].Version = "570.124.06" })),
			says: "all packages are installed, and the module on disk for kernel " + kernel +
				" is 570.124.06: a reboot changes nothing",
		},
		{name: "apt would remove another package", spec: block(), findings: []string{due, blocked},
			says: "apt would also remove dkms",
			in: with(world(block(), old()), trial(func(t *facts.AptTrial) {
				t.Removes = append(t.Removes,
					facts.PackageAt{Name: "dkms", Version: "3"})
			}))},
		{name: "apt would install a kernel", spec: block(), findings: []string{due, blocked},
			says: "apt would also install kernel linux-image-6.8.0-90-generic",
			in: with(world(block(), old()), trial(func(t *facts.AptTrial) {
				t.Installs = append(t.Installs, facts.PackageChange{Name: "linux-image-6.8.0-90-generic", To: "6.8.0-90.91"})
			}))},
		{name: "apt would take a part of another version", spec: block(), findings: []string{due, blocked},
			says: "apt would also install libnvidia-gl-580 580.200.01-1",
			in: with(world(block(), old()), trial(func(t *facts.AptTrial) {
				t.Installs = append(t.Installs, facts.PackageChange{Name: "libnvidia-gl-580", To: "580.200.01-1"})
			}))},
		{name: "apt cannot do it", spec: block(), findings: []string{due, blocked},
			says: "apt cannot install these packages: Depends: x",
			in:   with(world(block(), old()), trial(func(t *facts.AptTrial) { t.Refused = "Depends: x" }))},
		{name: "apt was not asked", spec: block(), findings: []string{due, unknown}, says: "nobody asked",
			in: with(world(block(), old()), func(in *providers.Input) { in.World.Nodes["gpu1"].Apt.Trial = nil })},
		{name: "a full disk", spec: block(), findings: []string{due, blocked},
			says: "/ has 900 MiB free, and the packages need 1024 MiB",
			in: with(world(block(), old()),
				func(in *providers.Input) { in.World.Nodes["gpu1"].Floor.Filesystems[0].Free = 900 << 20 })},
		{name: "nobody knows the free space", spec: block(), findings: []string{due, unknown}, says: "the free space of /",
			in: with(world(block(), old()), func(in *providers.Input) { in.World.Nodes["gpu1"].Floor = facts.Floor{} })},
		{name: "the GPU Operator's node", spec: block(), findings: []string{operated},
			says: "NVIDIA's GPU Operator runs the driver",
			in: world(block(), old(func(n *facts.Node) {
				n.NVIDIA.Maintainers.Found = []facts.Maintainer{{Name: facts.MaintainerOperator}}
			}))},
		{name: "two blocks", spec: block(), findings: []string{twice}, says: "nvidia_driver.again selects the node, too",
			in: with(world(block(), old()), func(in *providers.Input) {
				in.Declared = append(in.Declared, block(func(s *Spec) { s.Name = "again" }))
			})},
		{name: "no block", spec: block(), findings: []string{unclaimed},
			says: "no nvidia_driver block selects gpu2, which runs driver 570.124.06",
			in: with(world(block(), changed(loaded), second()),
				func(in *providers.Input) { in.Inventory.Nodes[1].Block = "other" })},
		{name: "upkeep runs on it", spec: block(), findings: []string{due, itself}, says: "run upkeep from another machine",
			in: with(world(block(), old()), func(in *providers.Input) { in.World.Here.MachineID = "m1" })},
		{name: "no GPU", spec: block(), in: world(block(), facts.Node{Name: "gpu1", NVIDIA: facts.NVIDIA{Absent: true}})},
		{name: "it does not answer", spec: block(), findings: []string{"NODE_UNREACHABLE"}, in: world(block(),
			facts.Node{Name: "gpu1", Unknown: "no answer"})},
		{name: "its driver is unknown", spec: block(), findings: []string{unknown}, says: "permission denied",
			in: world(block(), old(func(n *facts.Node) { n.NVIDIA.Module = facts.LoadedModule{Unknown: "permission denied"} }))},
		{name: "tenants are waited for", spec: block(), steps: all, findings: []string{due},
			says: "the change waits for 1 lease on gpu1: akash1o/5/1/1",
			in:   with(world(block(), old()), tenant)},
		{name: "tenants came before the cordon", spec: block(), steps: all[6:], findings: []string{due, left},
			in: with(world(block(), old()), ours, tenant)},
		{name: "somebody else has cordoned it", spec: block(), findings: []string{due, blocked},
			says: "somebody else has cordoned the node",
			in:   with(world(block(), old()), func(in *providers.Input) { in.World.Kubernetes.Nodes[0].Unschedulable = true })},
		{name: "DKMS that signs its module", spec: block(), findings: []string{due, signing}, steps: all,
			in: world(block(), old(func(n *facts.Node) {
				n.NVIDIA.Packages.Packages[1] = has("nvidia-dkms-570-server-open", was, archive)
				n.Boot.SecureBoot = facts.SecureBootEnabled
			}))},
		{name: "a branch: the newest that all have", spec: branch, findings: []string{due, due},
			says: "the block wants driver 580.95.05",
			in:   world(branch, old(), second(only("580.95.05"))),
			steps: append(strings.Split(strings.ReplaceAll(strings.Join(append(slices.Clone(all),
				"remember driver 580.126.20 as proved on h100"), "\n"), "126.20", "95.05"), "\n"),
				strings.Split(strings.NewReplacer("126.20", "95.05", "gpu1", "gpu2").Replace(strings.Join(all, "\n")), "\n")...)},
		{name: "a branch of which there is no common version", spec: branch, findings: []string{disagree},
			says: "apt offers no version of branch 580 on every node (gpu1: 580.126.20, gpu2: 580.95.05)",
			in:   world(branch, old(only("580.126.20")), second(only("580.95.05")))},
		{name: "a branch of which a node runs a newer version", spec: branch, findings: []string{disagree},
			says: "gpu1 runs 580.126.20, and the newest version",
			in:   world(branch, changed(loaded), second(only("580.95.05")))},
	} {
		t.Run(test.name, func(t *testing.T) {
			out := test.spec.Diff(test.in)
			var steps, findings []string
			text := ""
			for _, s := range out.Steps {
				steps = append(steps, s.Summary)
			}
			for _, f := range out.Findings {
				findings = append(findings, f.ID)
				text += f.Summary + "\n"
			}
			if diff := cmp.Diff(test.steps, steps); diff != "" {
				t.Errorf("steps (-want +got):\n%s\n%s", diff, text)
			}
			if diff := cmp.Diff(test.findings, findings); diff != "" {
				t.Errorf("findings (-want +got):\n%s%s", diff, text)
			}
			if !strings.Contains(text, test.says) {
				t.Errorf("%q does not say %q", text, test.says)
			}
			for _, s := range out.Steps {
				if s.Disruption != "" && !slices.ContainsFunc(s.Guards,
					func(n providers.Need) bool { return n.Name == downtime.GuardBackup }) {
					t.Errorf("%s disrupts without a backup", s.ID)
				}
			}
		})
	}
}

// After its own steps a plan has nothing left to do, and each of them may run in the world that the one before it
// leaves.
func TestPlansConverge(t *testing.T) {
	for name, in := range map[string]providers.Input{
		"due": world(block(), old()), "packages are there": world(block(), changed()),
		"left": func() providers.Input { in := world(block(), changed(loaded)); ours(&in); return in }(),
	} {
		t.Run(name, func(t *testing.T) {
			in.World = in.World.Clone()
			for _, step := range block().Diff(in).Steps {
				e := AllEffects()[step.Operation]
				step, err := step.WithGround(e.Ground(in, step))
				if err != nil {
					t.Fatal(err)
				}
				if r := e.Ready(in, step); r.State != providers.Holds && r.State != providers.Done {
					t.Errorf("%s: %s: %s", step.ID, r.State, r.Why)
				}
				before := in
				before.World = in.World.Clone()
				in.Apply(e.Predict(in, step))
				if err := e.Proved(before, in, step); err != nil {
					t.Errorf("%s: %v", step.ID, err)
				}
				if len(e.ByHand(in, step)) == 0 {
					t.Errorf("%s: nobody could do it by hand", step.ID)
				}
			}
			if out := block().Diff(in); len(out.Steps)+len(out.Findings) > 0 {
				t.Errorf("left are %d steps and %+v", len(out.Steps), out.Findings)
			}
		})
	}
}

// Before packages change, the world is looked at again.
func TestPackagesReady(t *testing.T) {
	in := world(block(), old())
	steps := block().Diff(in).Steps
	step := steps[slices.IndexFunc(steps, func(s providers.Step) bool { return s.Operation == OperationPackages })]
	e := effect{OperationPackages}
	step, err := step.WithGround(e.Ground(in, step))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		change func(*providers.Input, *facts.Node)
		want   providers.ReadyState
		says   string
	}{
		{"as planned", func(*providers.Input, *facts.Node) {}, providers.Holds, ""},
		{"installed already", func(_ *providers.Input, n *facts.Node) { n.NVIDIA = changed().NVIDIA }, providers.Done,
			"has the packages of driver 580.126.20"},
		{"not cordoned", func(in *providers.Input, _ *facts.Node) { in.World.Kubernetes.Nodes[0].Unschedulable = false },
			providers.Moved, "somebody has uncordoned gpu1"},
		{"tenants", func(in *providers.Input, _ *facts.Node) { tenant(in) }, providers.Moved,
			"tenants came just before the cordon"},
		{"it has booted", func(_ *providers.Input, n *facts.Node) { n.System.BootID = "b9" }, providers.Moved,
			"gpu1 has booted since the plan was made, and lacks packages"},
		{"another kernel boots next", func(_ *providers.Input, n *facts.Node) { n.Boot.Next = "6.8.0-90-generic" },
			providers.Moved, "kernel 6.8.0-90-generic boots next"},
		{"apt would do something else", func(_ *providers.Input, n *facts.Node) {
			trial := *n.Apt.Trial
			trial.Removes = append(slices.Clone(trial.Removes), facts.PackageAt{Name: "dkms", Version: "3"})
			n.Apt.Trial = &trial
		}, providers.Moved, "apt on gpu1 would change other packages than the plan shows"},
		{"apt was not asked", func(_ *providers.Input, n *facts.Node) { n.Apt.Trial = nil }, providers.Unknown,
			"nobody asked apt"},
		{"dpkg was interrupted", func(_ *providers.Input, n *facts.Node) { n.NVIDIA.Packages.Interrupted = true },
			providers.Moved, "dpkg was interrupted"},
		{"upkeep runs on it", func(in *providers.Input, _ *facts.Node) { in.World.Here.MachineID = "m1" }, providers.Moved,
			"upkeep runs on this node"},
	} {
		t.Run(test.name, func(t *testing.T) {
			now := in
			now.World = in.World.Clone()
			now.World.Kubernetes.Nodes = slices.Clone(now.World.Kubernetes.Nodes)
			now.World.Tenancies = &facts.Tenancies{}
			ours(&now)
			n := *now.World.Nodes["gpu1"]
			test.change(&now, &n)
			now.World.Nodes["gpu1"] = &n
			if r := e.Ready(now, step); r.State != test.want || !strings.Contains(r.Why, test.says) {
				t.Errorf("%s: %q; want %s: %q", r.State, r.Why, test.want, test.says)
			}
		})
	}
}

// Each part of a driver that does not work is told.
func TestNotProved(t *testing.T) {
	a := args{Version: "580.126.20", Open: true, Kernel: kernel, GPUs: 1, Fabric: true, Products: true}
	for _, test := range []struct {
		says   string
		change func(*facts.NVIDIA)
	}{
		{"", func(*facts.NVIDIA) {}},
		{"is not loaded", func(d *facts.NVIDIA) { d.Module.Loaded = false }},
		{"the loaded kernel module is 570.124.06", func(d *facts.NVIDIA) { d.Module.Version = "570.124.06" }},
		{"the proprietary kernel module is loaded", func(d *facts.NVIDIA) { d.Module.Open = false }},
		{"the module on disk", func(d *facts.NVIDIA) { d.OnDisk[0].Version = "570.124.06" }},
		{"libcuda.so is 570.124.06", func(d *facts.NVIDIA) { d.Libraries.Files[0].Version = "570.124.06" }},
		{"libcuda.so is missing", func(d *facts.NVIDIA) { d.Libraries.Files = nil }},
		{"the fabric manager is 580.95.05", func(d *facts.NVIDIA) { d.FabricManager.Version = "580.95.05" }},
		{"the fabric manager does not run (failed", func(d *facts.NVIDIA) { d.FabricManager.Unit.Active = "failed" }},
		{"the fabric manager is not enabled", func(d *facts.NVIDIA) { d.FabricManager.Unit.Enabled = "disabled" }},
		{"NVML: it does not answer", func(d *facts.NVIDIA) { d.NVML.Unknown = "it does not answer" }},
		{"NVML says driver 570.124.06", func(d *facts.NVIDIA) { d.NVML.Driver = "570.124.06" }},
		{"NVML lists 0 working GPUs of 1", func(d *facts.NVIDIA) { d.NVML.GPUs = []facts.GPU{{Unknown: "lost"}} }},
		{"the fabric state is not known: no answer",
			func(d *facts.NVIDIA) { d.NVML.GPUs = []facts.GPU{{Fabric: facts.GPUFabric{Unknown: "no answer"}}} }},
		{`the fabric state is "in progress"`,
			func(d *facts.NVIDIA) { d.NVML.GPUs = []facts.GPU{{Fabric: facts.GPUFabric{State: "in progress"}}} }},
		{"could not register in the fabric (status 7)", func(d *facts.NVIDIA) {
			d.NVML.GPUs = []facts.GPU{{Fabric: facts.GPUFabric{State: "completed", Status: 7}}}
		}},
		{"CUDA: cuInit returns 802", func(d *facts.NVIDIA) { d.CUDA = facts.CUDA{Result: 802} }},
		{"CUDA: a program sees 0 devices of 1", func(d *facts.NVIDIA) { d.CUDA = facts.CUDA{} }},
		{"CUDA: no answer in 20s", func(d *facts.NVIDIA) { d.CUDA = facts.CUDA{Silent: true, Unknown: "no answer in 20s"} }},
		{"GPU 0000:15:00 does not compute: 3 of 9 numbers are wrong", func(d *facts.NVIDIA) {
			d.Products = []facts.Product{{PCI: "0000:15:00", Failed: "3 of 9 numbers are wrong"}}
		}},
		{"GPU 1 of CUDA does not compute: no answer in 30s", func(d *facts.NVIDIA) {
			d.Products = append(d.Products, facts.Product{Device: 1, Failed: "no answer in 30s"})
		}},
		{"GPU 0 of CUDA does not compute: no result", func(d *facts.NVIDIA) { d.Products = []facts.Product{{}} }},
		{"0 of 1 GPUs computed something", func(d *facts.NVIDIA) { d.Products = nil }},
		{"1 of 7 GPUs computed something", func(d *facts.NVIDIA) { d.CUDA.Devices, d.NVML.GPUs[0].MIG.Enabled = 7, true }},
	} {
		n := changed(loaded, func(n *facts.Node) {
			n.NVIDIA.Products = computed(1)
			test.change(&n.NVIDIA)
		})
		if got := notProved(a, n); !strings.Contains(got, test.says) || (test.says == "") != (got == "") {
			t.Errorf("%q does not say %q", got, test.says)
		}
	}
}

// A plan for many nodes takes as long as they are many: the question of a second look asks each due node once.
func TestSecondNeeds(t *testing.T) {
	var nodes []facts.Node
	for i := range 3 {
		nodes = append(nodes, old(func(n *facts.Node) { n.Name = fmt.Sprintf("gpu%d", i+1) }))
	}
	nodes = append(nodes, changed(loaded, func(n *facts.Node) { n.Name = "gpu9" }))
	in := world(block(), nodes...)
	needs := block().SecondNeeds(in.World, in.Inventory, false)
	if len(needs.Nodes) != 3 || len(needs.Kubernetes.Drains) != 3 || needs.Etcd {
		t.Errorf("%+v", needs)
	}
	for _, need := range needs.Nodes {
		if c := need.Question.Apt.Change; c == nil || len(c.Install) == 0 || need.Question.Apt.Branch != "580" {
			t.Errorf("%+v asks for %+v", need.Nodes, need.Question.Apt)
		}
	}
	in.Inventory.Nodes[0].Roles = []string{"etcd"}
	if !block().SecondNeeds(in.World, in.Inventory, false).Etcd {
		t.Error("nobody asks for etcd")
	}
}
