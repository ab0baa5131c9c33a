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
// (gitformat-index(5), versions 2 and 3). Git itself is not run: a repository's configuration may name programs.
func gitIndex(directory string) (root string, names []string) {
	for at := directory; ; at = filepath.Dir(at) {
		info, err := os.Stat(filepath.Join(at, ".git", "index"))
		if err == nil && info.Size() <= longestIndex {
			text, err := os.ReadFile(filepath.Join(at, ".git", "index"))
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

// indexNames reads the names of an index. What is of another form has none.
func indexNames(text []byte) (names []string) {
	const header, fixed, extended = 12, 62, 0x4000
	if len(text) < header || string(text[:4]) != "DIRC" {
		return nil
	}
	if version := binary.BigEndian.Uint32(text[4:]); version != 2 && version != 3 {
		return nil
	}
	count := binary.BigEndian.Uint32(text[8:])
	for at := header; count > 0 && at+fixed < len(text); count-- {
		from := at + fixed
		if binary.BigEndian.Uint16(text[at+fixed-2:])&extended != 0 {
			from += 2
		}
		if from >= len(text) {
			return names
		}
		length := bytes.IndexByte(text[from:], 0)
		if length < 0 {
			return names
		}
		names = append(names, string(text[from:from+length]))
		at += (from - at + length + 8) &^ 7 // one to eight zeros, up to a multiple of eight
	}
	return names
}
