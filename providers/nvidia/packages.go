package nvidia

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// broken are the second letters of dpkg's status of a package that is neither installed nor removed
// (dpkg-query(1)).
var broken = map[byte]string{
	'H': "half-installed", 'U': "unpacked and not configured", 'F': "half-configured",
	'W': "waiting for triggers", 't': "with a trigger pending",
}

// packages reports what apt has done to the driver, and what it would do.
func (e *examination) packages() {
	p := e.n.Packages
	switch {
	case e.operator || p.NoDpkg:
		return
	case p.Unknown != "":
		e.unknown("packages", p.Unknown)
		return
	case p.Interrupted:
		e.due("NVIDIA_PACKAGE_BROKEN", "packages", "dpkg --configure -a", "dpkg was interrupted")
	}
	for i := range p.Packages {
		e.brokenPackage(p.Packages[i])
	}
	if len(p.Branches) > 1 {
		e.due("NVIDIA_BRANCHES", "packages", "dpkg -l '*nvidia*' | grep ^ii",
			"packages of the driver branches %s are installed: one branch must remain",
			strings.Join(p.Branches, ", "))
	}
	e.track()
	e.pinned()
	e.repositories()
	e.unattended()
}

func (e *examination) brokenPackage(p facts.Package) {
	if len(p.Status) < 2 {
		return
	}
	state, is := broken[p.Status[1]]
	if len(p.Status) > 2 && p.Status[2] == 'R' {
		state, is = "in need of a reinstallation", true
	}
	if is {
		e.due("NVIDIA_PACKAGE_BROKEN", "package "+p.Name, "dpkg --configure -a && apt-get -f install", "%s %s is %s (%s)",
			p.Name, p.Version, state, p.Status)
	}
	if len(p.Unmet) > 0 {
		e.due("NVIDIA_PACKAGE_BROKEN", "package "+p.Name, "apt-get -s -f install", "%s %s needs what the node does not have: %s",
			p.Name, p.Version, strings.Join(p.Unmet, ", "))
	}
}

// track reports a driver of Ubuntu's desktop track beside a fabric manager, which follows the server track: the two
// get other versions with the next update (the failure in the guide).
func (e *examination) track() {
	if e.n.Fabric.Manager != facts.Needed {
		return
	}
	for _, p := range e.n.Packages.Packages {
		if p.Track == "desktop" && p.Installed() && strings.HasPrefix(p.Name, "nvidia-driver-") {
			e.due("NVIDIA_TRACK", "package "+p.Name, "apt-cache policy "+p.Name+"-server", "%s is of the desktop track. "+
				"The fabric manager follows the server track, so the two versions will drift apart", p.Name)
		}
	}
}

// pinned reports packages that a pin of negative priority forbids, with the file of the pin.
func (e *examination) pinned() {
	for _, p := range e.n.Packages.Packages {
		if !p.Pinned || !p.Installed() {
			continue
		}
		where := "apt-cache policy " + p.Name
		text := "a pin of negative priority forbids every version of " + p.Name
		for _, pin := range e.n.Packages.Pins {
			if pin.Priority < 0 && slices.ContainsFunc(pin.Packages, func(name string) bool {
				return matches(name,
					p.Name)
			}) {
				text += fmt.Sprintf(" (%s:%d)", pin.File, pin.Line)
				break
			}
		}
		e.due("NVIDIA_PINNED", "package "+p.Name, where, "%s", text)
	}
}

// matches reports whether a name of apt's preferences is about a package: a name, or a pattern with *
// (apt_preferences(5)).
func matches(pattern, name string) bool {
	prefix, suffix, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == name
	}
	return strings.HasPrefix(name, prefix) && strings.HasSuffix(name, strings.TrimLeft(suffix, "*"))
}

// repositories reports a version that two repositories have: which one apt takes follows from their order alone.
func (e *examination) repositories() {
	for _, p := range e.n.Packages.Packages {
		if !p.Installed() {
			continue
		}
		for _, v := range p.Versions {
			if v.Version != p.Version {
				continue
			}
			var all []string
			for _, s := range v.Sources {
				if name := repositoryOf(s); name != "" && !slices.Contains(all, name) {
					all = append(all, name)
				}
			}
			if len(all) > 1 {
				e.note("NVIDIA_REPOSITORIES", "package "+p.Name, "apt-cache policy "+p.Name,
					"version %s is in %d repositories: %s", v.Version, len(all), providers.Few(all))
			}
		}
	}
}

var hostPattern = regexp.MustCompile(`^[a-z+]+://([^/ ]+)`)

// archived are the components in which distributions have the driver. Their pockets (noble-updates, noble-security) have
// the same packages on several hosts, and that is one repository.
var archived = []string{"restricted", "multiverse", "universe", "non-free", "non-free-firmware", "contrib"}

// repositoryOf names the repository of one source, as facts.PackageVersion has it; empty for what is installed.
func repositoryOf(source string) string {
	f := strings.Fields(source)
	if len(f) == 0 {
		return ""
	}
	if len(f) > 1 {
		if _, component, _ := strings.Cut(f[1], "/"); slices.Contains(archived, component) {
			return "the archive of the distribution"
		}
	}
	if m := hostPattern.FindStringSubmatch(f[0]); m != nil {
		return m[1]
	}
	if strings.Contains(f[0], ":") { // file:/srv/repository
		return f[0]
	}
	return ""
}

// unattended reports packages of the driver that unattended-upgrades would move: neither held nor on its list.
func (e *examination) unattended() {
	u := e.n.Packages.Unattended
	switch {
	case u.Unknown != "":
		e.unknown("unattended-upgrades", u.Unknown)
		return
	case !u.Installed || !u.Enabled:
		return
	}
	var moves []string
	for _, p := range e.n.Packages.Packages {
		if p.Installed() && !p.Held && !p.Pinned && !listed(u.Blacklist, p.Name) {
			moves = append(moves, p.Name)
		}
	}
	if len(moves) > 0 {
		e.due("NVIDIA_UNATTENDED", "unattended-upgrades", "apt-mark hold "+strings.Join(moves[:min(len(moves), 3)], " "),
			"unattended-upgrades may change %d packages of the driver: %s", len(moves), providers.Few(moves))
	}
}

// listed reports whether a pattern names a package: a regular expression on the beginning of the name. One that is
// no expression names nothing.
func listed(patterns []string, name string) bool {
	for _, p := range patterns {
		if expression, err := regexp.Compile("^(?:" + p + ")"); err == nil && expression.MatchString(name) {
			return true
		}
	}
	return false
}
