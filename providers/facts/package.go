package facts

// DriverPackages are the packages of NVIDIA's driver on a node of Debian's family, and what apt would do with them.
type DriverPackages struct {
	// Unknown: dpkg's status could not be read; why. NoDpkg: the node has no dpkg.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	NoDpkg  bool   `json:"no_dpkg,omitempty"`
	// Packages are those of the driver, also removed ones whose configuration stayed, by name and architecture.
	Packages []Package `json:"packages,omitempty"`
	// Branches are the driver branches of installed packages, sorted: "550", "570". More than one is drift.
	Branches []string `json:"branches,omitempty"`
	// Interrupted: dpkg was interrupted, /var/lib/dpkg/updates holds parts of its status.
	Interrupted bool `json:"interrupted,omitempty"`
	// Sources are all of apt's sources, by file and line; SourcesUnknown why some are missing.
	Sources        []PackageSource `json:"sources,omitempty"`
	SourcesUnknown string          `json:"sources_unknown,omitempty" plain:"said"`
	// Pins are the pins that name packages of the driver, or all packages.
	Pins        []Pin  `json:"pins,omitempty"`
	PinsUnknown string `json:"pins_unknown,omitempty" plain:"said"`
	// CandidatesUnknown: apt could not be asked for candidates; why.
	CandidatesUnknown string `json:"candidates_unknown,omitempty" plain:"said"`
	// Unattended is what upgrades packages without anybody.
	Unattended Unattended `json:"unattended,omitzero"`
}

// Package returns a package by name; nil where dpkg has none of it.
func (p DriverPackages) Package(name string) *Package {
	for i := range p.Packages {
		if p.Packages[i].Name == name {
			return &p.Packages[i]
		}
	}
	return nil
}

// Package is one package as dpkg has it.
type Package struct {
	Name         string `json:"name"`
	Architecture string `json:"architecture,omitempty"`
	// Status is dpkg's abbreviation, as `dpkg -l` shows it: "ii" installed, "iF" half-configured, "iU" unpacked, "iH"
	// half-installed, "rc" removed with its configuration left, "hi" installed and held. A third letter R: dpkg wants it
	// reinstalled.
	Status string `json:"status"`
	// Version is dpkg's, Upstream the driver's version in it, without epoch and revision: "570.124.06".
	Version  string `json:"version,omitempty"`
	Upstream string `json:"upstream,omitempty"`
	// Held: apt does not change it unless told to (`apt-mark hold`).
	Held bool `json:"held,omitempty"`
	// Branch is the driver branch: "570". Track is "server" or "desktop" for packages of Ubuntu's archive that are told
	// apart by name, else empty.
	Branch string `json:"branch,omitempty"`
	Track  string `json:"track,omitempty"`
	// Provides are the virtual names that it has.
	Provides []string `json:"provides,omitempty"`
	// Unmet are dependencies on other packages of the driver that the node does not fulfil, as the package writes them:
	// "libnvidia-compute-570-server (= 570.124.06-0ubuntu1)". dpkg calls such a package installed all the same.
	Unmet []string `json:"unmet,omitempty"`
	// Candidate is the version that apt would install, empty where there is none or it is unknown (see
	// DriverPackages.CandidatesUnknown). Pinned: a pin of negative priority forbids every version, which is why there
	// is none.
	Candidate string `json:"candidate,omitempty"`
	Pinned    bool   `json:"pinned,omitempty"`
	// Versions are all versions that apt knows, the newest first.
	Versions []PackageVersion `json:"versions,omitempty"`
}

// Installed reports whether the package is unpacked and configured.
func (p Package) Installed() bool { return len(p.Status) == 2 && p.Status[1] == 'i' }

// PackageVersion is one version of a package that apt knows.
type PackageVersion struct {
	Version  string `json:"version"`
	Priority int    `json:"priority"`
	// Sources are the lines of `apt-cache policy` without their priority:
	// "https://developer.download.nvidia.com/compute/cuda/repos/ubuntu2404/x86_64  Packages". More than one: two
	// repositories have the same version.
	Sources []string `json:"sources,omitempty"`
}

// PackageSource is one source of apt.
type PackageSource struct {
	// File is where it is written, Line its line, from 1; of a file of fields the line where the paragraph begins.
	File string `json:"file"`
	Line int    `json:"line"`
	// URI has neither user nor password in it. Suite and Components are as written.
	URI        string   `json:"uri"`
	Suite      string   `json:"suite,omitempty"`
	Components []string `json:"components,omitempty"`
	// SignedBy is the keyring, empty where the source names none.
	SignedBy string `json:"signed_by,omitempty"`
	// Disabled: it is written and not in use.
	Disabled bool `json:"disabled,omitempty"`
}

// Pin is one paragraph of apt's preferences.
type Pin struct {
	File string `json:"file"`
	Line int    `json:"line"`
	// Packages are the names or patterns, Pin what is chosen ("version 570.124.06*", "release o=Ubuntu").
	Packages []string `json:"packages"`
	Pin      string   `json:"pin"`
	Priority int      `json:"priority"`
}

// Unattended is unattended-upgrades.
type Unattended struct {
	Unknown   string `json:"unknown,omitempty" plain:"said"`
	Installed bool   `json:"installed,omitempty"`
	// Enabled: apt's daily job runs it (APT::Periodic::Unattended-Upgrade is not 0, and its timer is not masked).
	Enabled bool `json:"enabled,omitempty"`
	// Blacklist are the patterns of packages that it leaves alone: regular expressions on the beginning of the name.
	Blacklist []string `json:"blacklist,omitempty"`
	// Reboots: it reboots the node by itself.
	Reboots bool `json:"reboots,omitempty"`
}
