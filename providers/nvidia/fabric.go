package nvidia

import (
	"maps"
	"slices"
	"strings"

	"upkeep/providers/facts"
)

// flapping is from how many restarts by systemd on a fabric manager does not keep running.
const flapping = 3

// fabric judges the fabric manager. Whether one is needed follows from hardware alone: neither a log line nor an
// installed package nor the fabric state says so.
func (e *examination) fabric() {
	if len(e.n.Devices.GPUs) == 0 {
		return
	}
	m := e.n.FabricManager
	switch e.n.Fabric.Manager {
	case facts.Needed:
		if e.operator && !m.Unit.Installed() {
			e.fabricState() // the operator runs it in a container
			return
		}
		e.fabricModules()
		e.neededManager()
		e.fabricState()
	case facts.NotNeeded:
		if m.Unit.Installed() && m.Unit.Active == "failed" {
			e.note("FABRIC_MANAGER_NOT_NEEDED", "fabric manager", "systemctl disable --now nvidia-fabricmanager",
				"the unit failed, and this hardware needs no fabric manager (%s). Reinstall nothing, and do not reboot",
				orElse(e.n.Fabric.Why, "no NVSwitch"))
		}
	default:
		e.add(Problem{
			ID: "FABRIC_MANAGER_UNKNOWN", Severity: "error", Status: StatusUnknown, Object: "fabric manager", Unknown: true,
			Summary: "it is unknown whether this hardware needs a fabric manager: " + orElse(e.n.Fabric.Why,
				"nobody looked"),
		})
	}
}

// fabricModules reports the modules without which the fabric manager of an HGX Blackwell cannot reach the switches.
func (e *examination) fabricModules() {
	var missing []string
	for _, name := range slices.Sorted(maps.Keys(e.n.Fabric.Modules)) {
		if !e.n.Fabric.Modules[name] {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		e.fault("FABRIC_MODULES_MISSING", StatusFabric, ClassFabric, "fabric manager",
			"apt-get install linux-modules-extra-$(uname -r) && modprobe -a "+strings.Join(missing, " "),
			"%s needs the modules %s, which are not loaded. Load the modules before the fabric manager starts",
			orElse(e.n.Fabric.HGX, "this board"), strings.Join(missing, ", "))
	}
}

// neededManager judges the unit and the version: it must be exactly the loaded module's.
func (e *examination) neededManager() {
	const object = "fabric manager"
	m, loaded := e.n.FabricManager, e.n.Module.Version
	if m.Unit.Unknown != "" {
		e.unknown(object, m.Unit.Unknown)
		return
	}
	hint := "apt-cache madison '" + managerPackage(loaded) + "' | grep " + orElse(loaded, "VERSION")
	if m.Unit.Installed() && m.Version == "" && m.VersionUnknown == "" {
		// systemd keeps the unit of a package that was removed for as long as it runs.
		e.fault("FABRIC_MANAGER_MISSING", StatusFabric, ClassFabric, object, hint,
			"this hardware needs a fabric manager (%s). Its unit is there, and nv-fabricmanager is missing. Install exactly version %s",
			e.n.Fabric.Why, orElse(loaded, "of the loaded module"))
		return
	}
	if !m.Unit.Installed() {
		e.fault("FABRIC_MANAGER_MISSING", StatusFabric, ClassFabric, object,
			hint, "this hardware needs a fabric manager (%s), and none is installed. Install exactly version %s",
			e.n.Fabric.Why, orElse(loaded, "of the loaded module"))
		return
	}
	switch {
	case m.VersionUnknown != "":
		e.unknown(object, "its version: "+m.VersionUnknown)
	case loaded == "":
		e.unknown(object, "the version of the loaded module is unknown, so that nothing can be compared with it")
	case m.Version != loaded:
		e.fault("FABRIC_MANAGER_MISMATCH", StatusMismatch, ClassFabric, object,
			"apt-cache madison '"+managerPackage(loaded)+"' | grep "+loaded,
			"fabric manager %s, loaded module %s: the two must be equal%s", m.Version, loaded, e.heldManager())
		return // it cannot run with another version
	}
	switch u := m.Unit; {
	case u.Active == "activating" && u.Restarts < flapping:
		e.due("FABRIC_MANAGER_FAILED", object, "systemctl status nvidia-fabricmanager",
			"the fabric manager starts: wait 3 minutes, and look again")
	case !u.Running():
		e.fault("FABRIC_MANAGER_FAILED", StatusFabric, ClassFabric, object,
			"systemctl restart nvidia-fabricmanager; journalctl -u nvidia-fabricmanager -n 50",
			"this hardware needs the fabric manager, and the unit is %s (%s)", orElse(u.Active,
				"in an unknown state"), orElse(u.Result, u.Sub))
	case u.Restarts >= flapping:
		e.due("FABRIC_MANAGER_FAILED", object, "journalctl -u nvidia-fabricmanager -n 50",
			"systemd has restarted the fabric manager %d times", u.Restarts)
	}
	if u := m.Unit; u.Enabled == "disabled" || u.Load == "masked" {
		e.due("FABRIC_MANAGER_DISABLED", object,
			"systemctl unmask nvidia-fabricmanager; systemctl enable nvidia-fabricmanager",
			"the unit is %s: after a reboot the fabric manager does not start", orElse(u.Enabled, u.Load))
	}
}

// managerPackage is the package of the fabric manager for a driver in NVIDIA's repository: the name has no branch
// from 580 on. Ubuntu's archive keeps the branch in the name.
func managerPackage(version string) string {
	branch, _, _ := strings.Cut(version, ".")
	if branch == "" {
		return "nvidia-fabricmanager*"
	}
	if len(branch) > 3 || branch >= "580" {
		return "nvidia-fabricmanager"
	}
	return "nvidia-fabricmanager-" + branch
}

// heldManager says that apt holds the package back, where it does.
func (e *examination) heldManager() string {
	for _, p := range e.n.Packages.Packages {
		if strings.Contains(p.Name, "nvidia-fabricmanager") && p.Held {
			return ". apt holds " + p.Name + " back"
		}
	}
	return ""
}

// fabricState reads what the GPUs say. It is latched: "completed" proves nothing about the fabric manager.
func (e *examination) fabricState() {
	for _, g := range e.n.NVML.GPUs {
		f, object := g.Fabric, gpuAt(g.PCI)
		if f.Unknown != "" || f.State == facts.NotSupported || f.State == "" {
			continue // normal before Hopper
		}
		switch {
		case f.State != "completed":
			e.fault("FABRIC_NOT_READY", StatusFabric, ClassFabric, object,
				"nvidia-smi --query-gpu=index,fabric.state,fabric.status --format=csv",
				"the fabric state is %q: programs get CUDA error 802", f.State)
		case f.Status != 0:
			e.fault("FABRIC_NOT_READY", StatusFabric, ClassFabric, object,
				"nvidia-smi --query-gpu=index,fabric.state,fabric.status --format=csv",
				"the GPU could not register in the fabric (status %d)", f.Status)
		}
		for _, part := range slices.Sorted(maps.Keys(f.Health)) {
			if f.Health[part] {
				e.due("FABRIC_NOT_READY", object, "nvidia-smi -q -i "+g.PCI+" | sed -n '/Fabric/,/^$/p'",
					"the fabric reports: %s", part)
			}
		}
	}
}
