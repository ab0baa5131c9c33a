package nvidia

import (
	"upkeep/providers/facts"
)

// driver compares the loaded module with the modules on disk: of the running kernel and of the kernel that
// boots next.
func (e *examination) driver() {
	m := e.n.Module
	switch {
	case m.Unknown != "":
		e.unknown("kernel module", m.Unknown)
		return
	case !m.Loaded && len(e.n.Devices.GPUs) > 0:
		e.fault("NVIDIA_DRIVER_NOT_LOADED", StatusNoDriver, ClassDriver, "kernel module",
			"modprobe nvidia; dmesg | tail -30",
			"the kernel module nvidia is not loaded, and the node has %d GPUs", len(e.n.Devices.GPUs))
	case m.Loaded && m.Version == "":
		e.unknown("kernel module", "the version of the loaded module is unknown")
	}
	e.state.Driver = e.n.Driver()
	if m.Loaded && !m.DRM {
		e.due("NVIDIA_DRM_MISSING", "kernel module",
			"modprobe nvidia_drm && echo nvidia_drm >/etc/modules-load.d/nvidia_drm.conf",
			"nvidia_drm is not loaded, and operator-inventory of Akash lists cards only with nvidia_drm")
	}
	if e.operator {
		return // the module is in the operator's container
	}
	running := e.Node.System.Kernel
	if running == "" {
		e.unknown("module on disk", "the release of the running kernel is unknown")
		return
	}
	e.onDisk(running, false)
	if next := e.Node.Boot.Next; next != "" && next != running {
		e.onDisk(next, true)
	}
}

// onDisk judges the module that one kernel gets when it loads it the next time.
func (e *examination) onDisk(kernel string, next bool) {
	f, m := e.n.ModuleOf(kernel), e.n.Module
	object := "module for kernel " + kernel
	library := e.n.Libraries.Version("libcuda.so")
	const look = "dkms status; dpkg -l 'linux-modules-nvidia*' 'nvidia-dkms*' | grep ^ii"
	switch {
	case f.Unknown != "":
		e.unknown(object, f.Unknown)
		return
	case f.Missing && next:
		e.due("NVIDIA_MODULE_MISSING", object, look, "the kernel that boots next has no module nvidia on disk. "+
			"After a reboot the node has no GPU")
		return
	case f.Missing:
		e.due("NVIDIA_MODULE_MISSING", object, look, "the running kernel has no module nvidia on disk. "+
			"After a reboot the node has no GPU")
		return
	case f.Version == "":
		e.unknown(object, "the version of "+f.Path+" is unknown")
		return
	case next && library != "" && f.Version != library:
		e.due("NVIDIA_MODULE_BEHIND", object, look,
			"module %s, user libraries %s: after a reboot the two still differ", f.Version, library)
	case !next && m.Version != "" && f.Version != m.Version:
		e.due("NVIDIA_MODULE_PENDING", object, "reboot the node in a maintenance window, after a drain",
			"loaded %s, on disk %s: a reboot is pending", m.Version, f.Version)
	}
	if e.Node.Boot.SecureBoot == facts.SecureBootEnabled && !f.Signed {
		e.due("NVIDIA_MODULE_UNSIGNED", object, "mokutil --sb-state; modinfo -F signer nvidia",
			"Secure Boot is enabled, and the module has no signature: the kernel will refuse the module")
	}
}

// shared are the libraries that must have exactly the loaded module's version.
var shared = []string{"libcuda.so", "libnvidia-ml.so", "libnvidia-nscq.so", "libnvsdm.so"}

// libraries compares what programs load with the loaded module. All dotted parts count: 570.124.06 is not
// 570.124.6.
func (e *examination) libraries() {
	loaded := e.n.Module.Version
	if e.n.Libraries.Unknown != "" {
		e.unknown("user libraries", e.n.Libraries.Unknown)
		return
	}
	if loaded == "" || e.operator {
		return
	}
	disk := e.n.ModuleOf(e.Node.System.Kernel)
	for _, name := range shared {
		version := e.n.Libraries.Version(name)
		if version == "" || version == loaded {
			continue
		}
		switch {
		case disk.Version == version:
			e.fault("NVIDIA_LIBRARY_MISMATCH", StatusMismatch, ClassDriver, name,
				"drain the node, reboot the node, and look again",
				"module %s is loaded, %s is %s. The module on disk is %s: a reboot repairs it", loaded, name, version, disk.Version)
		case disk.Version == loaded:
			e.fault("NVIDIA_LIBRARY_MISMATCH", StatusMismatch, ClassDriver, name,
				"dpkg -l '*nvidia*' | grep "+loaded,
				"module %s is loaded and on disk, %s is %s. The package of the module stayed behind: a reboot does not repair it",
				loaded, name, version)
		default:
			e.fault("NVIDIA_LIBRARY_MISMATCH", StatusMismatch, ClassDriver, name,
				"dpkg -l '*nvidia*' | grep ^ii",
				"module %s is loaded, %s is %s, and the module on disk is %s", loaded, name, version,
				orElse(disk.Version, "unknown"))
		}
	}
	if e.n.Libraries.Version("libcuda.so") == "" {
		e.due("NVIDIA_LIBRARY_MISSING", "libcuda.so", "dpkg -l 'libnvidia-compute*' | grep ^ii",
			"no program can load libcuda.so.1: there is none")
	}
}

