// Package driver says which versions of NVIDIA's driver a node has: of the loaded kernel module, of the modules
// on disk by kernel, and of the libraries that programs load.
//
// It reads the files themselves and starts no program, neither modinfo nor nvidia-smi. It takes no version from
// a log or from a package. What it compares is up to others.
package driver

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/pci"
)

const small = 64 << 10

// Version is how NVIDIA writes the version of a driver.
var Version = regexp.MustCompile(`^[0-9]{3,4}(\.[0-9]{1,4}){1,3}$`)

// Loaded reads what the kernel says of the module nvidia.
func Loaded(d *disk.Disk) facts.LoadedModule {
	files := d.Files()
	m := facts.LoadedModule{DRM: pci.Loaded(files, "nvidia_drm")}
	m.DRMAtBoot = namedAtBoot(d, "nvidia_drm", "nvidia-drm")
	words, errWords := line(files, "proc/driver/nvidia/version")
	bare, errBare := line(files, "sys/module/nvidia/version")
	m.Loaded = errWords == nil || errBare == nil || pci.Loaded(files, "nvidia")
	if !m.Loaded {
		if err := unexpected(errWords, errBare); err != nil {
			m.Unknown = err.Error()
		}
		return m
	}
	told, open := versionLine(words)
	m.Open = open
	switch {
	case told == "" && !Version.MatchString(bare):
		m.Unknown = "the module nvidia is loaded, and its version cannot be read"
		if err := unexpected(errWords, errBare); err != nil {
			m.Unknown += ": " + err.Error()
		}
	case told != "" && Version.MatchString(bare) && told != bare:
		m.Unknown = fmt.Sprintf("/proc/driver/nvidia/version says %s, and /sys/module/nvidia/version %s", told, bare)
	case told != "":
		m.Version = told
	default:
		m.Version = bare // without the line in /proc, which alone tells the open module apart
	}
	return m
}

// versionLine finds the version in "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.124.06
// Release Build".
func versionLine(text string) (version string, open bool) {
	for l := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(l, "NVRM version:")
		if !ok {
			continue
		}
		_, after, ok := strings.Cut(rest, "Kernel Module")
		if !ok {
			return "", false
		}
		for _, word := range strings.Fields(after) {
			if Version.MatchString(word) {
				return word, strings.Contains(rest, "Open Kernel Module")
			}
		}
	}
	return "", false
}

func line(files fs.FS, p string) (string, error) {
	f, err := files.Open(p)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, small))
	return strings.TrimSpace(string(data)), err
}

// unexpected returns the first error that is another one than that a file is not there.
func unexpected(errs ...error) error {
	for _, err := range errs {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// namedAtBoot reports whether systemd-modules-load loads a module, by any of its names.
func namedAtBoot(d *disk.Disk, names ...string) bool {
	files := []string{"/etc/modules"}
	for _, p := range []string{"/etc/modules-load.d", "/usr/lib/modules-load.d"} {
		dir, err := d.Dir(p)
		if err != nil {
			continue
		}
		entries, err := dir.List()
		if err != nil {
			continue
		}
		for _, e := range entries {
			if strings.HasSuffix(e.Name, ".conf") {
				files = append(files, path.Join(p, e.Name))
			}
		}
	}
	for _, p := range files {
		text, _, err := d.Read(p, small)
		if err != nil {
			continue
		}
		for l := range strings.Lines(string(text)) {
			if slices.Contains(names, strings.TrimSpace(l)) {
				return true
			}
		}
	}
	return false
}
