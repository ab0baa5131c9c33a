// Package dpkg says which packages of NVIDIA's driver a node has, in which state, what apt would do with them, and what
// upgrades them without anybody.
//
// States come from dpkg's own file, sources and pins from apt's configuration with their files and lines. Candidates
// are apt's own answer, since nobody else knows all its rules. Nothing is written: apt is told to keep no cache.
package dpkg

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
)

const (
	database = "/var/lib/dpkg"
	// maxStatus is far above the status of a machine with ten thousand packages.
	maxStatus = 64 << 20
)

// ours are the packages of the driver and of what hands its devices to containers.
var ours = regexp.MustCompile(`^(nvidia-|libnvidia-|cuda-drivers|cuda-compat|cuda-keyring$|libcuda1|libnvsdm|nvlsm$|` +
	`linux-(modules|objects|signatures)-nvidia-|xserver-xorg-video-nvidia)`)

// Collect looks at a node.
func Collect(ctx context.Context, d *disk.Disk) facts.DriverPackages {
	var p facts.DriverPackages
	status, err := readStatus(d)
	if errors.Is(err, fs.ErrNotExist) {
		p.NoDpkg = true
		return p
	}
	if err != nil {
		p.Unknown = err.Error()
		return p
	}
	p.Packages = status.packages
	p.Branches = branches(p.Packages)
	p.Interrupted = interrupted(d)
	var wg sync.WaitGroup
	wg.Go(func() { p.Unattended = unattended(ctx, d, status.unattended) })
	var errs []error
	if p.Sources, errs = sources(d); len(errs) > 0 {
		p.SourcesUnknown = errors.Join(errs...).Error()
	}
	if p.Pins, errs = pins(d, p.Packages); len(errs) > 0 {
		p.PinsUnknown = errors.Join(errs...).Error()
	}
	if err := candidates(ctx, d, p.Packages); err != nil {
		p.CandidatesUnknown = err.Error()
	}
	wg.Wait()
	return p
}

// status is what dpkg's file says.
type status struct {
	packages []facts.Package
	// unattended: the package unattended-upgrades is installed.
	unattended bool
}

func readStatus(d *disk.Disk) (status, error) {
	text, _, err := d.Read(database+"/status", maxStatus)
	if err != nil {
		return status{}, err
	}
	return parseStatus(text), nil
}

// parseStatus reads paragraphs of fields (deb-control(5)). Only those of our packages are taken apart.
func parseStatus(text []byte) (s status) {
	depends := map[string][]string{} // by name and architecture
	for len(text) > 0 {
		var paragraph []byte
		paragraph, text, _ = bytes.Cut(text, []byte("\n\n"))
		paragraph = bytes.TrimLeft(paragraph, "\n")
		first, _, _ := bytes.Cut(paragraph, []byte("\n"))
		name, ok := bytes.CutPrefix(first, []byte("Package:"))
		if !ok {
			continue
		}
		name = bytes.TrimSpace(name)
		isOurs := ours.Match(name)
		if !isOurs && string(name) != "unattended-upgrades" {
			continue
		}
		p, relations := parsePackage(paragraph)
		if p.Status == "" || p.Status[1] == 'n' {
			continue // known by name alone
		}
		if isOurs {
			s.packages = append(s.packages, p)
			depends[p.Name+":"+p.Architecture] = relations
		} else {
			s.unattended = p.Installed()
		}
	}
	slices.SortFunc(s.packages, func(a, b facts.Package) int {
		if a.Name != b.Name {
			return strings.Compare(a.Name, b.Name)
		}
		return strings.Compare(a.Architecture, b.Architecture)
	})
	for i := range s.packages {
		if p := &s.packages[i]; p.Installed() {
			p.Unmet = unmet(depends[p.Name+":"+p.Architecture], s.packages)
		}
	}
	return s
}

// relation is one alternative of a dependency: "libcuda1:any (= 570.124.06-0ubuntu1)".
var relation = regexp.MustCompile(`^([a-z0-9][a-z0-9.+-]*)(?::[a-z0-9-]+)?(?:\s*\(\s*(<<|<=|=|>=|>>)\s*(\S+?)\s*\))?$`)

