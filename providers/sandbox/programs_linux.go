package sandbox

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// programDirectories are where programs are looked for: PATH is not asked, since whoever sets it would choose what
// runs.
var programDirectories = []string{"/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin"}

// view is which files of this machine a sandbox shows, by the path in the sandbox.
type view map[string]string

// viewOf finds programs, and the libraries that they link. The sandbox has programs in /bin and libraries where the
// loader looks for them.
func viewOf(programs, required []string) (view, error) {
	v := view{}
	var missing []string
	for _, name := range programs {
		file, err := find(name, programDirectories)
		if err != nil {
			if slices.Contains(required, name) {
				missing = append(missing, name)
			}
			continue
		}
		v["/bin/"+name] = file
		if err := v.link(file); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("%s not found on this machine. Install: apt-get install bash jq bc mawk", strings.Join(missing, ", "))
	}
	return v, nil
}

// find returns the file of that name in the first of some directories that has it, links followed.
func find(name string, directories []string) (string, error) {
	for _, directory := range directories {
		file, err := filepath.EvalSymlinks(filepath.Join(directory, name))
		if err != nil {
			continue
		}
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
			return file, nil
		}
	}
	return "", fmt.Errorf("%s: %w", name, os.ErrNotExist)
}

// link adds the loader and the libraries of a program or library.
func (v view) link(file string) error {
	program, err := elf.Open(file)
	if format := new(elf.FormatError); errors.As(err, &format) {
		return nil // a script
	}
	if err != nil {
		return err
	}
	defer program.Close()
	for _, segment := range program.Progs {
		if segment.Type != elf.PT_INTERP {
			continue
		}
		name := make([]byte, min(segment.Filesz, 4096))
		if _, err := segment.ReadAt(name, 0); err != nil {
			return err
		}
		loader := strings.TrimRight(string(name), "\x00")
		real, err := filepath.EvalSymlinks(loader)
		if err != nil {
			return err
		}
		v[filepath.Clean(loader)] = real
	}
	libraries, err := program.ImportedLibraries()
	if err != nil {
		return err
	}
	for _, name := range libraries {
		at, real, err := library(name, runPath(program, file))
		if err != nil {
			return err
		}
		if _, has := v[at]; has {
			continue
		}
		v[at] = real
		if err := v.link(real); err != nil {
			return fmt.Errorf("%s: %w", real, err)
		}
	}
	return nil
}

// runPath are the directories that a file itself names for its libraries.
func runPath(program *elf.File, file string) (out []string) {
	for _, tag := range []elf.DynTag{elf.DT_RUNPATH, elf.DT_RPATH} {
		texts, err := program.DynString(tag)
		if err != nil {
			continue
		}
		for _, text := range texts {
			for directory := range strings.SplitSeq(text, ":") {
				directory = strings.ReplaceAll(strings.ReplaceAll(directory, "${ORIGIN}", "$ORIGIN"), "$ORIGIN", filepath.Dir(file))
				if filepath.IsAbs(directory) {
					out = append(out, filepath.Clean(directory))
				}
			}
		}
	}
	return out
}

// library finds a library where the loader looks for it without its cache (ld.so(8)).
func library(name string, first []string) (at, real string, err error) {
	triplet := map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}[runtime.GOARCH]
	for _, directory := range append(slices.Clone(first), "/lib/"+triplet, "/usr/lib/"+triplet, "/lib64", "/usr/lib64", "/lib", "/usr/lib") {
		at := filepath.Join(directory, name)
		if real, err := filepath.EvalSymlinks(at); err == nil {
			return at, real, nil
		}
	}
	return "", "", fmt.Errorf("library %s: %w", name, os.ErrNotExist)
}
