package driver

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/node/protocol"
)

// verdict is what one node needs.
type verdict struct {
	// unknown says why nothing can be said; absent: the node has no NVIDIA GPU.
	unknown string
	absent  bool
	// why says why the node is due; empty: it has the driver.
	why []string
	// packages are for a node that is due.
	packages packages
	problems []problem
}

// shared are the libraries that must have exactly the version of the loaded module.
var shared = []string{"libcuda.so", "libnvidia-ml.so", "libnvidia-nscq.so", "libnvsdm.so"}

// judge says what a node needs to have a version of the driver. Pure.
func judge(s Spec, version string, n facts.Node) (v verdict) {
	d := n.NVIDIA
	switch {
	case n.Unknown != "":
		v.unknown = n.Unknown
	case d.Unknown != "":
		v.unknown = d.Unknown
	case d.Absent:
		v.absent = true
	case d.Devices.Unknown != "":
		v.unknown = "the PCI bus: " + d.Devices.Unknown
	case len(d.Devices.GPUs) == 0:
		v.absent = true
	case d.Module.Unknown != "":
		v.unknown = "the kernel module: " + d.Module.Unknown
	case d.Libraries.Unknown != "":
		v.unknown = "the libraries of the driver: " + d.Libraries.Unknown
	}
	if v.unknown != "" || v.absent {
		return v
	}
	v.why = differences(s, version, n)
	if len(v.why) == 0 {
		return v
	}
	v.packages = resolve(s, version, n)
	v.problems = v.packages.problems
	if len(v.problems) == 0 && v.packages.change.Empty() {
		v.problems = append(v.problems, withoutChange(version, n)...)
	}
	return v
}

// differences says what of a node's driver has not the version, or is not the wanted module; nothing where all of it is
// as wanted. Nodes with the same differences get the same words.
func differences(s Spec, version string, n facts.Node) (why []string) {
	d := n.NVIDIA
	var parts []string
	note := func(what, has string) { parts = append(parts, what+" "+has) }
	switch {
	case !d.Module.Loaded:
		note("no kernel module", "is loaded")
	case d.Module.Version != version:
		note("loaded kernel module", orElse(d.Module.Version, "of unknown version"))
	}
	kernel := orElse(n.Boot.Next, n.System.Kernel)
	switch f := d.ModuleOf(kernel); {
	case f.Unknown != "":
		note("module on disk for kernel "+kernel, "unknown ("+f.Unknown+")")
	case f.Missing:
		note("module on disk for kernel "+kernel, "missing")
	case f.Version != version:
		note("module on disk for kernel "+kernel, orElse(f.Version, "of unknown version"))
	}
	for _, name := range shared {
		if has := d.Libraries.Version(name); has != version && (has != "" || name == "libcuda.so") {
			note(name, orElse(has, "missing"))
		}
	}
	if m := d.FabricManager; d.Fabric.Manager == facts.Needed && m.Version != version {
		note("fabric manager", orElse(m.Version, orElse(m.VersionUnknown, "missing")))
	}
	if len(parts) > 0 {
		why = append(why, "the block wants driver "+version+", and the node has: "+strings.Join(parts, ", "))
	}
	if open, impossible := moduleOf(s.KernelModule, branchOf(version), n); impossible == "" && d.Module.Loaded &&
		d.Module.Open != open {
		why = append(why, fmt.Sprintf("the %s kernel module is loaded, and the block wants the %s one",
			moduleText(d.Module.Open), moduleText(open)))
	}
	return why
}

// withoutChange says why a node that has all packages does not come to its driver by a reboot.
func withoutChange(version string, n facts.Node) []problem {
	next := n.Boot.Next
	f := n.NVIDIA.ModuleOf(next)
	const look = "dkms status; dpkg -l 'linux-modules-nvidia*' 'nvidia-dkms*' | grep ^ii"
	switch {
	case f.Unknown != "":
		return []problem{{text: "the module on disk for kernel " + next + ": " + f.Unknown, unknown: true}}
	case f.Missing:
		return []problem{{text: "all packages are installed, and kernel " + next +
			" has no module on disk: a reboot changes nothing", hint: look}}
	case f.Version != version:
		return []problem{{hint: look,
			text: fmt.Sprintf("all packages are installed, and the module on disk for kernel %s is %s: a reboot changes nothing",
				next, orElse(f.Version, "of unknown version"))}}
	case n.NVIDIA.Module.Version == version:
		return []problem{{hint: "ls -l /usr/lib/*/libcuda.so.1; dpkg -S libcuda.so; nv-fabricmanager --version",
			text: "all packages are installed, and the loaded module has the version: what differs belongs to no package"}}
	case rebooted(n.History):
		return []problem{{hint: "lsinitramfs /boot/initrd.img-" + next + " | grep nvidia; update-initramfs -u -k " + next,
			text: fmt.Sprintf("the node has rebooted since upkeep installed the packages, and the loaded module is still %s: "+
				"another reboot changes nothing. Look for an old module in the initramfs", orElse(n.NVIDIA.Module.Version,
				"none"))}}
	}
	return nil
}

