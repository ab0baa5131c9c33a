// Package cdi reads the files of the Container Device Interface that name NVIDIA devices, and says of which
// version of the driver the libraries in them are.
//
// Such a file holds paths with versions, and is stale after a driver has changed until somebody generates it
// again. What it must say is up to others.
package cdi

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/strict"
)

// places are the directories of the specification; /var/run is a link to /run on every distribution.
var places = []string{"/etc/cdi", "/run/cdi"}

// maxFile is far above what nvidia-ctk writes for 16 GPUs with 7 instances each.
const (
	maxFile     = 4 << 20
	maxFiles    = 50
	maxMissing  = 20
	maxDevices  = 1000
	vendor      = "nvidia.com/"
	maxVersions = 10
)

// Collect looks at a node.
func Collect(d *disk.Disk) facts.CDI {
	var out facts.CDI
	for _, place := range places {
		dir, err := d.Dir(place)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			out.Unknown = err.Error()
			continue
		}
		entries, err := dir.List()
		if err != nil {
			out.Unknown = err.Error()
			continue
		}
		for _, e := range entries {
			if !slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(e.Name)) {
				continue
			}
			if len(out.Files) == maxFiles {
				out.Unknown = fmt.Sprintf("%s and others have more than %d files", place, maxFiles)
				return out
			}
			if f, ours := file(d, dir, e.Name); ours {
				out.Files = append(out.Files, f)
			}
		}
	}
	return out
}

// specification is the part of a file that is of interest (CDI specification, section "CDI JSON Specification").
type specification struct {
	Kind    string `json:"kind"`
	Devices []struct {
		Name  string `json:"name"`
		Edits edits  `json:"containerEdits"`
	} `json:"devices"`
	Edits edits `json:"containerEdits"`
}

type edits struct {
	Nodes []struct {
		Path     string `json:"path"`
		HostPath string `json:"hostPath"`
	} `json:"deviceNodes"`
	Mounts []struct {
		HostPath string `json:"hostPath"`
	} `json:"mounts"`
}

// versioned is a library with a version of the driver in its name.
var versioned = regexp.MustCompile(`\.so\.([0-9]{3,4}(?:\.[0-9]{1,4}){1,3})$`)

// file reads one file. One of another vendor's devices is not ours; one that cannot be read may be.
func file(d *disk.Disk, dir *disk.Dir, name string) (facts.CDIFile, bool) {
	f := facts.CDIFile{Path: path.Join(dir.Path(), name)}
	text, info, err := dir.Read(name, maxFile)
	f.Modified = info.Modified
	if err != nil {
		f.Unknown = err.Error()
		return f, true
	}
	var s specification
	if err := strict.YAML(text, &s); err != nil {
		f.Unknown = fmt.Sprintf("%s is no file of the Container Device Interface: %v", f.Path, err)
		return f, true
	}
	if !strings.HasPrefix(s.Kind, vendor) {
		return f, s.Kind == "" && unkind(&f)
	}
	f.Kind = s.Kind
	all := []edits{s.Edits}
	for _, device := range s.Devices {
		all = append(all, device.Edits)
		f.Devices = append(f.Devices, device.Name)
	}
	f.Devices = f.Devices[:min(len(f.Devices), maxDevices)]
	files, seen := d.Files(), map[string]bool{}
	look := func(p string) {
		if p == "" || seen[p] {
			return
		}
		seen[p] = true
		if m := versioned.FindStringSubmatch(p); m != nil {
			f.Versions = append(f.Versions, m[1])
		}
		// A path through an absolute link cannot be told here; it is not called missing.
		if _, err := fs.Stat(files, strings.TrimPrefix(path.Clean(p), "/")); errors.Is(err, fs.ErrNotExist) {
			f.Missing = append(f.Missing, p)
		}
	}
	for _, e := range all {
		for _, n := range e.Nodes {
			if n.HostPath == "" {
				n.HostPath = n.Path
			}
			look(n.HostPath)
		}
		for _, m := range e.Mounts {
			look(m.HostPath)
		}
	}
	slices.Sort(f.Versions)
	f.Versions = slices.Compact(f.Versions)
	f.Versions = f.Versions[:min(len(f.Versions), maxVersions)]
	slices.Sort(f.Missing)
	f.Missing = f.Missing[:min(len(f.Missing), maxMissing)]
	return f, true
}

// unkind notes a file that names no kind, which may be a damaged one of ours.
func unkind(f *facts.CDIFile) bool {
	f.Unknown = f.Path + " names no kind of devices"
	return true
}
