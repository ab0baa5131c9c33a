// Package floor judges what every node stands on, whatever it is for: free space, clock, limits of the kernel, and
// a kernel that waits for a reboot.
//
// It is pure, belongs to no domain and plans nothing: it reads facts and returns findings. A node whose floor
// nobody asked for has none; what could not be looked at is unknown, never healthy.
package floor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// The ids of the findings.
const (
	diskLow       = "NODE_DISK_LOW"
	readOnly      = "NODE_READ_ONLY"
	clockOff      = "NODE_CLOCK_OFF"
	clockAlone    = "NODE_CLOCK_ALONE"
	sysctlLow     = "NODE_SYSCTL_LOW"
	kernelPending = "KERNEL_PENDING"
	floorUnknown  = "NODE_FLOOR_UNKNOWN"
)

// Findings declares what this package can find; docs/findings has a page for each.
func Findings() []providers.FindingDoc {
	return []providers.FindingDoc{
		{ID: diskLow, Class: providers.ClassUnhealthy},
		{ID: readOnly, Class: providers.ClassUnhealthy},
		{ID: clockOff, Class: providers.ClassUnhealthy},
		{ID: clockAlone, Class: providers.ClassUnhealthy},
		{ID: sysctlLow, Class: providers.ClassUnhealthy},
		{ID: kernelPending, Class: providers.ClassNotApplied},
		{ID: floorUnknown, Class: providers.ClassUnknown},
	}
}

const (
	// deadAt is how far the clock of a node may be off before an Akash provider stops (Akash's documentation, time
	// synchronisation); near is when there is still time to act.
	deadAt = 30 * time.Second
	near   = 10 * time.Second
	// soon is how many days may be left of a disk.
	soon = 14 * 24 * time.Hour
	// grown is how far apart two looks must be to tell a growth.
	grown = time.Hour
)

// The kubelet's own thresholds where its configuration names none (kubernetes.io, Node-pressure Eviction).
const (
	nodeDefault   = "10%"
	inodesDefault = "5%"
	imageDefault  = "15%"
)

// sysctls are the limits that Akash's documentation sets in /etc/sysctl.d/90-akash.conf.
var sysctls = []struct {
	name  string
	least uint64
}{
	{"fs.inotify.max_user_instances", 512},
	{"fs.inotify.max_user_watches", 1048576},
	{"vm.max_map_count", 1000000},
}

// Sysctls are the names of the limits that are looked at.
func Sysctls() (names []string) {
	for _, s := range sysctls {
		names = append(names, s.name)
	}
	return names
}

// Input is what the judgement of one node depends on.
type Input struct {
	Node    facts.Node
	Address providers.Address // with its node
	Clock   providers.Clock
	Earlier facts.Earlier
}

type review struct {
	Input
	findings []providers.Finding
	objects  []providers.Object
}

// Review judges one node. Objects are what `status` shows of it.
func Review(in Input) ([]providers.Finding, []providers.Object) {
	if in.Node.Unknown != "" || in.Node.Floor.IsZero() {
		return nil, nil // whoever needs the node says that it is unknown
	}
	r := &review{Input: in}
	if why := in.Node.Floor.Unknown; why != "" {
		r.unknown("", why)
		return r.findings, r.objects
	}
	for _, f := range in.Node.Floor.Filesystems {
		r.filesystem(f)
	}
	r.clock()
	r.limits()
	r.kernel()
	return r.findings, r.objects
}

func (r *review) add(id string, severity providers.Severity, object, hint, format string, args ...any) {
	r.findings = append(r.findings, providers.Finding{
		ID: id, Severity: severity, Address: r.Address, Object: object, Summary: fmt.Sprintf(format, args...), Hint: hint,
	})
}

func (r *review) unknown(object, why string) {
	r.findings = append(r.findings, providers.Finding{
		ID: floorUnknown, Severity: providers.SeverityError, Address: r.Address, Object: object, Summary: why,
		Unknown: true,
	})
	r.watch(orElse(object, "floor"), "unknown", why)
}