// nvmlProblems say what NVML's own failures mean.
var nvmlProblems = map[string]struct {
	id     string
	status Status
	class  string
	text   string
}{
	facts.NVMLAbsent: {"NVIDIA_LIBRARY_MISSING", StatusNoDriver, ClassDriver, "there is no libnvidia-ml.so.1"},
	facts.NVMLUnloaded: {"NVIDIA_DRIVER_NOT_LOADED", StatusNoDriver, ClassDriver,
		"NVML says that the driver is not loaded (9)"},
	facts.NVMLMismatch: {"NVIDIA_LIBRARY_MISMATCH", StatusMismatch, ClassDriver,
		"NVML says \"Driver/library version mismatch\" (18)"},
	facts.NVMLLost:     {"GPU_LOST", StatusLost, ClassLost, "NVML says that a GPU is lost (15)"},
	facts.NVMLReset:    {"GPU_RECOVERY_DUE", StatusFaulty, ClassReset, "NVML says that a GPU must be reset (16)"},
	facts.NVMLSilent:   {"NVIDIA_NVML_SILENT", StatusNoDriver, ClassDriver, "NVML does not answer in time"},
	facts.NVMLDied:     {"NVIDIA_NVML_SILENT", StatusNoDriver, ClassDriver, "the process that asked NVML died"},
	facts.NVMLNoDevice: {"GPU_LOST", StatusLost, ClassLost, "NVML has no GPU (6)"},
}

// nvml reports NVML's own failures.
func (e *examination) nvml() {
	v := e.n.NVML
	if v.Unknown == "" && v.Kind == "" {
		return
	}
	known, named := nvmlProblems[v.Kind]
	if !named {
		e.unknown("NVML", orElse(v.Unknown, v.Kind))
		return
	}
	// What is known already of the versions says more.
	for _, p := range e.state.Problems {
		if p.ID == known.id && p.Severity == "error" {
			return
		}
	}
	text := known.text
	if v.Unknown != "" {
		text += ": " + v.Unknown
	}
	e.fault(known.id, known.status, known.class, "NVML", "nvidia-smi; dmesg | grep NVRM | tail -30", "%s", text)
}

// cudaMeanings say what the results of CUDA mean on a node.
var cudaMeanings = map[int]struct{ text, hint string }{
	facts.CUDANoDevice: {"no device can be seen", "nvidia-smi -L; ls -l /dev/nvidia*"},
	facts.CUDASystemNotReady: {
		"the system is not ready: the fabric manager has not brought the fabric up",
		"systemctl status nvidia-fabricmanager",
	},
	facts.CUDAMismatch: {"libcuda and the loaded module have different versions",
		"cat /proc/driver/nvidia/version; ls -l /usr/lib/*/libcuda.so.1"},
	facts.CUDACompat:  {"forward compatibility is not supported on this device", "dpkg -l 'cuda-compat*' | grep ^ii"},
	facts.CUDAUnknown: {"unknown error", "dmesg | grep NVRM | tail -30"},
}

// cuda reports what a program that computes sees: the answer that torch.cuda.is_available() gives.
func (e *examination) cuda() {
	c := e.n.CUDA
	switch {
	case c.Silent:
		e.fault("NVIDIA_CUDA_FAILS", StatusNoDriver, ClassDriver, "CUDA", "dmesg | grep NVRM | tail -30",
			"cuInit did not return: %s", orElse(c.Unknown, "no answer in time"))
	case c.Unknown != "":
		e.unknown("CUDA", c.Unknown)
	case c.Absent:
		if !e.operator && e.n.Libraries.Version("libcuda.so") != "" {
			e.unknown("CUDA", "libcuda.so.1 is there and could not be loaded")
		}
	case c.Result != 0:
		known := cudaMeanings[c.Result]
		class, status := ClassDriver, StatusNoDriver
		if c.Result == facts.CUDASystemNotReady {
			class, status = ClassFabric, StatusFabric
		}
		e.fault("NVIDIA_CUDA_FAILS", status, class, "CUDA", known.hint, "%s returns %d: %s",
			orElse(c.Call, "cuInit"), c.Result,
			orElse(known.text, orElse(c.Meaning, "no meaning is known")))
	case c.Devices < len(e.n.Devices.GPUs) && !e.partitioned():
		e.fault("NVIDIA_CUDA_FAILS", StatusLost, ClassLost, "CUDA", "nvidia-smi -L",
			"a program sees %d devices, and %d GPUs are on the PCI bus",
			c.Devices, len(e.n.Devices.GPUs))
	}
}

// partitioned reports whether a GPU is divided into instances, so that devices cannot be counted.
func (e *examination) partitioned() bool {
	for _, g := range e.n.NVML.GPUs {
		if g.MIG.Enabled {
			return true
		}
	}
	return false
}
