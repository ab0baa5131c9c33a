package nvidia

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const version = "570.124.06"

// healthy is an HGX H100 with 8 GPUs on which everything works.
func healthy() Look {
	n := facts.NVIDIA{
		Fabric: facts.Fabric{Manager: facts.Needed, Why: "4 NVSwitches on the PCI bus", OnBus: 4, Driven: 4},
		Module: facts.LoadedModule{Loaded: true, Version: version, Open: true, DRM: true, DRMAtBoot: true},
		OnDisk: []facts.ModuleFile{{Kernel: "6.8.0-60", Path: "/lib/modules/6.8.0-60/nvidia.ko", Version: version,
			Signed: true}},
		Libraries: facts.DriverLibraries{Files: []facts.DriverLibrary{
			{Name: "libcuda.so", Version: version, Used: true}, {Name: "libnvidia-ml.so", Version: version, Used: true},
		}},
		NVML: facts.NVML{Driver: version, CUDA: "12.8"}, CUDA: facts.CUDA{Devices: 8},
		FabricManager: facts.DriverService{
			Unit: facts.Unit{Load: "loaded", Active: "active", Sub: "running", Enabled: "enabled"}, Version: version,
		},
		Runtime: facts.Runtime{Name: "containerd", Handlers: []string{"runc", "nvidia"}},
	}
	accepted := facts.AcceptedNode{Name: "gpu1", MachineID: "m1"}
	for i := range 8 {
		address := "0000:" + string(rune('1'+i)) + "0:00"
		serial := "S" + string(rune('1'+i))
		n.Devices.GPUs = append(n.Devices.GPUs, facts.PCIDevice{Address: address + ".0", Device: "10de:2330",
			Driver: "nvidia", Model: "h100"})
		n.NVML.GPUs = append(n.NVML.GPUs, facts.GPU{
			Index: i, PCI: "0000" + address + ".0", Serial: serial, Fabric: facts.GPUFabric{State: "completed"},
			Recovery: facts.GPURecovery{Action: facts.RecoveryNone},
		})
		accepted.GPUs = append(accepted.GPUs, facts.AcceptedGPU{PCI: address, Device: "10de:2330", Model: "h100",
			Serial: serial})
	}
	in := providers.Input{Now: noon}
	return Look{
		Node: facts.Node{
			Name: "gpu1", System: facts.System{Kernel: "6.8.0-60", MachineID: "m1",
				BootID: "b1"}, NVIDIA: n, KernelLog: facts.KernelLog{Boot: "b1"},
		},
		Kubernetes: &facts.KubernetesNode{Name: "gpu1", Ready: true,
			GPUs: map[string]facts.Offered{gpuResource: {Capacity: 8, Allocatable: 8}}},
		Accepted: accepted, Clock: in.Clock(),
	}
}

func event(code int, pci string, at time.Time) facts.KernelEvent {
	return facts.KernelEvent{Kind: "Xid", Code: code, PCI: pci, Origin: "kernel", At: at, Sequence: 100,
		Text: "NVRM: Xid"}
}

// told is what a test compares of problems.
type told struct{ ID, Class, Object, Says string }