// rebooted reports whether upkeep has rebooted a node since it last changed packages of the driver there, as the node
// remembers both.
func rebooted(h facts.History) bool {
	var packages, boot time.Time
	for _, e := range h.Entries {
		switch {
		case e.Method == protocol.MethodInstall && e.Ended.After(packages):
			packages = e.Ended
		case e.Method == protocol.MethodReboot && e.Outcome == facts.OutcomeRebooted && e.Ended.After(boot):
			boot = e.Ended
		}
	}
	return !packages.IsZero() && boot.After(packages)
}

// operatedByOther reports whether NVIDIA's GPU Operator runs the driver in a container.
func operatedByOther(n facts.Node) bool {
	return slices.ContainsFunc(n.NVIDIA.Maintainers.Found,
		func(m facts.Maintainer) bool { return m.Name == facts.MaintainerOperator })
}

// leastSpace is how much a driver needs at least to be unpacked, in bytes, however much of it is on the node.
const leastSpace = 1 << 30

// trialProblems says what apt would do for a change that nobody foresaw, or why it is unknown.
func trialProblems(n facts.Node, version string, change facts.AptChange) []problem {
	t := n.Apt.Trial
	switch {
	case t == nil || !t.Change.Equal(change):
		return []problem{{text: "what apt would do: nobody asked", unknown: true}}
	case t.Unknown != "":
		return []problem{{text: "what apt would do: " + t.Unknown, unknown: true}}
	case t.Refused != "":
		return []problem{{text: "apt cannot install these packages: " + t.Refused, hint: "apt-get -s install " +
			commandText(change)}}
	}
	var out []problem
	if text := unforeseen(*t, version); text != "" {
		out = append(out, problem{text: text, hint: "apt-get -s install " + commandText(change)})
	}
	return append(out, space(n, *t)...)
}

// unforeseen says what apt would do beyond a change: remove another package, install a kernel, or a package of the
// driver in another version.
func unforeseen(t facts.AptTrial, version string) string {
	var texts []string
	for _, p := range t.Removes {
		if name, _, _ := strings.Cut(p.Name, ":"); !slices.Contains(t.Change.Remove, name) {
			texts = append(texts, "remove "+p.Name)
		}
	}
	for _, p := range t.Installs {
		name, ours := facts.ParseDriverName(p.Name)
		switch {
		case strings.HasPrefix(p.Name, "linux-image-"):
			texts = append(texts, "install kernel "+p.Name)
		case ours && name.Stem != facts.StemModules && upstreamOf(p.To) != version:
			texts = append(texts, "install "+p.Name+" "+p.To)
		}
	}
	if len(texts) == 0 {
		return ""
	}
	return "apt would also " + providers.Few(texts)
}

// space says whether the packages have room: twice what is downloaded, and at least leastSpace.
func space(n facts.Node, t facts.AptTrial) (out []problem) {
	need := max(2*t.Bytes, leastSpace)
	known := false
	for _, f := range n.Floor.Filesystems {
		if !slices.Contains(f.Directories, "/") && !slices.Contains(f.Directories, "/var") {
			continue
		}
		switch known = true; {
		case f.Unknown != "":
			out = append(out, problem{text: "the free space of " + f.Directories[0] + ": " + f.Unknown, unknown: true})
		case f.ReadOnly:
			out = append(out, problem{text: f.Directories[0] + " is read-only", hint: "dmesg | grep -i remount"})
		case f.Free < need:
			out = append(out, problem{hint: "apt-get clean; journalctl --vacuum-size=500M",
				text: fmt.Sprintf("%s has %d MiB free, and the packages need %d MiB", f.Directories[0], f.Free>>20, need>>20)})
		}
	}
	if !known {
		out = append(out, problem{text: "the free space of /: " + orElse(n.Floor.Unknown, "nobody looked"), unknown: true})
	}
	return out
}

// commandText is a change as words for apt-get install.
func commandText(c facts.AptChange) string {
	var words []string
	for _, p := range c.Install {
		words = append(words, p.Name+"="+p.Version)
	}
	for _, name := range c.Remove {
		words = append(words, name+"-")
	}
	return strings.Join(words, " ")
}
