package driver

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/downtime"
	"upkeep/providers/facts"
)

// effect is the pure meaning of one of the operations.
type effect struct{ operation string }

// Needs is the step's own node and, where packages change, what apt would do for them, and the cluster.
func (e effect) Needs(_ providers.Input, step providers.Step) providers.Needs {
	question := facts.Question{NVIDIA: true, Boot: true}
	a, err := providers.ArgsOf[args](step)
	question.Products = err == nil && e.operation == OperationProve && a.Products
	if err == nil && e.operation != OperationProve {
		question.Apt = &facts.AptQuestion{Branch: branchOf(a.Version), Change: &a.Change}
	}
	needs := providers.Needs{Nodes: []providers.NodeNeed{{Nodes: config.Selection{Names: []string{step.Node}},
		Question: question}}}
	if e.operation == OperationPackages {
		needs.Kubernetes = providers.KubernetesNeeds{Cluster: true, Tenancies: true}
	}
	return needs
}

// Ground is the boot that packages are changed in.
func (e effect) Ground(in providers.Input, step providers.Step) providers.Ground {
	if e.operation != OperationPackages {
		return nil
	}
	return downtime.GroundOf(in, step)
}

// Ready says whether the step can run in the observed world.
func (e effect) Ready(in providers.Input, step providers.Step) providers.Readiness {
	a, err := providers.ArgsOf[args](step)
	if err != nil {
		return providers.Unreadable(err)
	}
	n := in.World.Node(step.Node)
	if n.Unknown != "" {
		return providers.Unknown.Because("nothing is known of %s: %s", step.Node, n.Unknown)
	}
	if e.operation == OperationProve {
		if notProved(a, n) == "" {
			return providers.Done.Because("driver %s works on %s", a.Version, step.Node)
		}
		return providers.Holds.Because("")
	}
	if packagesMissing(a, n) == "" {
		return providers.Done.Because("%s has the packages of driver %s", step.Node, a.Version)
	}
	if e.operation == OperationPackages {
		if r := downtime.Down(in, step, a.Object, a.Policy); r != nil {
			if r.State == providers.Done {
				return providers.Moved.Because("%s has booted since the plan was made, and lacks packages of driver %s",
					step.Node, a.Version)
			}
			return *r
		}
		if next := n.Boot.Next; next != "" && next != a.Kernel {
			return providers.Moved.Because("kernel %s boots next, and the packages are for %s", next, a.Kernel)
		}
	}
	return e.trial(a, n)
}

// trial compares what apt would do now with what it was seen to do.
func (e effect) trial(a args, n facts.Node) providers.Readiness {
	t := n.Apt.Trial
	switch {
	case n.NVIDIA.Packages.Interrupted:
		return providers.Moved.Because("dpkg was interrupted on %s", n.Name)
	case t == nil || !t.Change.Equal(a.Change):
		return providers.Unknown.Because("nobody asked apt on %s what it would do", n.Name)
	case t.Unknown != "":
		return providers.Unknown.Because("what apt would do on %s: %s", n.Name, t.Unknown)
	case t.Refused != "":
		return providers.Moved.Because("apt on %s cannot install these packages: %s", n.Name, t.Refused)
	case !sameChanges(t.Installs, a.Installs) || !sameChanges(t.Removes, a.Removes):
		return providers.Moved.Because("apt on %s would change other packages than the plan shows", n.Name)
	case e.operation == OperationDownload && t.Missing == 0:
		return providers.Done.Because("%s has each archive", n.Name)
	}
	return providers.Holds.Because("")
}

// sameChanges reports whether two lists hold the same, in any order.
func sameChanges[T comparable](a, b []T) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(x T) bool { return !slices.Contains(b, x) })
}

// packagesMissing says which package is not as it is to be; empty: each of them is.
func packagesMissing(a args, n facts.Node) string {
	p := n.NVIDIA.Packages
	if p.Unknown != "" {
		return p.Unknown
	}
	for _, want := range a.Set {
		switch has := p.Package(want.Name); {
		case has == nil:
			return want.Name + " is not installed"
		case has.Version != want.Version:
			return fmt.Sprintf("%s is %s, not %s", want.Name, has.Version, want.Version)
		case !has.Installed():
			return fmt.Sprintf("%s is not configured (%s)", want.Name, has.Status)
		case !has.Held && slices.Contains(a.Hold, want.Name):
			return want.Name + " is not held back"
		}
	}
	for _, name := range a.Change.Remove {
		if has := p.Package(name); has != nil && (len(has.Status) < 2 || has.Status[1] != 'c') {
			return name + " is still installed"
		}
	}
	return ""
}

// Proved says whether what was predicted happened.
func (e effect) Proved(_, after providers.Input, step providers.Step) error {
	a, err := providers.ArgsOf[args](step)
	if err != nil {
		return err
	}
	n := after.World.Node(step.Node)
	if n.Unknown != "" {
		return fmt.Errorf("nothing is known of %s: %s", step.Node, n.Unknown)
	}
	switch e.operation {
	case OperationDownload:
		switch t := n.Apt.Trial; {
		case t == nil || t.Unknown != "" || t.Refused != "":
			return fmt.Errorf("which archives %s has is not known", step.Node)
		case t.Missing > 0:
			return fmt.Errorf("%s still lacks %s", step.Node, providers.Count(t.Missing, "archive"))
		}
	case OperationPackages:
		if why := packagesMissing(a, n); why != "" {
			return errors.New(step.Node + ": " + why)
		}
		switch f := n.NVIDIA.ModuleOf(a.Kernel); {
		case f.Unknown != "":
			return fmt.Errorf("%s: the module on disk for kernel %s: %s", step.Node, a.Kernel, f.Unknown)
		case f.Missing || f.Version != a.Version:
			return fmt.Errorf("%s: the module on disk for kernel %s is %s, not %s; the node is not rebooted", step.Node,
				a.Kernel,
				orElse(f.Version, "missing"), a.Version)
		}
	case OperationProve:
		if why := notProved(a, n); why != "" {
			return errors.New(step.Node + ": " + why)
		}
	}
	return nil
}

