package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	cgroupMount = "/sys/fs/cgroup"
	// cgroupName is the directory in each hierarchy below which the hosts have theirs. It is how a later run finds
	// again what an earlier one started, even if that was killed and whatever cgroup it ran in.
	cgroupName = "upkeep-lab"
)

// hierarchy is one cgroup tree and our own place in it.
type hierarchy struct {
	controllers string // "" for cgroup v2
	mount       string // /sys/fs/cgroup/memory
	own         string // /user.slice
}

// parent is the directory that holds the hosts' cgroups. In a v1 tree it lies below our own cgroup, so the hosts stay within its
// limits. A v2 cgroup that has processes of its own may not share out controllers to children (kernel, cgroup-v2.rst,
// "No Internal Process Constraint"), so there it lies at the root.
func (h hierarchy) parent() string {
	if h.controllers == "" && h.mount == cgroupMount {
		return filepath.Join(h.mount, cgroupName)
	}
	return filepath.Join(h.mount, h.own, cgroupName)
}

// parseHierarchies reads the text of /proc/self/cgroup and /proc/self/mountinfo, proc(5).
func parseHierarchies(cgroup, mountinfo string) ([]hierarchy, error) {
	mounts := map[string]string{} // controllers, sorted and joined → mount point
	for line := range strings.Lines(mountinfo) {
		before, after, ok := strings.Cut(line, " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !ok || len(left) < 5 || len(right) < 3 {
			continue
		}
		point := left[4]
		switch right[0] {
		case "cgroup2":
			mounts[""] = point
		case "cgroup":
			for _, option := range strings.Split(right[2], ",") {
				mounts[option] = point
			}
		}
	}
	var all []hierarchy
	for line := range strings.Lines(cgroup) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			return nil, fmt.Errorf("unexpected line in /proc/self/cgroup: %q", line)
		}
		first, _, _ := strings.Cut(parts[1], ",")
		if point, ok := mounts[first]; ok {
			all = append(all, hierarchy{controllers: parts[1], mount: point, own: parts[2]})
		}
	}
	if len(all) == 0 {
		return nil, errors.New("no cgroup file system is mounted")
	}
	return all, nil
}

func hierarchies() ([]hierarchy, error) {
	cgroup, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	mountinfo, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	return parseHierarchies(string(cgroup), string(mountinfo))
}

// makeCgroups gives a host a cgroup of its own in every hierarchy and returns them.
func makeCgroups(n Node) ([]string, error) {
	all, err := hierarchies()
	if err != nil {
		return nil, err
	}
	var groups []string
	for _, h := range all {
		group := filepath.Join(h.parent(), n.Name)
		if err := os.MkdirAll(group, 0o755); err != nil {
			return nil, err
		}
		for _, dir := range []string{h.parent(), group} {
			if h.controllers == "cpuset" {
				// A new v1 cpuset is empty and takes no process until it has processors and memory nodes.
				if err := errors.Join(inherit(dir, "cpuset.cpus"), inherit(dir, "cpuset.mems")); err != nil {
					return nil, err
				}
			}
		}
		if h.controllers == "" && h.mount == cgroupMount {
			// Pure v2: hand the controllers down to the hosts.
			for _, dir := range []string{h.mount, h.parent()} {
				if err := shareControllers(dir); err != nil {
					return nil, err
				}
			}
		}
		groups = append(groups, group)
	}
	return groups, nil
}

func inherit(dir, name string) error {
	value, err := os.ReadFile(filepath.Join(filepath.Dir(dir), name))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name), value, 0o644)
}

// shareControllers enables every controller that a v2 cgroup has for its children.
func shareControllers(dir string) error {
	have, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return err
	}
	for _, controller := range strings.Fields(string(have)) {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+controller), 0o644); err != nil {
			return fmt.Errorf("share %s below %s: %w", controller, dir, err)
		}
	}
	return nil
}

// cgroupsOf finds a host's cgroups in all hierarchies, whoever made them.
func cgroupsOf(n Node) []string {
	var found []string
	_ = filepath.WalkDir(cgroupMount, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return nil // a cgroup may vanish while we look
		}
		if entry.Name() == cgroupName {
			if group := filepath.Join(path, n.Name); isDir(group) {
				found = append(found, group)
			}
			return fs.SkipDir
		}
		return nil
	})
	return found
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// processes are the ids of all processes of a host, those in its containers too.
func processes(n Node) map[int]bool {
	pids := map[int]bool{}
	for _, group := range cgroupsOf(n) {
		_ = filepath.WalkDir(group, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.Name() != "cgroup.procs" {
				return nil
			}
			text, _ := os.ReadFile(path)
			for _, field := range strings.Fields(string(text)) {
				if pid, err := strconv.Atoi(field); err == nil && pid > 0 {
					pids[pid] = true
				}
			}
			return nil
		})
	}
	return pids
}

// removeCgroups removes the cgroups of a host that has no process any more, and their common parent after the last one.
func removeCgroups(ctx context.Context, n Node) error {
	for _, group := range cgroupsOf(n) {
		// The kernel keeps a cgroup busy for a moment after its last process is gone.
		err := until(ctx, 10*time.Second, 50*time.Millisecond, "cgroup "+group+" to go", func(context.Context) error {
			var dirs []string
			_ = filepath.WalkDir(group, func(path string, entry fs.DirEntry, err error) error {
				if err == nil && entry.IsDir() {
					dirs = append(dirs, path)
				}
				return nil
			})
			slices.Reverse(dirs) // children before their parents
			for _, dir := range dirs {
				if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		_ = os.Remove(filepath.Dir(group)) // refused while another host has its cgroup there
	}
	return nil
}

// setFrozen stops or continues every process of a host at once: its addresses answer, its kernel takes connections, and
// nobody is at home. A host that is not there is not frozen.
func setFrozen(n Node, frozen bool) error {
	for _, group := range cgroupsOf(n) {
		v1, v2 := filepath.Join(group, "freezer.state"), filepath.Join(group, "cgroup.freeze")
		if _, err := os.Stat(v1); err == nil {
			return os.WriteFile(v1, []byte(map[bool]string{true: "FROZEN", false: "THAWED"}[frozen]), 0o644)
		}
		if _, err := os.Stat(v2); err == nil {
			return os.WriteFile(v2, []byte(map[bool]string{true: "1", false: "0"}[frozen]), 0o644)
		}
	}
	if frozen {
		return fmt.Errorf("%s has no cgroup that can be frozen: is it up?", n.Name)
	}
	return nil
}
