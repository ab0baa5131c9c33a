package driver

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// problem is what keeps a node from its driver.
type problem struct {
	text, hint string
	unknown    bool
}

// packages are those of a node for one version of the driver.
type packages struct {
	scheme scheme
	// open: they are for the open kernel module. dkms: the module is built on the node.
	open, dkms bool
	// set are all of them in full versions, by name; change is what of it is still to do.
	set    []facts.PackageAt
	change facts.AptChange
	// hold are those that apt holds back afterwards, since it holds their predecessors back now.
	hold     []string
	problems []problem
}

// resolution is one resolve in progress.
type resolution struct {
	packages
	n       facts.Node
	version string
	branch  string
	has     map[string]facts.Package // the driver's packages with files on the node, by name
	lacks   bool                     // a required package is not offered, and that was said
}

func (r *resolution) stop(hint, format string, a ...any) {
	r.problems = append(r.problems, problem{text: fmt.Sprintf(format, a...), hint: hint})
}

func (r *resolution) unknown(format string, a ...any) {
	r.problems = append(r.problems, problem{text: fmt.Sprintf(format, a...), unknown: true})
}

// resolve says which packages make a version of the driver on a node. Pure. Where it says problems, the rest is not to
// be used.
func resolve(s Spec, version string, n facts.Node) packages {
	r := &resolution{n: n, version: version, branch: branchOf(version), has: map[string]facts.Package{}}
	p := n.NVIDIA.Packages
	switch {
	case p.NoDpkg:
		r.stop("", "the node has no dpkg: upkeep installs drivers on Debian's family only")
	case p.Unknown != "":
		r.unknown("the packages of the driver: %s", p.Unknown)
	case p.CandidatesUnknown != "":
		r.unknown("what apt would install: %s", p.CandidatesUnknown)
	case n.Apt.Unknown != "":
		r.unknown("what apt offers: %s", n.Apt.Unknown)
	case n.Apt.Branch != r.branch:
		r.unknown("nobody asked apt for branch %s", r.branch)
	case n.Boot.Next == "":
		r.unknown("which kernel boots next: %s", orElse(orElse(n.Boot.NextUnknown, n.Boot.Unknown), "nobody looked"))
	case p.Interrupted:
		r.stop("dpkg --configure -a", "dpkg was interrupted")
	}
	if len(r.problems) > 0 {
		return r.packages
	}
	r.installed()
	r.scheme = schemeOf(n, s.Track)
	r.module(s)
	r.choose()
	if len(r.problems) == 0 {
		r.changes(s)
	}
	return r.packages
}

// installed collects what the node has of the driver.
func (r *resolution) installed() {
	var broken, foreign []string
	for _, p := range r.n.NVIDIA.Packages.Packages {
		if _, ours := facts.ParseDriverName(p.Name); !ours || len(p.Status) < 2 || p.Status[1] == 'c' {
			continue
		}
		switch arch := r.n.System.Architecture; {
		case arch != "" && p.Architecture != "" && p.Architecture != "all" && p.Architecture != arch:
			foreign = append(foreign, p.Name+":"+p.Architecture)
		case !p.Installed():
			broken = append(broken, p.Name)
		default:
			r.has[p.Name] = p
		}
	}
	if len(broken) > 0 {
		r.stop("dpkg --configure -a && apt-get -f install", "packages are neither installed nor removed: %s",
			providers.Few(broken))
	}
	if len(foreign) > 0 {
		r.stop("apt-get remove "+strings.Join(foreign, " "), "packages of another architecture are installed: %s",
			providers.Few(foreign))
	}
}