// unmet returns the dependencies that no package of the driver fulfils. One that something else than a package of the
// driver may fulfil is not judged, and of versions only those that must be equal: the packages of a set name one
// another so.
func unmet(relations []string, packages []facts.Package) (out []string) {
	for _, dependency := range relations {
		met := false
		for alternative := range strings.SplitSeq(dependency, "|") {
			m := relation.FindStringSubmatch(strings.TrimSpace(alternative))
			met = met || m == nil || !ours.MatchString(m[1]) || slices.ContainsFunc(packages, func(p facts.Package) bool {
				return p.Installed() && (p.Name == m[1] && (m[2] != "=" || p.Version == m[3]) || slices.Contains(p.Provides, m[1]))
			})
		}
		if !met {
			out = append(out, dependency)
		}
	}
	return out
}

// parsePackage returns a package, and what it depends on.
func parsePackage(paragraph []byte) (p facts.Package, depends []string) {
	lines := bufio.NewScanner(bytes.NewReader(paragraph))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), ":")
		if !ok || name != strings.TrimLeft(name, " \t") {
			continue
		}
		value = strings.TrimSpace(value)
		switch name {
		case "Package":
			p.Name = value
		case "Architecture":
			p.Architecture = value
		case "Version":
			p.Version = value
		case "Status":
			p.Status = abbreviate(value)
			p.Held = strings.HasPrefix(value, "hold ")
		case "Provides":
			p.Provides = names(value)
		case "Depends", "Pre-Depends":
			for dependency := range strings.SplitSeq(value, ",") {
				depends = append(depends, strings.TrimSpace(dependency))
			}
		}
	}
	p.Upstream = Upstream(p.Version)
	p.Branch, p.Track = branch(p)
	return p, depends
}

// Upstream returns the version of the driver in the version of a package: without the epoch and all that follows the
// first hyphen.
func Upstream(version string) string {
	if _, rest, ok := strings.Cut(version, ":"); ok {
		version = rest
	}
	version, _, _ = strings.Cut(version, "-")
	return version
}

// The letters of dpkg's abbreviations (dpkg-query(1)).
var (
	wanted = map[string]string{"unknown": "u", "install": "i", "hold": "h", "deinstall": "r", "purge": "p"}
	states = map[string]string{
		"not-installed": "n", "config-files": "c", "half-installed": "H", "unpacked": "U", "half-configured": "F",
		"triggers-awaited": "W", "triggers-pending": "t", "installed": "i",
	}
)

// abbreviate turns "install ok installed" into "ii". What dpkg does not say is "??".
func abbreviate(words string) string {
	f := strings.Fields(words)
	if len(f) != 3 {
		return "??"
	}
	letter := func(table map[string]string, word string) string {
		if l, ok := table[word]; ok {
			return l
		}
		return "?"
	}
	out := letter(wanted, f[0]) + letter(states, f[2])
	if f[1] != "ok" {
		out += "R"
	}
	return out
}

// names are the names of a relation, without versions.
func names(relation string) (out []string) {
	for part := range strings.SplitSeq(relation, ",") {
		if f := strings.Fields(part); len(f) > 0 {
			out = append(out, f[0])
		}
	}
	return out
}

var (
	driverVersion = regexp.MustCompile(`^([0-9]{3})\.[0-9]{1,4}(\.[0-9]{1,4})?$`)
	branchName    = regexp.MustCompile(`-([0-9]{3})(-server)?(-open)?(-|$)`)
	// trackless are packages whose name has the branch and no track: there is one for all of them.
	trackless = regexp.MustCompile(`^(nvidia-fabricmanager|libnvidia-nscq|nvidia-imex|cuda-drivers|nvidia-driver-pinning)`)
)

// branch returns the branch that a package is of, by its name or its version, and the track of Ubuntu's archive.
func branch(p facts.Package) (string, string) {
	if m := branchName.FindStringSubmatch(p.Name); m != nil {
		switch {
		case m[2] != "":
			return m[1], "server"
		case trackless.MatchString(p.Name):
			return m[1], ""
		}
		return m[1], "desktop"
	}
	if m := driverVersion.FindStringSubmatch(p.Upstream); m != nil {
		return m[1], ""
	}
	return "", ""
}

// branches lists the branches of all packages that have files on the disk.
func branches(packages []facts.Package) (out []string) {
	for _, p := range packages {
		if p.Branch != "" && len(p.Status) > 1 && strings.ContainsRune("iFUWtH", rune(p.Status[1])) {
			out = append(out, p.Branch)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// interrupted reports whether dpkg left parts of its status behind, in files named by digits.
func interrupted(d *disk.Disk) bool {
	dir, err := d.Dir(path.Join(database, "updates"))
	if err != nil {
		return false
	}
	entries, err := dir.List()
	return err == nil && slices.ContainsFunc(entries, func(e disk.Entry) bool {
		return strings.Trim(e.Name, "0123456789") == ""
	})
}