// TestStates: each seeded fault of a node is named right, and nothing else is said.
func TestStates(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Look)
		status Status
		want   []told
	}{
		{name: "all is well", change: func(*Look) {}, status: StatusHealthy},
		{
			name: "fabric manager 550.127.05 beside 550.120", status: StatusMismatch, change: func(l *Look) {
				setVersion(l, "550.120")
				l.Node.NVIDIA.FabricManager.Version = "550.127.05"
				l.Node.NVIDIA.FabricManager.Unit.Active = "failed"
			},
			want: []told{{"FABRIC_MANAGER_MISMATCH", ClassFabric, "fabric manager",
				"fabric manager 550.127.05, loaded module 550.120"}},
		},
		{
			name: "the same number with another spelling is another version", status: StatusMismatch, change: func(l *Look) {
				l.Node.NVIDIA.FabricManager.Version = "570.124.6"
			},
			want: []told{{"FABRIC_MANAGER_MISMATCH", ClassFabric, "fabric manager", "570.124.6"}},
		},
		{
			name: "the fabric manager was removed, and its unit still runs", status: StatusFabric, change: func(l *Look) {
				l.Node.NVIDIA.FabricManager.Version = ""
			},
			want: []told{{"FABRIC_MANAGER_MISSING", ClassFabric, "fabric manager", "nv-fabricmanager is missing"}},
		},
		{
			name: "one package of the set was moved", status: StatusDue, change: func(l *Look) {
				l.Node.NVIDIA.Packages = facts.DriverPackages{Packages: []facts.Package{{Name: "nvidia-driver-570-server", Status: "ii",
					Version: "570.124.06-1", Unmet: []string{"libnvidia-compute-570-server (= 570.124.06-1)"}}}}
			},
			want: []told{{"NVIDIA_PACKAGE_BROKEN", "", "package nvidia-driver-570-server", "libnvidia-compute-570-server (= 570.124.06-1)"}},
		},
		{
			name: "one version in several repositories", status: StatusHealthy, change: func(l *Look) {
				l.Node.NVIDIA.Packages = facts.DriverPackages{Packages: []facts.Package{
					twice("pockets-570", "http://de.archive.ubuntu.com/ubuntu noble-updates/restricted amd64 Packages",
						"http://security.ubuntu.com/ubuntu noble-security/restricted amd64 Packages", "/var/lib/dpkg/status"),
					twice("hosts-570", "http://archive.ubuntu.com/ubuntu noble/restricted amd64 Packages",
						"https://developer.download.nvidia.com/compute/cuda/repos/ubuntu2404/x86_64  Packages"),
					twice("directories-570", "file:/srv/repo ./ Packages", "file:/srv/other ./ Packages"),
				}}
			},
			want: []told{
				{"NVIDIA_REPOSITORIES", "", "package hosts-570", "the archive of the distribution, developer.download.nvidia.com"},
				{"NVIDIA_REPOSITORIES", "", "package directories-570", "file:/srv/repo, file:/srv/other"},
			},
		},
		{
			name: "the fabric manager is missing", status: StatusFabric, change: func(l *Look) {
				l.Node.NVIDIA.FabricManager = facts.DriverService{Unit: facts.Unit{Load: "not-found"}}
			},
			want: []told{{"FABRIC_MANAGER_MISSING", ClassFabric, "fabric manager", "4 NVSwitches"}},
		},
		{
			name: "the fabric manager died, and the fabric state is latched", status: StatusFabric, change: func(l *Look) {
				l.Node.NVIDIA.FabricManager.Unit.Active, l.Node.NVIDIA.FabricManager.Unit.Result = "failed", "exit-code"
			},
			want: []told{{"FABRIC_MANAGER_FAILED", ClassFabric, "fabric manager", "the unit is failed (exit-code)"}},
		},
		{
			name: "not needed and failed asks for nothing", status: StatusHealthy, change: func(l *Look) {
				l.Node.NVIDIA.Fabric = facts.Fabric{Manager: facts.NotNeeded, Why: "PCIe cards"}
				l.Node.NVIDIA.FabricManager.Unit.Active = "failed"
				l.Node.NVIDIA.FabricManager.Version = "550.1"
			},
			want: []told{{"FABRIC_MANAGER_NOT_NEEDED", "", "fabric manager", "Reinstall nothing, and do not reboot"}},
		},
		{
			name: "not needed and running is nothing", status: StatusHealthy, change: func(l *Look) {
				l.Node.NVIDIA.Fabric = facts.Fabric{Manager: facts.NotNeeded}
			},
		},
		{
			name: "nobody knows whether it is needed", status: StatusUnknown,
			change: func(l *Look) { l.Node.NVIDIA.Fabric = facts.Fabric{} },
			want:   []told{{"FABRIC_MANAGER_UNKNOWN", "", "fabric manager", "nobody looked"}},
		},
		{
			name: "HGX B200 without its modules", status: StatusFabric, change: func(l *Look) {
				l.Node.NVIDIA.Fabric = facts.Fabric{
					Manager: facts.Needed, HGX: "HGX B200", Modules: map[string]bool{"ib_umad": false, "mlx5_core": true,
						"mlx5_ib": false},
				}
			},
			want: []told{{"FABRIC_MODULES_MISSING", ClassFabric, "fabric manager",
				"HGX B200 needs the modules ib_umad, mlx5_ib"}},
		},
		{
			name: "HGX A100 has no fabric state", status: StatusHealthy, change: func(l *Look) {
				for i := range l.Node.NVIDIA.NVML.GPUs {
					l.Node.NVIDIA.NVML.GPUs[i].Fabric = facts.GPUFabric{Unknown: facts.NotSupported}
				}
			},
		},
		{
			name: "user space was upgraded: a reboot repairs it", status: StatusMismatch, change: func(l *Look) {
				l.Node.NVIDIA.Libraries.Files[0].Version, l.Node.NVIDIA.Libraries.Files[1].Version = "570.133.20", "570.133.20"
				l.Node.NVIDIA.OnDisk[0].Version = "570.133.20"
				l.Node.NVIDIA.NVML = facts.NVML{Unknown: "Driver/library version mismatch", Kind: facts.NVMLMismatch}
			},
			want: []told{
				{"NVIDIA_MODULE_PENDING", "", "module for kernel 6.8.0-60", "loaded 570.124.06, on disk 570.133.20"},
				{"NVIDIA_LIBRARY_MISMATCH", ClassDriver, "libcuda.so", "a reboot repairs it"},
				{"NVIDIA_LIBRARY_MISMATCH", ClassDriver, "libnvidia-ml.so", "a reboot repairs it"},
			},
		},
		{
			name: "the module's package stayed behind: a reboot does not help", status: StatusMismatch, change: func(l *Look) {
				l.Node.NVIDIA.Libraries.Files[0].Version = "525.85.12"
			},
			want: []told{{"NVIDIA_LIBRARY_MISMATCH", ClassDriver, "libcuda.so",
				"stayed behind: a reboot does not repair it"}},
		},
		{
			name: "the next kernel has no module", status: StatusDue, change: func(l *Look) {
				l.Node.Boot = facts.Boot{Next: "6.8.0-64"}
				l.Node.NVIDIA.OnDisk = append(l.Node.NVIDIA.OnDisk, facts.ModuleFile{Kernel: "6.8.0-64", Missing: true})
			},
			want: []told{{"NVIDIA_MODULE_MISSING", "", "module for kernel 6.8.0-64", "boots next"}},
		},
		{
			name: "the module of the next kernel was not looked at", status: StatusUnknown, change: func(l *Look) {
				l.Node.Boot = facts.Boot{Next: "6.8.0-64"}
			},
			want: []told{{"NVIDIA_UNKNOWN", "", "module for kernel 6.8.0-64", "not observed"}},
		},
		{
			name: "the driver is not loaded", status: StatusNoDriver, change: func(l *Look) {
				l.Node.NVIDIA.Module = facts.LoadedModule{}
				l.Node.NVIDIA.NVML = facts.NVML{Kind: facts.NVMLUnloaded}
				l.Node.NVIDIA.CUDA = facts.CUDA{Result: facts.CUDANoDevice, Call: "cuInit"}
				l.Node.NVIDIA.Fabric = facts.Fabric{Manager: facts.NotNeeded}
			},
			want: []told{
				{"NVIDIA_DRIVER_NOT_LOADED", ClassDriver, "kernel module", "the node has 8 GPUs"},
				{"NVIDIA_CUDA_FAILS", ClassDriver, "CUDA", "cuInit returns 100"},
			},
		},
		{
			name: "CUDA 802", status: StatusFabric, change: func(l *Look) {
				l.Node.NVIDIA.CUDA = facts.CUDA{Result: facts.CUDASystemNotReady, Call: "cuInit"}
			},
			want: []told{{"NVIDIA_CUDA_FAILS", ClassFabric, "CUDA", "the fabric manager has not brought the fabric up"}},
		},
		{
			name: "cuInit hangs", status: StatusNoDriver, change: func(l *Look) {
				l.Node.NVIDIA.CUDA = facts.CUDA{Silent: true, Unknown: "no answer in 20s"}
			},
			want: []told{{"NVIDIA_CUDA_FAILS", ClassDriver, "CUDA", "cuInit did not return"}},
		},
		{
			name: "a GPU is gone from the bus", status: StatusLost, change: func(l *Look) {
				l.Node.NVIDIA.Devices.GPUs = l.Node.NVIDIA.Devices.GPUs[:7]
				l.Node.NVIDIA.NVML.GPUs = l.Node.NVIDIA.NVML.GPUs[:7]
				l.Node.NVIDIA.CUDA.Devices = 7
				l.Kubernetes.GPUs = map[string]facts.Offered{gpuResource: {Capacity: 7, Allocatable: 7}}
			},
			want: []told{{"GPU_MISSING", ClassLost, "GPU 0000:80:00",
				"7 of 8 accepted GPUs are on the PCI bus; this GPU (serial S8)"}},
		},
		{
			name: "NVML does not list a GPU", status: StatusLost, change: func(l *Look) {
				l.Node.NVIDIA.NVML.GPUs = l.Node.NVIDIA.NVML.GPUs[:7]
			},
			want: []told{{"GPU_LOST", ClassLost, "GPU 0000:80:00", "NVML does not list"}},
		},
		{
			name: "another board is in a slot", status: StatusDue,
			change: func(l *Look) { l.Node.NVIDIA.NVML.GPUs[0].Serial = "T1" },
			want:   []told{{"GPU_REPLACED", "", "GPU 0000:10:00", "serial S1 -> T1"}},
		},
		{
			name: "two boards changed places", status: StatusDue, change: func(l *Look) {
				g := l.Node.NVIDIA.NVML.GPUs
				g[0].Serial, g[1].Serial = g[1].Serial, g[0].Serial
			},
			want: []told{
				{"GPU_REPLACED", "", "GPU 0000:10:00", "serial S1 moved: 0000:10:00 -> 0000:20:00"},
				{"GPU_REPLACED", "", "GPU 0000:20:00", "serial S2 moved: 0000:20:00 -> 0000:10:00"},
			},
		},
		{
			name: "the driver asks for a reset", status: StatusFaulty, change: func(l *Look) {
				l.Node.NVIDIA.NVML.GPUs[2].Recovery.Action = facts.RecoveryReset
			},
			want: []told{{"GPU_RECOVERY_DUE", ClassReset, "GPU 0000:30:00", "reset GPU (serial S3)"}},
		},
		{
			name: "an action that upkeep does not know", status: StatusFaulty, change: func(l *Look) {
				l.Node.NVIDIA.NVML.GPUs[2].Recovery.Action = "unknown (9)"
			},
			want: []told{{"GPU_RECOVERY_DUE", ClassUnclear, "GPU 0000:30:00", "unknown (9)"}},
		},
		{
			name: "a row could not be remapped", status: StatusFaulty,
			change: func(l *Look) { l.Node.NVIDIA.NVML.GPUs[0].Remap.Failed = true },
			want:   []told{{"GPU_REMAP_FAILED", ClassMemory, "GPU 0000:10:00", "the board must be replaced"}},
		},
		{
			name: "Xid 79 now", status: StatusFaulty, change: func(l *Look) {
				l.Node.KernelLog.Events = []facts.KernelEvent{event(79, "0000:10:00", noon.Add(-time.Hour))}
			},
			want: []told{{"NVIDIA_XID_REBOOT", ClassReboot, "GPU 0000:10:00 Xid 79",
				"GPU has fallen off the bus: once, last 2026-11-22 11:00 UTC"}},
		},
		{
			name: "Xid 79 of two days ago is history", status: StatusHealthy, change: func(l *Look) {
				l.Node.KernelLog.Events = []facts.KernelEvent{event(79, "0000:10:00", noon.Add(-48*time.Hour))}
			},
			want: []told{{"NVIDIA_XID_REBOOT", "", "GPU 0000:10:00 Xid 79", "GPU has fallen off the bus"}},
		},
		{
			name: "the last Xid 154 outranks the table", status: StatusFaulty, change: func(l *Look) {
				last := event(154, "0000:10:00", noon.Add(-time.Hour))
				last.Text = "NVRM: Xid (PCI:0000:10:00): 154, GPU recovery action changed from 0x0 (None) to 0x2 (Node Reboot Required)"
				l.Node.KernelLog.Events = []facts.KernelEvent{event(48, "0000:10:00", noon.Add(-time.Hour)), last}
			},
			want: []told{{"NVIDIA_XID_REBOOT", ClassReboot, "GPU 0000:10:00 Xid 48",
				"The driver asks for: Node Reboot Required"}},
		},
		{
			name: "an unknown Xid is never dropped", status: StatusDue, change: func(l *Look) {
				l.Node.KernelLog.Events = []facts.KernelEvent{event(999, "0000:10:00", noon.Add(-time.Hour))}
			},
			want: []told{{"NVIDIA_XID_UNCLASSIFIED", ClassUnclear, "GPU 0000:10:00 Xid 999", "Xid 999 is unknown"}},
		},
		{
			name: "a program's fault is no fault of the node", status: StatusHealthy, change: func(l *Look) {
				l.Node.KernelLog.Events = []facts.KernelEvent{event(31, "0000:10:00", noon.Add(-time.Hour))}
			},
			want: []told{{"NVIDIA_XID_APP", "", "GPU 0000:10:00 Xid 31", "GPU memory page fault"}},
		},
		{
			name: "what a user wrote proves nothing", status: StatusHealthy, change: func(l *Look) {
				spoofed := event(79, "0000:10:00", noon.Add(-time.Hour))
				spoofed.Origin = "user"
				l.Node.KernelLog.Events = []facts.KernelEvent{spoofed}
			},
		},
		{
			name: "an accepted Xid", status: StatusHealthy, change: func(l *Look) {
				l.Node.KernelLog.Events = []facts.KernelEvent{event(79, "0000:10:00", noon.Add(-time.Hour))}
				l.Ignores = []Ignore{{Code: 79, Nodes: []string{"gpu1"}, Until: "2026-11-22"}}
			},
		},
		{
			name: "an acceptance that has ended", status: StatusFaulty, change: func(l *Look) {
				l.Node.KernelLog.Events = []facts.KernelEvent{event(79, "0000:10:00", noon.Add(-time.Hour))}
				l.Ignores = []Ignore{{Code: 79, Until: "2026-11-21"}}
			},
			want: []told{{"NVIDIA_XID_REBOOT", ClassReboot, "GPU 0000:10:00 Xid 79", "fallen off the bus"}},
		},
		{
			name: "a GPU fails again and again, in other slots, too", status: StatusFaulty, change: func(l *Look) {
				l.Repeat = Repeat{Faults: 3, Within: config.Duration(30 * 24 * time.Hour)}
				l.Earlier.Faults = map[string]facts.DeviceFaults{"S1": {Count: 3, Last: []facts.DeviceFault{
					{At: noon.Add(-40 * 24 * time.Hour)}, {Node: "gpu7",
						At: noon.Add(-5 * 24 * time.Hour)}, {At: noon.Add(-4 * 24 * time.Hour)},
				}}}
				l.Node.KernelLog.Events = []facts.KernelEvent{event(48, "0000:10:00", noon.Add(-time.Hour))}
			},
			want: []told{
				{"NVIDIA_XID_RESET", ClassReset, "GPU 0000:10:00 Xid 48", "Double Bit ECC Error"},
				{"GPU_FAULTS_REPEAT", "", "GPU 0000:10:00", "serial S1 had 3 faults in 30d"},
			},
		},
		{
			name: "two branches, a half-configured package, a pin", status: StatusDue, change: func(l *Look) {
				l.Node.NVIDIA.Packages = facts.DriverPackages{
					Branches: []string{"550", "570"},
					Packages: []facts.Package{
						{Name: "libnvidia-compute-570", Status: "ii", Version: "570.124.06-0ubuntu1", Pinned: true, Held: true},
						{Name: "nvidia-dkms-570", Status: "iF", Version: "570.124.06-0ubuntu1"},
					},
					Pins: []facts.Pin{{File: "/etc/apt/preferences.d/nvidia", Line: 3, Packages: []string{"libnvidia-*"},
						Priority: -1}},
				}
			},
			want: []told{
				{"NVIDIA_PACKAGE_BROKEN", "", "package nvidia-dkms-570", "half-configured (iF)"},
				{"NVIDIA_BRANCHES", "", "packages", "550, 570"},
				{"NVIDIA_PINNED", "", "package libnvidia-compute-570", "(/etc/apt/preferences.d/nvidia:3)"},
			},
		},
		{
			name: "unattended-upgrades may move one package of the set", status: StatusDue, change: func(l *Look) {
				l.Node.NVIDIA.Packages = facts.DriverPackages{
					Packages: []facts.Package{
						{Name: "nvidia-driver-570", Status: "hi", Held: true}, {Name: "nvidia-fabricmanager-570", Status: "ii"},
						{Name: "libnvidia-compute-570", Status: "ii"},
					},
					Unattended: facts.Unattended{Installed: true, Enabled: true, Blacklist: []string{"libnvidia-", "("}},
				}
			},
			want: []told{{"NVIDIA_UNATTENDED", "", "unattended-upgrades",
				"1 packages of the driver: nvidia-fabricmanager-570"}},
		},
		{
			name: "the desktop track beside a fabric manager", status: StatusDue, change: func(l *Look) {
				l.Node.NVIDIA.Packages.Packages = []facts.Package{{Name: "nvidia-driver-550", Status: "ii", Track: "desktop"}}
			},
			want: []told{{"NVIDIA_TRACK", "", "package nvidia-driver-550", "will drift apart"}},
		},
		{
			name: "a stale CDI file and no runtime handler", status: StatusDue, change: func(l *Look) {
				l.Node.NVIDIA.Runtime.Handlers = []string{"runc"}
				l.Node.NVIDIA.CDI.Files = []facts.CDIFile{{Path: "/etc/cdi/nvidia.yaml", Versions: []string{"565.57.01"}}}
			},
			want: []told{
				{"RUNTIME_HANDLER_MISSING", "", "container runtime", "has no handler \"nvidia\""},
				{"CDI_STALE", "", "CDI file /etc/cdi/nvidia.yaml", "565.57.01, and module 570.124.06"},
			},
		},
		{
			name: "the device plugin calls a GPU unhealthy", status: StatusDue, change: func(l *Look) {
				l.Kubernetes.GPUs = map[string]facts.Offered{gpuResource: {Capacity: 8, Allocatable: 7}}
			},
			want: []told{{"GPU_NOT_OFFERED", "", "device plugin", "1 of 8 GPUs unhealthy"}},
		},
		{
			name: "the device plugin offers nothing", status: StatusDue, change: func(l *Look) { l.Kubernetes.GPUs = nil },
			want: []told{{"GPU_NOT_OFFERED", "", "device plugin", "offers no GPU, and the node has 8"}},
		},
		{
			name: "GPUs under MIG cannot be counted", status: StatusHealthy, change: func(l *Look) {
				l.Node.NVIDIA.NVML.GPUs[0].MIG.Enabled = true
				l.Node.NVIDIA.CUDA.Devices = 1
				l.Kubernetes.GPUs = map[string]facts.Offered{"nvidia.com/mig-1g.10gb": {Capacity: 56, Allocatable: 56}}
			},
		},
		{
			name: "the operator's driver leaves nothing on the host", status: StatusHealthy, change: func(l *Look) {
				l.Node.NVIDIA.Maintainers.Found = []facts.Maintainer{{Name: facts.MaintainerOperator}}
				l.Node.NVIDIA.OnDisk, l.Node.NVIDIA.Libraries = nil, facts.DriverLibraries{}
				l.Node.NVIDIA.FabricManager = facts.DriverService{Unit: facts.Unit{Load: "not-found"}}
			},
		},
		{
			name: "nothing was looked at", status: StatusUnknown,
			change: func(l *Look) { l.Node.NVIDIA = facts.NVIDIA{Unknown: "not asked"} },
			want:   []told{{"NVIDIA_UNKNOWN", "", "driver", "not asked"}},
		},
		{
			name: "a node without GPUs", status: StatusNone, change: func(l *Look) {
				l.Node.NVIDIA, l.Accepted = facts.NVIDIA{Absent: true}, facts.AcceptedNode{}
			},
		},
		{
			name: "a node that was accepted with GPUs and has none", status: StatusLost, change: func(l *Look) {
				l.Node.NVIDIA = facts.NVIDIA{Absent: true}
				l.Accepted.GPUs = l.Accepted.GPUs[:1]
			},
			want: []told{{"GPU_MISSING", ClassLost, "GPU 0000:10:00", "0 of 1 accepted GPUs"}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			look := healthy()
			test.change(&look)
			state := StateOf(look)
			if state.Status != test.status {
				t.Errorf("status %q, want %q", state.Status, test.status)
			}
			var got []told
			for i, p := range state.Problems {
				says := p.Summary
				if i < len(test.want) && strings.Contains(says, test.want[i].Says) {
					says = test.want[i].Says
				}
				got = append(got, told{p.ID, p.Class, p.Object, says})
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func setVersion(l *Look, v string) {
	n := &l.Node.NVIDIA
	n.Module.Version, n.OnDisk[0].Version, n.FabricManager.Version = v, v, v
	for i := range n.Libraries.Files {
		n.Libraries.Files[i].Version = v
	}
}

// Every part that is unknown makes the node unknown, or worse: never healthy.
func TestUnknownIsNeverHealthy(t *testing.T) {
	parts := map[string]func(*facts.NVIDIA, string){
		"devices": func(n *facts.NVIDIA, why string) { n.Devices.Unknown = why }, "module": func(n *facts.NVIDIA,
			why string) {
			n.Module.Unknown = why
		},
		"on disk": func(n *facts.NVIDIA,
			why string) {
			n.OnDisk[0].Unknown = why
		}, "libraries": func(n *facts.NVIDIA, why string) { n.Libraries.Unknown = why },
		"nvml": func(n *facts.NVIDIA, why string) { n.NVML.Unknown = why }, "gpu": func(n *facts.NVIDIA,
			why string) {
			n.NVML.GPUs[3].Unknown = why
		},
		"cuda": func(n *facts.NVIDIA, why string) { n.CUDA.Unknown = why }, "packages": func(n *facts.NVIDIA,
			why string) {
			n.Packages.Unknown = why
		},
		"manager":           func(n *facts.NVIDIA, why string) { n.FabricManager.Unit.Unknown = why },
		"manager's version": func(n *facts.NVIDIA, why string) { n.FabricManager.VersionUnknown = why },
		"cdi": func(n *facts.NVIDIA,
			why string) {
			n.CDI.Unknown = why
		}, "runtime": func(n *facts.NVIDIA, why string) { n.Runtime.Unknown = why },
		"handlers":   func(n *facts.NVIDIA, why string) { n.Runtime.HandlersUnknown = why },
		"unattended": func(n *facts.NVIDIA, why string) { n.Packages.Unattended.Unknown = why },
		"need":       func(n *facts.NVIDIA, why string) { n.Fabric.Manager, n.Fabric.Why = facts.NeedUnknown, why },
		"recovery":   func(n *facts.NVIDIA, why string) { n.NVML.GPUs[3].Recovery.Unknown = why },
		"ecc":        func(n *facts.NVIDIA, why string) { n.NVML.GPUs[3].ECC.Unknown = why },
		"remap":      func(n *facts.NVIDIA, why string) { n.NVML.GPUs[3].Remap.Unknown = why },
	}
	for name, break_ := range parts {
		t.Run(name, func(t *testing.T) {
			look := healthy()
			break_(&look.Node.NVIDIA, "it cannot be read")
			state := StateOf(look)
			if state.Status != StatusUnknown {
				t.Errorf("status %q, problems %+v", state.Status, state.Problems)
			}
			for _, p := range state.Problems {
				if p.Unknown && p.Class != "" {
					t.Errorf("somebody may be cordoned for what is unknown: %+v", p)
				}
			}
		})
	}
	look := healthy()
	look.Node.KernelLog = facts.KernelLog{Unknown: "EPERM"}
	if state := StateOf(look); state.Status != StatusUnknown {
		t.Errorf("without a kernel log: %q", state.Status)
	}
}

// Whatever a node says, the answer is one of the statuses, and the same for the same facts.
func TestAnyFacts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		look := healthy()
		n := &look.Node.NVIDIA
		word := rapid.SampledFrom([]string{"", "570.124.06", "550.120", "x", "failed", "active", facts.NotSupported})
		n.Module.Version, n.FabricManager.Version = word.Draw(t, "loaded"), word.Draw(t, "manager")
		n.FabricManager.Unit.Active = word.Draw(t, "active")
		n.Fabric.Manager = rapid.SampledFrom([]facts.Need{"", facts.Needed, facts.NotNeeded,
			facts.NeedUnknown}).Draw(t, "need")
		n.CUDA.Result = rapid.IntRange(-1, 1000).Draw(t, "cuda")
		n.Devices.GPUs = n.Devices.GPUs[:rapid.IntRange(0, 8).Draw(t, "on the bus")]
		for range rapid.IntRange(0, 5).Draw(t, "events") {
			look.Node.KernelLog.Events = append(look.Node.KernelLog.Events, facts.KernelEvent{
				Kind: rapid.SampledFrom([]string{"Xid", "SXid", "NVRM"}).Draw(t, "kind"), Code: rapid.IntRange(-1,
					100000).Draw(t, "code"),
				Topic: rapid.SampledFrom([]string{"", "lost", "mismatch", "init", "other"}).Draw(t,
					"topic"), Origin: "kernel", At: noon,
			})
		}
		first := StateOf(look)
		if diff := cmp.Diff(first, StateOf(look)); diff != "" {
			t.Fatalf("two answers:\n%s", diff)
		}
		for _, p := range first.Problems {
			if p.ID == "" || p.Summary == "" || p.Status == "" {
				t.Fatalf("an empty problem: %+v", p)
			}
		}
	})
}

// twice is a package whose version stands in some sources.
func twice(name string, sources ...string) facts.Package {
	return facts.Package{Name: name, Status: "ii", Version: "570.124.06-1", Held: true,
		Versions: []facts.PackageVersion{{Version: "570.124.06-1", Sources: sources}}}
}
