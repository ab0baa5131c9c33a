package driver

import (
	"slices"
	"strings"

	"upkeep/providers/facts"
)

// scheme is where a node's packages come from, and so how they are called (reference: names of packages by repository,
// branch and track).
type scheme string

const (
	ubuntuServer  scheme = "server track of the distribution"
	ubuntuDesktop scheme = "desktop track of the distribution"
	nvidiaOwn     scheme = "NVIDIA's repository"
)

// metas are the packages that stand for a complete driver.
var metas = []string{"cuda-drivers", "nvidia-driver", "nvidia-headless", "nvidia-headless-no-dkms", "nvidia-open"}

// schemeOf says where the packages of a node come from: as declared, else as those that it has. A node that needs a
// fabric manager gets the server track, which the fabric manager of Ubuntu's archive follows.
func schemeOf(n facts.Node, declared string) scheme {
	switch declared {
	case Server:
		return ubuntuServer
	case Desktop:
		return ubuntuDesktop
	}
	has := false
	for _, p := range n.NVIDIA.Packages.Packages {
		name, ok := facts.ParseDriverName(p.Name)
		if !ok || !p.Installed() || name.Stem != facts.StemCompute && !slices.Contains(metas, name.Stem) {
			continue
		}
		switch {
		case name.Server:
			return ubuntuServer
		case fromNVIDIA(p):
			return nvidiaOwn
		}
		has = true
	}
	switch {
	case has && n.NVIDIA.Fabric.Manager != facts.Needed:
		return ubuntuDesktop
	case has || offersOf(n.Apt, ubuntuServer):
		return ubuntuServer
	case offersOf(n.Apt, nvidiaOwn):
		return nvidiaOwn
	}
	return ubuntuDesktop
}

// offersOf reports whether apt offers the driver's libraries from somewhere.
func offersOf(a facts.Apt, s scheme) bool {
	return slices.ContainsFunc(a.Offers, func(o facts.Offer) bool {
		name, ok := facts.ParseDriverName(o.Name)
		return ok && name.Stem == facts.StemCompute && s.names(name, a.Branch) && slices.ContainsFunc(o.Versions, s.serves)
	})
}

// fromNVIDIA reports whether the installed version of a package is in NVIDIA's repository or, where no repository has
// that version any more, whether NVIDIA's alone has others of the package.
func fromNVIDIA(p facts.Package) bool {
	nvidia, distribution := false, false
	for _, v := range p.Versions {
		if v.Version == p.Version && (nvidiaOwn.serves(v) || ubuntuDesktop.serves(v)) {
			return nvidiaOwn.serves(v)
		}
		nvidia, distribution = nvidia || nvidiaOwn.serves(v), distribution || ubuntuDesktop.serves(v)
	}
	return nvidia && !distribution
}

// serves reports whether a version of a package is in a repository of the scheme. What only dpkg knows is in none.
func (s scheme) serves(v facts.PackageVersion) bool {
	return slices.ContainsFunc(v.Sources, func(source string) bool {
		if strings.HasPrefix(source, "/var/lib/dpkg/") {
			return false
		}
		return (s == nvidiaOwn) == isNVIDIA(source)
	})
}

// isNVIDIA reports whether a source is NVIDIA's repository, or a mirror of it: mirrors keep its path.
func isNVIDIA(source string) bool {
	return strings.Contains(source, "nvidia.com/") || strings.Contains(source, "/cuda/repos/")
}

// trackless are packages of which there is one for all tracks.
var trackless = []string{
	"cuda-drivers", "cuda-drivers-fabricmanager", "libnvidia-nscq", "libnvsdm", facts.StemManager, "nvidia-imex",
	"nvidia-open",
}

// withModule are the packages whose name says which kernel module they have or want.
var withModule = []string{
	facts.StemDKMS, facts.StemModules, "nvidia-driver", "nvidia-headless", "nvidia-headless-no-dkms",
	"nvidia-kernel-source",
}

// candidates are the names that a package can have, the first choice first. NVIDIA's repository has names without a
// branch from 580 on for what all tracks share, and from 590 on for everything; a virtual name that is left of the old
// ones has no version, and is never chosen.
func (s scheme) candidates(stem, branch, kernel string, open bool) (out []string) {
	name := facts.DriverName{Stem: stem, Branch: branch, Kernel: kernel, Open: open && slices.Contains(withModule, stem)}
	name.Server = s == ubuntuServer && !slices.Contains(trackless, stem)
	out = append(out, name.String())
	if s == nvidiaOwn || slices.Contains(trackless, stem) {
		name.Branch = ""
		out = append(out, name.String())
	}
	return out
}

// names reports whether a name is one of the scheme's for a branch.
func (s scheme) names(n facts.DriverName, branch string) bool {
	return slices.Contains(s.candidates(n.Stem, branch, n.Kernel, n.Open), n.String())
}