// module decides which kernel module, and who builds it: DKMS where it does so now, Ubuntu where it has one for the
// kernel that boots next.
func (r *resolution) module(s Spec) {
	var why string
	if r.open, why = moduleOf(s.KernelModule, r.branch, r.n); why != "" {
		r.stop("change kernel_module or version in the block", "%s", why)
	}
	built := false
	for name := range r.has {
		n, _ := facts.ParseDriverName(name)
		r.dkms, built = r.dkms || n.Stem == facts.StemDKMS, built || n.Stem == facts.StemModules
	}
	prebuilt := r.n.Apt.Offer(r.scheme.candidates(facts.StemModules, r.branch, r.n.Boot.Next, r.open)[0]) != nil
	switch {
	case r.dkms:
	case built || prebuilt:
	default:
		r.dkms = true
	}
	if !r.dkms {
		return
	}
	next := r.n.Boot.Next
	if !slices.Contains(r.n.Apt.Headers, next) {
		r.stop("apt-get install linux-headers-"+next,
			"DKMS builds the kernel module, and the headers of kernel %s are missing", next)
	}
	switch boot := r.n.Boot; {
	case boot.SecureBoot == "":
		r.unknown("DKMS builds the kernel module, and whether Secure Boot is enabled: %s", orElse(boot.SecureBootUnknown,
			"nobody looked"))
	case boot.SecureBoot == facts.SecureBootEnabled && !r.n.NVIDIA.ModuleOf(r.n.System.Kernel).Signed:
		r.stop("mokutil --sb-state; mokutil --list-enrolled",
			"Secure Boot is enabled, and DKMS signs no module on this node: "+
				"the kernel would refuse the new module")
	}
}

// choose picks the packages of the set.
func (r *resolution) choose() {
	required, wanted := r.stems()
	for _, stem := range wanted {
		r.pick(stem, "", slices.Contains(required, stem))
	}
	if !r.dkms {
		r.pick(facts.StemModules, r.n.Boot.Next, true)
		for _, name := range slices.Sorted(maps.Keys(r.has)) {
			if n, _ := facts.ParseDriverName(name); n.Stem == facts.StemModules && !n.ForRelease() {
				r.pick(facts.StemModules, n.Kernel, false)
			}
		}
	}
	slices.SortFunc(r.set, func(a, b facts.PackageAt) int { return strings.Compare(a.Name, b.Name) })
	r.set = slices.Compact(r.set)
}

// stems are the packages that the node is to have, whatever they are called: without those that are required there is
// no driver; of the others those that are offered.
func (r *resolution) stems() (required, wanted []string) {
	wanted = []string{
		"libnvidia-cfg1", "libnvidia-common", "nvidia-compute-utils", "nvidia-kernel-common", "nvidia-utils",
	}
	headless := false
	for name := range r.has {
		n, _ := facts.ParseDriverName(name)
		switch stem := n.Stem; {
		case slices.Contains(metas, stem):
			meta := r.metaOf(stem)
			required = append(required, meta)
			headless = headless || strings.HasPrefix(meta, "nvidia-headless")
		case stem == facts.StemModules || stem == facts.StemDKMS || stem == "nvidia-kernel-source":
		default:
			wanted = append(wanted, stem)
		}
	}
	if len(required) == 0 {
		required = append(required, "nvidia-driver")
	}
	if !headless {
		wanted = append(wanted, "libnvidia-decode", "libnvidia-encode", "libnvidia-extra", "libnvidia-fbc1", "libnvidia-gl",
			"nvidia-kernel-source", "xserver-xorg-video-nvidia")
	}
	required = append(required, facts.StemCompute)
	if r.dkms {
		required, wanted = append(required, facts.StemDKMS), append(wanted, "nvidia-kernel-source")
	}
	if r.n.NVIDIA.Fabric.Manager == facts.Needed {
		required, wanted = append(required, facts.StemManager), append(wanted, "libnvidia-nscq")
	}
	wanted = append(wanted, required...)
	slices.Sort(wanted)
	return required, slices.Compact(wanted)
}

// metaOf is what stands for a complete driver in the place of a package that does so now.
func (r *resolution) metaOf(stem string) string {
	switch {
	case stem != "cuda-drivers" && stem != "nvidia-open":
		return stem
	case r.scheme != nvidiaOwn:
		return "nvidia-driver"
	case r.open:
		return "nvidia-open"
	}
	return "cuda-drivers"
}

