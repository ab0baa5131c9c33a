package driver

import (
	"errors"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
)

// libraryPlaces are where packages and NVIDIA's installer put the libraries, in the order in which glibc looks.
var libraryPlaces = []string{
	"/usr/local/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib",
}

// libraryFile is a library that must have the module's version.
var libraryFile = regexp.MustCompile(`^(libcuda|libnvidia-ml|libnvidia-nscq|libnvsdm)\.so\.` +
	`([0-9]{3,4}(?:\.[0-9]{1,4}){1,3})$`)

// links are the names that programs load: a link leads from the first to a file with a version.
var links = map[string][]string{
	"libcuda.so":        {"libcuda.so.1"},
	"libnvidia-ml.so":   {"libnvidia-ml.so.1"},
	"libnvidia-nscq.so": {"libnvidia-nscq.so.2.0", "libnvidia-nscq.so.2", "libnvidia-nscq.so.1"},
	"libnvsdm.so":       {"libnvsdm.so.1"},
}

// Libraries lists the libraries with a version in their name.
func Libraries(d *disk.Disk) facts.DriverLibraries {
	var out facts.DriverLibraries
	taken := map[string]bool{} // names that an earlier place serves
	for _, place := range libraryPlaces {
		dir, err := d.Dir(place)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, disk.ErrLink) {
			continue // /usr/lib64 is a link to another of these places, or is not there
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
		used := map[string]bool{}
		for name, loaded := range links {
			for _, l := range loaded {
				if target := follow(dir, l); target != "" && !taken[name] {
					used[target], taken[name] = true, true
				}
			}
		}
		for _, e := range entries {
			m := libraryFile.FindStringSubmatch(e.Name)
			if m == nil || !e.Info.Mode.IsRegular() {
				continue
			}
			out.Files = append(out.Files, facts.DriverLibrary{
				Name: m[1] + ".so", Path: path.Join(place, e.Name), Version: m[2], Used: used[e.Name],
			})
		}
	}
	return out
}

// maxHops is how many links may lead from a name to a file: libcuda.so.1 has one.
const maxHops = 4

// follow returns the file of the same directory that a name leads to.
func follow(dir *disk.Dir, name string) string {
	for range maxHops {
		target, ok := dir.Link(name)
		if !ok {
			break
		}
		if path.IsAbs(target) && path.Dir(target) == dir.Path() {
			target = path.Base(target)
		}
		if strings.Contains(target, "/") {
			return ""
		}
		name = target
	}
	if _, err := dir.Stat(name); err != nil {
		return ""
	}
	return name
}
