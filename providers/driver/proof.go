package driver

import (
	"fmt"

	"upkeep/providers/facts"
)

// notProved says why a node does not have a working driver of a version; empty: it has.
func notProved(a args, n facts.Node) string {
	d := n.NVIDIA
	kernel := n.System.Kernel
	switch f := d.ModuleOf(kernel); {
	case n.Unknown != "":
		return n.Unknown
	case d.Unknown != "" || d.Module.Unknown != "":
		return "the driver is not known: " + orElse(d.Unknown, d.Module.Unknown)
	case !d.Module.Loaded:
		return "the kernel module nvidia is not loaded"
	case d.Module.Version != a.Version:
		return fmt.Sprintf("the loaded kernel module is %s, not %s", orElse(d.Module.Version, "of unknown version"),
			a.Version)
	case d.Module.Open != a.Open:
		return fmt.Sprintf("the %s kernel module is loaded, not the %s one", moduleText(d.Module.Open), moduleText(a.Open))
	case f.Version != a.Version:
		return fmt.Sprintf("the module on disk for kernel %s is %s, not %s", kernel, orElse(f.Version,
			"missing or unknown"), a.Version)
	}
	for _, name := range shared {
		if has := d.Libraries.Version(name); has != a.Version && (has != "" || name == "libcuda.so") {
			return fmt.Sprintf("%s is %s, not %s", name, orElse(has, "missing"), a.Version)
		}
	}
	if why := managerNotProved(a, d); why != "" {
		return why
	}
	return gpusNotProved(a, d)
}

// managerNotProved is about the fabric manager: unit and version, where the hardware needs one.
func managerNotProved(a args, d facts.NVIDIA) string {
	if !a.Fabric {
		return ""
	}
	switch m := d.FabricManager; {
	case m.Unit.Unknown != "":
		return "the fabric manager is not known: " + m.Unit.Unknown
	case m.Version != a.Version:
		return fmt.Sprintf("the fabric manager is %s, not %s", orElse(m.Version, orElse(m.VersionUnknown, "missing")),
			a.Version)
	case !m.Unit.Running():
		return fmt.Sprintf("the fabric manager does not run (%s %s)", m.Unit.Active, m.Unit.Sub)
	case m.Unit.Enabled == "disabled" || m.Unit.Load == "masked":
		return "the fabric manager is not enabled, so that it does not start after the next boot"
	}
	return ""
}

// gpusNotProved is about what programs see: NVML, the fabric, and CUDA.
func gpusNotProved(a args, d facts.NVIDIA) string {
	v, working := d.NVML, 0
	switch {
	case v.Unknown != "" || v.Kind != "":
		return "NVML: " + orElse(v.Unknown, v.Kind)
	case v.Driver != "" && v.Driver != a.Version:
		return fmt.Sprintf("NVML says driver %s, not %s", v.Driver, a.Version)
	}
	for _, g := range v.GPUs {
		f := g.Fabric
		switch {
		case g.Unknown != "":
			continue
		case f.Unknown != "" && a.Fabric:
			return fmt.Sprintf("GPU %s: the fabric state is not known: %s", g.PCI, f.Unknown)
		case f.Unknown != "" || f.State == facts.NotSupported || f.State == "": // before Hopper there is none
		case f.State != "completed":
			return fmt.Sprintf("GPU %s: the fabric state is %q", g.PCI, f.State)
		case f.Status != 0:
			return fmt.Sprintf("GPU %s could not register in the fabric (status %d)", g.PCI, f.Status)
		}
		working++
	}
	if working < a.GPUs {
		return fmt.Sprintf("NVML lists %d working GPUs of %d", working, a.GPUs)
	}
	switch c := d.CUDA; {
	case c.Unknown != "":
		return "CUDA: " + c.Unknown
	case c.Absent:
		return "CUDA: there is no libcuda.so.1"
	case c.Result != 0:
		return fmt.Sprintf("CUDA: %s returns %d %s", orElse(c.Call, "cuInit"), c.Result, c.Meaning)
	case c.Devices < a.GPUs && !divided(v):
		return fmt.Sprintf("CUDA: a program sees %d devices of %d", c.Devices, a.GPUs)
	}
	return productsNotProved(a, d)
}

// divided reports whether a GPU is divided into instances, so that devices cannot be counted.
func divided(v facts.NVML) bool {
	for _, g := range v.GPUs {
		if g.MIG.Enabled {
			return true
		}
	}
	return false
}
