package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"upkeep/providers/facts"
)

// gpuNode adds a node with GPUs to the simulated cluster, on which everything works: gpu-node NAME GPUS. It has the
// address 10.0.1.N, by the number at the end of its name, and the label example.net/gpu=true.
func gpuNode(ts *testscript.TestScript, _ bool, args []string) {
	name := args[0]
	count, err := strconv.Atoi(args[1])
	ts.Check(err)
	const version = "570.124.06"
	address := "10.0.1." + name[len(name)-1:]
	now := clockOf(ts)
	n := facts.NVIDIA{
		Fabric: facts.Fabric{Manager: facts.Needed, Why: "4 NVSwitches on the PCI bus", OnBus: 4},
		Module: facts.LoadedModule{Loaded: true, Version: version, Open: true, DRM: true, DRMAtBoot: true},
		OnDisk: []facts.ModuleFile{{Kernel: "6.8.0-60-generic", Path: "/lib/modules/nvidia.ko", Version: version}},
		Libraries: facts.DriverLibraries{Files: []facts.DriverLibrary{
			{Name: "libcuda.so", Path: "/usr/lib/libcuda.so." + version, Version: version, Used: true},
		}},
		NVML: facts.NVML{Driver: version, CUDA: "12.8"}, CUDA: facts.CUDA{Devices: count},
		FabricManager: facts.DriverService{
			Unit:    facts.Unit{Load: "loaded", Active: "active", Sub: "running", Enabled: "enabled"},
			Version: version,
		},
		Runtime: facts.Runtime{Name: "containerd", Handlers: []string{"nvidia", "runc"}},
	}
	for i := range count {
		at := fmt.Sprintf("0000:%d0:00", i+1)
		n.Devices.GPUs = append(n.Devices.GPUs, facts.PCIDevice{
			Address: at + ".0", Device: "10de:2330", Driver: "nvidia", Model: "h100", Interface: "SXM5", Memory: "80Gi",
		})
		n.NVML.GPUs = append(n.NVML.GPUs, facts.GPU{
			Index: i, PCI: at, Serial: fmt.Sprintf("%s-%d", name, i), Fabric: facts.GPUFabric{State: "completed"},
		})
		n.Products = append(n.Products, facts.Product{Device: i, PCI: at, Right: true})
	}
	ts.Check(clusterOf(ts).Change(func(world *facts.World) error {
		authorities, _ := world.Nodes["cp1"].ClusterAuthorities()
		world.Nodes[name] = &facts.Node{
			Name: name, Host: address, NVIDIA: n, KernelLog: facts.KernelLog{Boot: "b-" + name, Next: 100},
			System: facts.System{
				Hostname: name, MachineID: "machine-" + name, BootID: "b-" + name, Kernel: "6.8.0-60-generic", OS: "Ubuntu 24.04", Clock: now,
			},
			Authorities: authorities,
			Floor: facts.Floor{Filesystems: []facts.Filesystem{{
				Directories: []string{"/", "/var"}, Size: 100 << 30, Free: 60 << 30, Inodes: 1000, InodesFree: 900,
			}}},
			Certificates: facts.Certificates{Unknown: "not asked"}, ControlPlane: facts.ControlPlane{Unknown: "not asked"},
		}
		world.Kubernetes.Nodes = append(world.Kubernetes.Nodes, facts.KubernetesNode{
			Name: name, Ready: true, Version: "v1.33.5", Addresses: map[string]string{"InternalIP": address},
			Labels: map[string]string{"example.net/gpu": "true"},
			GPUs:   map[string]facts.Offered{"nvidia.com/gpu": {Capacity: int64(count), Allocatable: int64(count)}},
		})
		return nil
	}))
}

// changeNode lays JSON over the facts of a node: change-node NAME FILE. What the file does not mention stays, and a list
// is replaced.
func changeNode(ts *testscript.TestScript, _ bool, args []string) {
	text, err := os.ReadFile(ts.MkAbs(args[1]))
	ts.Check(err)
	ts.Check(clusterOf(ts).Change(func(world *facts.World) error {
		return json.Unmarshal(text, world.Nodes[args[0]])
	}))
}

// xidNow has the kernel of a node report a Xid an hour ago: xid NAME CODE SLOT.
func xidNow(ts *testscript.TestScript, _ bool, args []string) {
	code, err := strconv.Atoi(args[1])
	ts.Check(err)
	at := clockOf(ts).Add(-time.Hour)
	ts.Check(clusterOf(ts).Change(func(world *facts.World) error {
		log := &world.Nodes[args[0]].KernelLog
		log.Events = append(log.Events, facts.KernelEvent{
			Kind: "Xid", Code: code, PCI: args[2], Origin: "kernel", Sequence: log.Next, At: at,
			Text: fmt.Sprintf("NVRM: Xid (PCI:%s): %d, pid=1", args[2], code),
		})
		log.Next++
		return nil
	}))
}

// kubectlCordon cordons a node as somebody without upkeep would, or uncordons it: kubectl-cordon NAME, kubectl-uncordon.
func kubectlCordon(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(clusterOf(ts).Change(func(world *facts.World) error {
		for i := range world.Kubernetes.Nodes {
			if world.Kubernetes.Nodes[i].Name == args[0] {
				world.Kubernetes.Nodes[i].Unschedulable = !neg
			}
		}
		return nil
	}))
}

// pod starts a pod on a node.
func pod(ts *testscript.TestScript, _ bool, args []string) {
	namespace, name, _ := strings.Cut(args[1], "/")
	p := facts.DrainPod{Namespace: namespace, Name: name, Owner: "ReplicaSet " + name}
	for _, word := range args[2:] {
		switch word {
		case "bare":
			p.Owner = ""
		case "emptydir":
			p.EmptyDir = true
		case "tenant":
			p.Tenant = true
		case "budget":
			p.Refused = "a budget allows no eviction"
		default:
			ts.Fatalf("what is a %s pod?", word)
		}
	}
	ts.Check(clusterOf(ts).Change(func(world *facts.World) error {
		if world.Drains == nil {
			world.Drains = map[string]facts.Drain{}
		}
		world.Drains[args[0]] = facts.Drain{Pods: append(world.Drains[args[0]].Pods, p)}
		return nil
	}))
}

// rebootLock gives kured's lock to a node, or takes it back: [!] reboot-lock NODE.
func rebootLock(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(clusterOf(ts).Change(func(world *facts.World) error {
		world.Maintenance = &facts.Maintenance{}
		if !neg {
			world.Maintenance.Claims = []facts.MaintenanceClaim{{Node: args[0]}}
		}
		return nil
	}))
}

// podEnds ends a pod as its owner would.
func podEnds(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(clusterOf(ts).Change(func(world *facts.World) error {
		for node, d := range world.Drains {
			d.Pods = slices.DeleteFunc(d.Pods, func(p facts.DrainPod) bool { return p.String() == args[0] })
			world.Drains[node] = d
		}
		return nil
	}))
}
