package boot

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"

	"upkeep/providers/node/agent/disk"
)

// next returns the release that GRUB boots the next time.
func next(d *disk.Disk) (string, error) {
	for _, dir := range []string{directory + "/grub", directory + "/grub2"} {
		text, _, err := d.Read(dir+"/grub.cfg", maxConfig)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		environment, err := grubenv(d, dir+"/grubenv")
		if err != nil {
			return "", err
		}
		return choose(d, dir+"/grub.cfg", parse(string(text)), environment)
	}
	return "", errors.New("there is no configuration of GRUB in " + directory)
}

// menu is what a configuration of GRUB says, as far as it is read.
type menu struct {
	// standard are the values that the default is set to, in order, without the one for next_entry.
	standard []string
	entries  []*entry
	// separate: the entries are files of the Boot Loader Specification.
	separate bool
}

// entry is a menu entry, or a submenu, which has entries.
type entry struct {
	title, id, release string
	entries            []*entry
}

var (
	setDefault = regexp.MustCompile(`^set default="?([^"]*)"?$`)
	header     = regexp.MustCompile(`^(?:menuentry|submenu) (?:'((?:[^']|'\\'')*)'|"([^"]*)")`)
	identity   = regexp.MustCompile(`(?:\$menuentry_id_option|--id[= ]) ?['"]?([^'" {]+)`)
	kernelLine = regexp.MustCompile(`^linux(?:efi|16)?\s+\S*/vmlinuz-(\S+)`)
)

// parse reads a configuration line by line. Nothing in it is evaluated.
func parse(text string) menu {
	var m menu
	root := &entry{}
	stack := []*entry{root}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		top := stack[len(stack)-1]
		switch {
		case strings.HasPrefix(line, "set default="):
			if v := setDefault.FindStringSubmatch(line); v != nil && v[1] != "${next_entry}" {
				m.standard = append(m.standard, v[1])
			}
		case line == "blscfg":
			m.separate = true
		case strings.HasSuffix(line, "{"):
			e := &entry{}
			if h := header.FindStringSubmatch(line); h != nil {
				e.title = h[1] + h[2]
				if id := identity.FindStringSubmatch(line); id != nil {
					e.id = id[1]
				}
				top.entries = append(top.entries, e)
			}
			stack = append(stack, e)
		case line == "}" && len(stack) > 1:
			stack = stack[:len(stack)-1]
		default:
			if k := kernelLine.FindStringSubmatch(line); k != nil && top.release == "" {
				top.release = k[1]
			}
		}
	}
	m.entries = root.entries
	return m
}

// grubenv reads the variables that GRUB keeps. None where there is no such file.
func grubenv(d *disk.Disk, p string) (map[string]string, error) {
	text, _, err := d.Read(p, maxNames)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(name, "#") {
			out[name] = value
		}
	}
	return out, nil
}

// choose finds the release of the entry that boots: next_entry for one boot, else the default.
func choose(d *disk.Disk, file string, m menu, environment map[string]string) (string, error) {
	wanted := environment["next_entry"]
	if wanted == "" {
		if len(m.standard) == 0 {
			wanted = "0"
		} else {
			wanted = m.standard[len(m.standard)-1]
		}
	}
	if wanted == "${saved_entry}" {
		if wanted = environment["saved_entry"]; wanted == "" {
			wanted = "0"
		}
	}
	if m.separate {
		return separate(d, file, wanted)
	}
	at := m.entries
	var found *entry
	for part := range strings.SplitSeq(wanted, ">") {
		if found = pick(at, part); found == nil {
			return "", fmt.Errorf("%s has no entry %.100q", file, wanted)
		}
		at = found.entries
	}
	// A submenu that is chosen by itself waits for a person, who gets its first entry.
	for found.release == "" && len(found.entries) > 0 {
		found = found.entries[0]
	}
	if found.release == "" {
		return "", fmt.Errorf("%s: the entry %.100q names no kernel", file, wanted)
	}
	return found.release, nil
}

// pick chooses by number, id or title, as GRUB does.
func pick(entries []*entry, name string) *entry {
	if n, err := strconv.Atoi(name); err == nil && n >= 0 && n < len(entries) {
		return entries[n]
	}
	for _, e := range entries {
		if e.id == name || e.title == name {
			return e
		}
	}
	return nil
}

// separate reads an entry that is a file of the Boot Loader Specification. Only one that is named is looked up: their
// order among each other is the boot loader's.
func separate(d *disk.Disk, file, name string) (string, error) {
	if _, err := strconv.Atoi(name); err == nil || strings.ContainsAny(name, "/\x00") {
		return "", fmt.Errorf("%s names no file of %s/loader/entries as its default", file, directory)
	}
	p := path.Join(directory, "loader/entries", name+".conf")
	text, _, err := d.Read(p, maxNames)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if k := kernelLine.FindStringSubmatch(strings.TrimSpace(line)); k != nil {
			return k[1], nil
		}
	}
	return "", fmt.Errorf("%s names no kernel", p)
}
