// Package system tells one machine and one boot of it from another: names, ids, versions, clock.
package system

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path"
	"runtime"
	"strconv"
	"strings"
	"time"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
)

// maxFile is more than any of these one-line files and os-release has.
const maxFile = 64 << 10

// Collect reads what identifies the machine. kubeadm is the path of its binary; empty where there is none. What cannot be
// read is named in Unknown together; the rest is there all the same.
func Collect(ctx context.Context, d *disk.Disk, kubeadm string, now time.Time) facts.System {
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
	if kubeadm != "" {
		version, err := kubeadmVersion(ctx, kubeadm)
		if err != nil {
			missing = append(missing, err.Error())
		}
		s.Kubeadm = version
	}
	s.Unknown = strings.Join(missing, "; ")
	return s
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

func kubeadmVersion(ctx context.Context, kubeadm string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, kubeadm, "version", "-o", "short")
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.Dir = "/"
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s version -o short: %w", path.Base(kubeadm), err)
	}
	version := string(bytes.TrimSpace(out))
	if len(version) > 64 || !strings.HasPrefix(version, "v") || strings.ContainsAny(version, " \n") {
		return "", fmt.Errorf("%s version -o short: answered %.80q, which is no version", path.Base(kubeadm), version)
	}
	return version, nil
}
