// Package nvidia says what a node is as a machine with NVIDIA GPUs: it puts together what the collectors of the
// bus, the driver, the packages, the units and the libraries found.
//
// It decides nothing about what a node should be. NVML and CUDA are never linked here: on a driver that lacks a
// symbol, the first call of it ends the process, and on one that hangs it never returns. So both are asked in
// child processes, and a child that dies or hangs is an unknown with its reason. On a node without an NVIDIA
// GPU nothing is looked at.
package nvidia

import (
	"context"
	"io/fs"
	"sync"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/cdi"
	"upkeep/providers/node/agent/cri"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/dpkg"
	"upkeep/providers/node/agent/driver"
	"upkeep/providers/node/agent/pci"
	"upkeep/providers/node/agent/systemd"
)

// Absent reports whether a node has nothing of NVIDIA's: no device on the bus, no module in the kernel and no
// driver on the disk. A node whose devices have all fallen off the bus is none: the module or the driver is
// left. A bus that cannot be read may have some.
func Absent(d *disk.Disk, bus pci.Bus) bool {
	b := bus.Devices
	if b.Unknown != "" || len(b.GPUs)+len(b.Switches) > 0 {
		return false
	}
	for _, p := range []string{"proc/driver/nvidia", "sys/module/nvidia", "usr/bin/nvidia-smi"} {
		if _, err := fs.Stat(d.Files(), p); err == nil {
			return false
		}
	}
	return true
}

// Collect looks at a node. Kernel is the release that runs, boot what was found of kernels, both for the
// modules on disk. Parts are looked at at once, so that one that hangs delays the answer by its own limit and
// no more.
func Collect(ctx context.Context, d *disk.Disk, bus pci.Bus, kernel string, boot facts.Boot, p Program) facts.NVIDIA {
	if Absent(d, bus) {
		return facts.NVIDIA{Absent: true}
	}
	n := facts.NVIDIA{Devices: bus.Devices}
	var wg sync.WaitGroup
	wg.Go(func() { n.Fabric = pci.Fabric(ctx, d.Files(), bus) })
	wg.Go(func() {
		n.Module = driver.Loaded(d)
		n.Libraries = driver.Libraries(d)
		n.OnDisk = onDisk(d, kernel, boot.Next)
		n.CDI = cdi.Collect(d)
	})
	wg.Go(func() { n.NVML, n.CUDA = p.ask(ctx, d) })
	wg.Go(func() { n.Packages = dpkg.Collect(ctx, d) })
	wg.Go(func() { n.Runtime = cri.Handlers(ctx, d) })
	wg.Go(func() {
		units := systemd.Show(ctx, d, managerUnit, persistenceUnit)
		n.FabricManager.Unit, n.Persistence.Unit = units[0], units[1]
	})
	var manager, persistence facts.DriverService
	wg.Go(func() { manager.Version, manager.VersionUnknown = version(ctx, d, managerPlaces) })
	wg.Go(func() { persistence.Version, persistence.VersionUnknown = version(ctx, d, persistencePlaces) })
	wg.Wait()
	n.FabricManager.Version, n.FabricManager.VersionUnknown = manager.Version, manager.VersionUnknown
	n.Persistence.Version, n.Persistence.VersionUnknown = persistence.Version, persistence.VersionUnknown
	n.Maintainers = maintainers(d, n)
	return n
}

// onDisk looks at the module of the kernel that runs, and of the one that boots next where that is another.
func onDisk(d *disk.Disk, running, next string) []facts.ModuleFile {
	out := []facts.ModuleFile{driver.OnDisk(d, running)}
	if next != "" && next != running {
		out = append(out, driver.OnDisk(d, next))
	}
	return out
}