// pick adds a package to the set in the version that apt offers.
func (r *resolution) pick(stem, kernel string, required bool) {
	names := r.scheme.candidates(stem, r.branch, kernel, r.open)
	var offers []string
	for _, name := range names {
		offer := r.n.Apt.Offer(name)
		if offer == nil {
			continue
		}
		if offer.Pinned() {
			r.stop("apt-cache policy "+name, "a pin of negative priority forbids every version of %s%s", name, pinOf(r.n, name))
			return
		}
		if version, ambiguous := r.versionIn(*offer, kernel); version != "" {
			if len(ambiguous) > 0 {
				r.stop("apt-cache policy "+name,
					"version %s of %s is in two repositories: %s. Remove one of the two from the sources of apt",
					version, name, strings.Join(ambiguous, ", "))
			}
			r.set = append(r.set, facts.PackageAt{Name: name, Version: version})
			return
		}
		for _, v := range offer.Versions {
			if r.scheme.serves(v) {
				offers = append(offers, upstreamOf(v.Version))
			}
		}
	}
	if !required || r.lacks {
		return
	}
	r.lacks = true
	what := strings.Join(names, " or ")
	if len(offers) > 0 {
		r.stop("apt-get update && apt-cache policy "+names[0], "apt offers %s in %s, and not in %s (%s)", what,
			providers.Few(offers), r.version, r.scheme)
		return
	}
	r.stop("apt-get update && apt-cache policy "+names[0], "apt offers no %s (%s)", what, r.scheme)
}

// versionIn is the full version of an offer that has the wanted version of the driver: the one that is installed, else
// the newest that the scheme serves. The version of a package of modules is that of its kernel, so that apt's candidate
// is taken there, and apt is asked whether its dependencies fit. ambiguous are two repositories that both have it.
func (r *resolution) versionIn(o facts.Offer, kernel string) (version string, ambiguous []string) {
	if installed, is := r.has[o.Name]; is && kernel == "" && upstreamOf(installed.Version) == r.version {
		return installed.Version, nil
	}
	if kernel != "" {
		return o.Candidate, nil
	}
	for _, v := range o.Versions {
		if upstreamOf(v.Version) != r.version || !r.scheme.serves(v) {
			continue
		}
		if nvidiaOwn.serves(v) && ubuntuServer.serves(v) {
			for _, source := range v.Sources {
				ambiguous = append(ambiguous, strings.TrimSpace(source))
			}
		}
		return v.Version, ambiguous
	}
	return "", nil
}

// pinOf names the pin that forbids a package, as far as one names it.
func pinOf(n facts.Node, name string) string {
	for _, pin := range n.NVIDIA.Packages.Pins {
		if pin.Priority < 0 && slices.ContainsFunc(pin.Packages, func(pattern string) bool {
			prefix, suffix, wild := strings.Cut(pattern, "*")
			return pattern == name || wild && strings.HasPrefix(name, prefix) && strings.HasSuffix(name,
				strings.TrimLeft(suffix, "*"))
		}) {
			return fmt.Sprintf(" (%s:%d)", pin.File, pin.Line)
		}
	}
	return ""
}

// changes compares the set with what the node has.
func (r *resolution) changes(s Spec) {
	in := map[string]string{}
	for _, p := range r.set {
		in[p.Name] = p.Version
		if r.has[p.Name].Version != p.Version {
			r.change.Install = append(r.change.Install, p)
		}
	}
	held := map[string]bool{} // stems
	var touched []string
	for name, p := range r.has {
		n, _ := facts.ParseDriverName(name)
		version, stays := in[name]
		if !stays {
			r.change.Remove = append(r.change.Remove, name)
		}
		if p.Held {
			held[n.Stem] = true
			if version != p.Version {
				touched = append(touched, name)
			}
		}
	}
	slices.Sort(r.change.Remove)
	slices.Sort(touched)
	if len(touched) == 0 {
		return
	}
	if s.Held != Change {
		r.stop("apt-mark unhold "+strings.Join(touched, " "), "apt holds packages back that must change: %s. "+
			"Write held = \"change\" to have upkeep change held packages and hold the new ones back", providers.Few(touched))
		return
	}
	r.change.Held = true
	for _, p := range r.set {
		if n, _ := facts.ParseDriverName(p.Name); held[n.Stem] {
			r.hold = append(r.hold, p.Name)
		}
	}
}
