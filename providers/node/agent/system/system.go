// Package system tells one machine and one boot of it from another: names, ids, releases, clock.
package system

import (
	"runtime"
	"strconv"
	"strings"
	"time"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
)

// maxFile is more than any of these one-line files and os-release has.
const maxFile = 64 << 10

// Collect reads what identifies the machine. It starts no program: one costs more than all the rest of an
// observation. What cannot be read is named in Unknown together; the rest is there all the same.
func Collect(d *disk.Disk, now time.Time) facts.System {
	s := facts.System{Architecture: runtime.GOARCH, Clock: now.UTC()}
	var missing []string
	line := func(p string) string {
		data, _, err := d.Read(p, maxFile)
		if err != nil {
			missing = append(missing, err.Error())
			return ""
		}
		return strings.TrimSpace(string(data))
	}
	s.Hostname = line("/proc/sys/kernel/hostname")
	s.BootID = line("/proc/sys/kernel/random/boot_id")
	s.Kernel = line("/proc/sys/kernel/osrelease")
	s.MachineID = line("/etc/machine-id")
	s.OS = prettyName(osRelease(d))
	s.Unknown = strings.Join(missing, "; ")
	return s
}

// Kernel returns the release of the kernel that runs; empty where it cannot be read, which Collect says.
func Kernel(d *disk.Disk) string {
	data, _, err := d.Read("/proc/sys/kernel/osrelease", maxFile)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// osRelease reads /etc/os-release, which os-release(5) lets be a link to /usr/lib/os-release and nothing else.
func osRelease(d *disk.Disk) []byte {
	for _, p := range []string{"/etc/os-release", "/usr/lib/os-release"} {
		if data, _, err := d.Read(p, maxFile); err == nil {
			return data
		}
	}
	return nil
}

// prettyName returns PRETTY_NAME of an os-release file, unquoted as a shell would.
func prettyName(text []byte) string {
	name := "Linux" // the default that os-release(5) names
	for line := range strings.Lines(string(text)) {
		value, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME=")
		if !ok {
			continue
		}
		if unquoted, err := strconv.Unquote(value); err == nil {
			value = unquoted
		}
		name = strings.Trim(value, `'"`)
	}
	return name
}
