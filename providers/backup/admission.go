package backup

import (
	"archive/tar"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"

	"upkeep/providers/node/protocol"
)

// admit copies the archive of a node's files, and of each entry no more than what may be put in place at / by root: files and
// directories in places of a control plane, with a mode within 0777, and links that stay in such places. Everything else is left
// out, and said: a node, or whoever wrote a bundle, may have put anything there. The node's own report ends the archive and is
// copied where report is true.
func admit(w io.Writer, r io.Reader, report bool) (leftOut []string, err error) {
	in, out := tar.NewReader(r), tar.NewWriter(w)
	gate := gate{seen: map[string]bool{}, links: map[string]bool{}}
	for {
		entry, err := in.Next()
		if err == io.EOF {
			return leftOut, out.Close()
		}
		if err != nil {
			return leftOut, fmt.Errorf("it is no archive: %w", err)
		}
		header := &tar.Header{Typeflag: tar.TypeReg, Name: protocol.CollectReportName, Size: entry.Size, Mode: 0o600}
		if entry.Name != protocol.CollectReportName || entry.Typeflag != tar.TypeReg {
			if why := gate.refuses(entry); why != "" {
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

// gate decides about the entries of one archive, in order.
type gate struct {
	seen, links map[string]bool // absolute paths
}

// refuses says why an entry is left out; empty: it is not.
func (g gate) refuses(h *tar.Header) string {
	at := "/" + strings.TrimSuffix(strings.TrimPrefix(h.Name, "/"), "/")
	if err := protocol.CheckCollect(at); err != nil || strings.ContainsRune(h.Name, 0) {
		return "it is in no place of a control plane's keys and configuration"
	}
	for up := path.Dir(at); up != "/"; up = path.Dir(up) {
		if g.links[up] {
			return "it lies behind the link " + up
		}
	}
	switch {
	case g.seen[at]:
		return "it is in the archive twice"
	case h.Mode&^0o777 != 0:
		return fmt.Sprintf("its mode is %#o, and only permissions are taken", h.Mode)
	case h.Uid < 0 || h.Gid < 0:
		return "its owner is none"
	}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeDir:
	case tar.TypeSymlink:
		if err := protocol.CheckCollectLink(at, h.Linkname); err != nil {
			return err.Error()
		}
		g.links[at] = true
	default:
		return "it is no file, directory or symbolic link"
	}
	g.seen[at] = true
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
