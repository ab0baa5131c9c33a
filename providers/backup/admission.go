package backup

import (
	"archive/tar"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"

	"upkeep/providers/bounded"
	"upkeep/providers/node/protocol"
	"upkeep/providers/plain"
)

// admit copies the archive of a node's files, and of each entry no more than what may be put in place at / by root: files and
// directories in places of a control plane, with a mode within 0777, and links that stay in such places. Everything else is left
// out, and said: a node, or whoever wrote a bundle, may have put anything there. The node's own report ends the archive and is
// copied where report is true.
func admit(w io.Writer, r io.Reader, report bool) (leftOut []string, err error) {
	in, out := tar.NewReader(r), tar.NewWriter(w)
	gate := gate{seen: map[string]bool{}, links: map[string]bool{}, files: map[string]bool{}, parents: map[string]bool{}}
	unsaid := 0
	for {
		entry, err := in.Next()
		if err == io.EOF {
			if unsaid > 0 {
				leftOut = append(leftOut, fmt.Sprintf("%d more entries", unsaid))
			}
			if err := bounded.Ended(r); err != nil {
				return leftOut, err
			}
			return leftOut, out.Close()
		}
		if err != nil {
			return leftOut, fmt.Errorf("it is no archive: %w", err)
		}
		header := &tar.Header{Typeflag: tar.TypeReg, Name: protocol.CollectReportName, Size: entry.Size, Mode: 0o600}
		if entry.Name != protocol.CollectReportName || entry.Typeflag != tar.TypeReg || sparse(entry) {
			if why := gate.refuses(entry); why != "" {
				if len(leftOut) == mostLeftOut {
					unsaid++
					continue
				}
				leftOut = append(leftOut, fmt.Sprintf("%.200q: %s", entry.Name, why))
				continue
			}
			// No more than this: extended attributes, such as capabilities, and devices stay behind.
			header = &tar.Header{
				Typeflag: entry.Typeflag, Name: entry.Name, Linkname: entry.Linkname, Size: entry.Size, Mode: entry.Mode,
				Uid: entry.Uid, Gid: entry.Gid, ModTime: entry.ModTime,
			}
		} else if !report {
			continue
		}
		if err := out.WriteHeader(header); err != nil {
			return leftOut, err
		}
		if _, err := io.Copy(out, in); err != nil {
			return leftOut, err
		}
	}
}

// mostLeftOut is how many entries that are left out are named one by one.
const mostLeftOut = 100

// sparse reports whether an entry has holes: a few bytes of an archive may stand for as many zeros as there are.
// https://www.gnu.org/software/tar/manual/html_section/Sparse-Formats.html
func sparse(h *tar.Header) bool {
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return h.Typeflag == tar.TypeGNUSparse
}

// Limits of names: those of Linux (NAME_MAX, PATH_MAX).
const (
	longestName = 255
	longestPath = 4095
)

// namable says why no file may have a name; empty: one may.
func namable(name string) string {
	if len(name) > longestPath {
		return "its name is too long"
	}
	for component := range strings.SplitSeq(name, "/") {
		if len(component) > longestName {
			return "its name is too long"
		}
	}
	if strings.ContainsFunc(name, func(r rune) bool { return !plain.Safe(r) }) {
		return "its name has characters that cannot be shown"
	}
	return ""
}

// gate decides about the entries of one archive, in order.
type gate struct {
	// Absolute paths: of all entries, of links, of files, and of the directories that entries lie in.
	seen, links, files, parents map[string]bool
}

// refuses says why an entry is left out; empty: it is not.
func (g gate) refuses(h *tar.Header) string {
	at := "/" + strings.TrimSuffix(strings.TrimPrefix(h.Name, "/"), "/")
	if err := protocol.CheckCollect(at); err != nil || strings.ContainsRune(h.Name, 0) {
		return "it is in no place of a control plane's keys and configuration"
	}
	for _, name := range []string{at, h.Linkname} {
		if why := namable(name); why != "" {
			return why
		}
	}
	for up := path.Dir(at); up != "/"; up = path.Dir(up) {
		if g.links[up] {
			return "it lies behind the link " + up
		}
		if g.files[up] {
			return "it lies below the file " + up
		}
	}
	switch {
	case sparse(h):
		return "it is a sparse file"
	case g.seen[at]:
		return "it is in the archive twice"
	case g.parents[at] && h.Typeflag != tar.TypeDir:
		return "other entries lie below it, and it is no directory"
	case h.Mode&^0o777 != 0:
		return fmt.Sprintf("its mode is %#o, and only permissions are taken", h.Mode)
	case h.Uid < 0 || h.Gid < 0:
		return "its owner is none"
	}
	switch h.Typeflag {
	case tar.TypeReg:
		g.files[at] = true
	case tar.TypeDir:
	case tar.TypeSymlink:
		if err := protocol.CheckCollectLink(at, h.Linkname); err != nil {
			return err.Error()
		}
		g.links[at] = true
	default:
		return "it is no file, directory or symbolic link"
	}
	g.seen[at] = true
	for up := path.Dir(at); up != "/" && !g.parents[up]; up = path.Dir(up) {
		g.parents[up] = true
	}
	return ""
}

var plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,200}$`)

// checkComponent refuses a name that is not one plain component of a path.
func checkComponent(what, name string) error {
	if !plainName.MatchString(name) {
		return fmt.Errorf("%.100q is not the name of a %s: letters, digits, \".\", \"_\" and \"-\" alone", name, what)
	}
	return nil
}