// Predict returns the parts of the world that the step changes.
func (e effect) Predict(in providers.Input, step providers.Step) facts.Update {
	a, err := providers.ArgsOf[args](step)
	known := in.World.Nodes[step.Node]
	if err != nil || known == nil {
		return facts.Update{}
	}
	n := *known
	switch e.operation {
	case OperationDownload:
		if t := n.Apt.Trial; t != nil {
			there := *t
			there.Missing, there.Bytes = 0, 0
			n.Apt.Trial = &there
		}
	case OperationPackages:
		n.NVIDIA = installed(a, n.NVIDIA)
		n.Apt.Trial = nil
	case OperationProve:
		n.NVIDIA = working(a, n)
	}
	return facts.Update{Nodes: []facts.Node{n}}
}

// installed is a node whose packages have changed, before it boots.
func installed(a args, d facts.NVIDIA) facts.NVIDIA {
	d.Packages.Packages = slices.DeleteFunc(slices.Clone(d.Packages.Packages), func(p facts.Package) bool {
		return slices.ContainsFunc(a.Removes, func(gone facts.PackageAt) bool { return gone.Name == p.Name })
	})
	for _, change := range a.Installs {
		name, version := change.Name, change.To
		i := slices.IndexFunc(d.Packages.Packages, func(p facts.Package) bool { return p.Name == name })
		if i < 0 {
			d.Packages.Packages = append(d.Packages.Packages, facts.Package{Name: name})
			i = len(d.Packages.Packages) - 1
		}
		p := &d.Packages.Packages[i]
		p.Version, p.Upstream, p.Status = version, upstreamOf(version), "ii"
		if n, ours := facts.ParseDriverName(name); ours {
			p.Branch = branchOf(a.Version)
			p.Track = ""
			if n.Server {
				p.Track = Server
			}
		}
		p.Held = slices.Contains(a.Hold, name)
	}
	for i := range d.Packages.Packages {
		if p := &d.Packages.Packages[i]; slices.Contains(a.Hold, p.Name) {
			p.Held = true
		}
	}
	slices.SortFunc(d.Packages.Packages, func(x, y facts.Package) int { return strings.Compare(x.Name, y.Name) })
	d.Packages.Branches = []string{branchOf(a.Version)}
	d.OnDisk = slices.Clone(d.OnDisk)
	i := slices.IndexFunc(d.OnDisk, func(f facts.ModuleFile) bool { return f.Kernel == a.Kernel })
	if i < 0 {
		d.OnDisk = append(d.OnDisk, facts.ModuleFile{Kernel: a.Kernel})
		i = len(d.OnDisk) - 1
	}
	f := &d.OnDisk[i]
	f.Version, f.Missing, f.Unknown, f.License = a.Version, false, "", "NVIDIA"
	if a.Open {
		f.License = "Dual MIT/GPL"
	}
	d.Libraries.Files = slices.Clone(d.Libraries.Files)
	if d.Libraries.Version("libcuda.so") == "" {
		d.Libraries.Files = append(d.Libraries.Files, facts.DriverLibrary{Name: "libcuda.so", Used: true})
	}
	for i := range d.Libraries.Files {
		if l := &d.Libraries.Files[i]; l.Used {
			l.Version = a.Version
		}
	}
	if a.Fabric {
		d.FabricManager.Version, d.FabricManager.VersionUnknown = a.Version, ""
	}
	return d
}

// working is the driver of a node on which it works.
func working(a args, n facts.Node) facts.NVIDIA {
	d := n.NVIDIA
	d.Module.Loaded, d.Module.Version, d.Module.Open, d.Module.Unknown = true, a.Version, a.Open, ""
	gpus := d.NVML.GPUs
	d.NVML = facts.NVML{Driver: a.Version, GPUs: slices.Clone(gpus)}
	for i := len(gpus); i < a.GPUs; i++ {
		d.NVML.GPUs = append(d.NVML.GPUs, facts.GPU{Index: i})
	}
	for i := range d.NVML.GPUs {
		g := &d.NVML.GPUs[i]
		g.Unknown, g.Kind = "", ""
		if a.Fabric && g.Fabric.State != "" && g.Fabric.State != facts.NotSupported {
			g.Fabric.State, g.Fabric.Status = "completed", 0
		}
	}
	d.CUDA = facts.CUDA{Devices: max(d.CUDA.Devices, a.GPUs)}
	if a.Products {
		d.Products = computed(d.CUDA.Devices)
	}
	if a.Fabric {
		u := &d.FabricManager.Unit
		u.Unknown, u.Load, u.Active, u.Sub, u.Enabled = "", "loaded", "active", "running", "enabled"
	}
	return d
}