func (r *review) watch(name, status, detail string) {
	r.objects = append(r.objects, providers.Object{Address: r.Address, Name: name, Status: status, Detail: detail})
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// filesystem judges one file system by the kubelet's thresholds and by how fast it fills.
func (r *review) filesystem(f facts.Filesystem) {
	name := "disk " + strings.Join(f.Directories, " ")
	if f.Unknown != "" {
		r.unknown(name, f.Unknown)
		return
	}
	if f.ReadOnly {
		r.add(readOnly, providers.SeverityError, name, "dmesg -T | grep -iE 'remount|I/O error|EXT4-fs|XFS'",
			"the file system is read-only")
		r.watch(name, "problem", "read-only")
		return
	}
	e := r.Node.Floor.Eviction
	space, inodes := orElse(e.Node, nodeDefault), orElse(e.NodeInodes, inodesDefault)
	if slices.ContainsFunc(f.Directories, holdsImages) {
		space = stricter(space, orElse(e.Image, imageDefault), f.Size)
		inodes = stricter(inodes, orElse(e.ImageInodes, inodesDefault), f.Inodes)
	}
	status := "ok"
	for _, part := range []struct {
		what, threshold string
		free, total     uint64
		spell           func(uint64) string
	}{
		{"space", space, f.Free, f.Size, size},
		{"inodes", inodes, f.InodesFree, f.Inodes, func(n uint64) string { return fmt.Sprintf("%d inodes", n) }},
	} {
		if part.total == 0 {
			continue
		}
		least, known := limit(part.threshold, part.total)
		if !known {
			r.unknown(name, fmt.Sprintf("the threshold %q of the kubelet (%s) cannot be read", part.threshold, e.From))
			return
		}
		free := fmt.Sprintf("%s of %s free", part.spell(part.free), part.spell(part.total))
		days, fills := r.daysLeft(f, least)
		switch {
		case part.free < least:
			status = "problem"
			r.add(diskLow, providers.SeverityError, name, "du -xh -d2 "+f.Directories[0]+" | sort -h | tail -20",
				"%s. The kubelet evicts pods below %s (%s)", free, part.spell(least), part.threshold)
		case part.what == "space" && fills && days < soon:
			status = "due"
			r.add(diskLow, providers.SeverityWarning, name, "du -xh -d2 "+f.Directories[0]+" | sort -h | tail -20",
				"%s. At the present growth the kubelet evicts pods in %d days", free, int(days/(24*time.Hour)))
		case part.free < least+least/4:
			status = "due"
			r.add(diskLow, providers.SeverityWarning, name, "du -xh -d2 "+f.Directories[0]+" | sort -h | tail -20",
				"%s. The kubelet evicts pods below %s (%s)", free, part.spell(least), part.threshold)
		}
	}
	r.watch(name, status, fmt.Sprintf("%s of %s free", size(f.Free), size(f.Size)))
}

// holdsImages reports whether a container runtime keeps its images in a directory.
func holdsImages(directory string) bool {
	return directory == "/var/lib/containerd" || strings.HasPrefix(directory, "/var/lib/rancher/")
}

// stricter returns the threshold that is reached first.
func stricter(a, b string, total uint64) string {
	x, known := limit(a, total)
	y, also := limit(b, total)
	if known && also && y > x || !also {
		return b
	}
	return a
}

// daysLeft is how long it takes until only so much is free, as fast as the disk has filled since an earlier look.
func (r *review) daysLeft(f facts.Filesystem, least uint64) (time.Duration, bool) {
	before, known := r.Earlier.Space[SpaceKey(r.Node.Name, f)]
	passed := r.Clock.Now().Sub(before.At)
	if !known || passed < grown || before.Free <= f.Free || f.Free <= least {
		return 0, false
	}
	perSecond := float64(before.Free-f.Free) / passed.Seconds()
	seconds := float64(f.Free-least) / perSecond
	if seconds > (10 * 365 * 24 * time.Hour).Seconds() {
		return 0, false
	}
	return time.Duration(seconds * float64(time.Second)), true
}

// SpaceKey names a file system of a node in facts.Earlier.Space.
func SpaceKey(node string, f facts.Filesystem) string {
	if len(f.Directories) == 0 {
		return node
	}
	return node + " " + f.Directories[0]
}

// clock judges how far the node's clock is off, by what is certain of it.
func (r *review) clock() {
	if s := r.Node.Skew; s != nil {
		off, certain := s.Least, s.Least > 0
		if s.Most < 0 {
			off, certain = s.Most, true
		}
		away := off.Abs()
		if !certain {
			away = 0
		}
		direction := map[bool]string{true: "ahead of", false: "behind"}[off > 0]
		const hint = "timedatectl status; chronyc tracking"
		switch {
		case away >= deadAt:
			r.add(clockOff, providers.SeverityError, "clock", hint,
				"the clock is %s %s upkeep's. An Akash provider stops at %s", away.Round(time.Second), direction, deadAt)
			r.watch("clock", "problem", away.Round(time.Second).String()+" off")
		case away >= near:
			r.add(clockOff, providers.SeverityWarning, "clock", hint,
				"the clock is %s %s upkeep's. An Akash provider stops at %s", away.Round(time.Second), direction, deadAt)
			r.watch("clock", "due", away.Round(time.Second).String()+" off")
		default:
			r.watch("clock", "ok", "")
		}
	}
	if sync := r.Node.Floor.Synchronised; sync != nil && !*sync {
		r.add(clockAlone, providers.SeverityNote, "clock", "systemctl enable --now chrony",
			"the clock follows no time server")
	}
}

// limits judges the kernel's limits.
func (r *review) limits() {
	for _, s := range sysctls {
		text, known := r.Node.Floor.Sysctls[s.name]
		value, is := limit(text, 0)
		switch {
		case !known:
		case !is:
			r.unknown("sysctl "+s.name, fmt.Sprintf("%q is no number", text))
		case value < s.least:
			r.add(sysctlLow, providers.SeverityNote, "sysctl "+s.name,
				fmt.Sprintf("echo %s=%d >>/etc/sysctl.d/90-akash.conf && sysctl --system", s.name, s.least),
				"%s = %d; Akash's documentation sets %d", s.name, value, s.least)
		}
	}
}

// kernel reports a kernel that waits for a reboot. What boots next, a node cannot always tell: then nothing waits.
func (r *review) kernel() {
	boot, running := r.Node.Boot, r.Node.System.Kernel
	if boot.Unknown != "" || running == "" {
		return
	}
	since := boot.Reboot.Since
	for _, k := range boot.Kernels {
		if k.Release == boot.Next {
			since = k.Since
		}
	}
	waits := ""
	switch {
	case boot.Next != "" && boot.Next != running:
		waits = fmt.Sprintf("kernel %s is installed, and %s runs", boot.Next, running)
	case boot.Reboot.Required:
		waits = "packages ask for a reboot: " + orElse(few(boot.Reboot.Packages), "none is named")
	default:
		r.watch("kernel", "ok", running)
		return
	}
	if !since.IsZero() {
		waits += fmt.Sprintf(". The reboot has been due for %d days (since %s)",
			int(r.Clock.Now().Sub(since)/(24*time.Hour)), since.UTC().Format("2006-01-02"))
	}
	r.add(kernelPending, providers.SeverityWarning, "kernel",
		"reboot the node in a maintenance window, after a drain", "%s", waits)
	r.watch("kernel", "due", waits)
}

// few names the first of many.
func few(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
