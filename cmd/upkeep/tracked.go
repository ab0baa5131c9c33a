package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"upkeep/config"
	"upkeep/providers/akash"
	"upkeep/providers/bounded"
)

// warnTracked warns of what holds secrets and is tracked by Git: whoever can read the repository then has them.
func warnTracked(directory string, desired config.Desired) hcl.Diagnostics {
	root, index := gitIndex(directory)
	if root == "" {
		return nil
	}
	var found []string
	for _, place := range secretPlaces(directory, desired) {
		relative, err := filepath.Rel(root, place)
		if err != nil || !filepath.IsLocal(relative) {
			continue
		}
		relative = filepath.ToSlash(relative)
		if slices.ContainsFunc(index, func(name string) bool {
			return (name == relative || strings.HasPrefix(name, relative+"/")) && !strings.HasSuffix(name, "/.gitignore")
		}) {
			found = append(found, relative)
		}
	}
	var diags hcl.Diagnostics
	for _, place := range found {
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagWarning, Summary: "Secrets are tracked by Git",
			Detail: fmt.Sprintf("Git tracks %s, which holds keys, values or a state. Stop tracking %[1]s, and replace the secrets that were committed: git -C %s rm -r --cached %s", place, root, place),
		})
	}
	return diags
}

// secretPlaces are the files and directories on this machine that hold secrets.
func secretPlaces(directory string, desired config.Desired) []string {
	places := []string{filepath.Join(directory, ".upkeep")}
	add := func(path string) {
		if !filepath.IsAbs(path) {
			path = filepath.Join(directory, path)
		}
		places = append(places, path)
	}
	if local := desired.State.Local; local != nil && local.Path != "" {
		add(local.Path)
		add(filepath.Join(filepath.Dir(local.Path), "journal"))
	}
	for _, provider := range akash.Declared(desired) {
		if provider.Archive != "" && filepath.Clean(provider.Archive) != "." {
			add(provider.Archive)
		}
	}
	return places
}

// longestIndex is the largest index of Git that is read: about a million files.
const longestIndex = 128 << 20

// gitIndex returns the root of the work tree that a directory lies in, and the names that its index has
// (gitformat-index(5), versions 2 to 4). Git itself is not run: a repository's configuration may name programs.
func gitIndex(directory string) (root string, names []string) {
	for at := directory; ; at = filepath.Dir(at) {
		path := filepath.Join(gitDirectory(at), "index")
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Size() <= longestIndex {
			text, err := bounded.File(path, longestIndex)
			if err != nil {
				return "", nil
			}
			return at, indexNames(text)
		}
		if at == filepath.Dir(at) {
			return "", nil
		}
	}
}

// gitDirectory is where Git keeps what belongs to the work tree at a root: .git, or where a file of that name leads
// (gitrepository-layout(5)).
func gitDirectory(root string) string {
	at := filepath.Join(root, ".git")
	info, err := os.Stat(at)
	if err != nil || !info.Mode().IsRegular() || info.Size() > 1<<12 {
		return at
	}
	text, err := bounded.File(at, 1<<12)
	to, is := strings.CutPrefix(strings.TrimSpace(string(text)), "gitdir: ")
	if err != nil || !is {
		return at
	}
	if !filepath.IsAbs(to) {
		to = filepath.Join(root, to)
	}
	return to
}

// indexNames reads the names of an index. What is of another form has none.
func indexNames(text []byte) (names []string) {
	const header, fixed, extended = 12, 62, 0x4000
	if len(text) < header || string(text[:4]) != "DIRC" {
		return nil
	}
	version := binary.BigEndian.Uint32(text[4:])
	if version < 2 || version > 4 {
		return nil
	}
	name := ""
	count := binary.BigEndian.Uint32(text[8:])
	for at := header; count > 0 && at+fixed < len(text); count-- {
		from := at + fixed
		if binary.BigEndian.Uint16(text[at+fixed-2:])&extended != 0 {
			from += 2
		}
		begins := ""
		if version == 4 { // a name goes on from the one before it, but for so many bytes at its end
			drop, read := offsetNumber(text[min(from, len(text)):])
			if read == 0 || drop > len(name) {
				return names
			}
			begins, from = name[:len(name)-drop], from+read
		}
		if from >= len(text) {
			return names
		}
		length := bytes.IndexByte(text[from:], 0)
		if length < 0 {
			return names
		}
		if name = begins + string(text[from:from+length]); len(name) > longestName {
			return names
		}
		names = append(names, name)
		if at = from + length + 1; version < 4 {
			at += (header - at) & 7 // entries end at multiples of eight
		}
	}
	return names
}

// longestName bounds a name, which in version 4 may grow from entry to entry: the longest path of Linux.
const longestName = 4096

// offsetNumber reads a number as the offsets in packs of Git are written (gitformat-pack(5)); read is 0 where there is none.
func offsetNumber(text []byte) (n, read int) {
	for i, b := range text[:min(4, len(text))] {
		if n = n<<7 | int(b&0x7f); b&0x80 == 0 {
			return n, i + 1
		}
		n++
	}
	return 0, 0
}
