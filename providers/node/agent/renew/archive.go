package renew

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"upkeep/providers/bounded"
	"upkeep/providers/layout"
	"upkeep/providers/node/agent/pki"
)

// maxArchive bounds what one archive holds, unpacked. A kubeadm node's PKI is about 100 KiB.
const maxArchive = 64 << 20

// archive writes the PKI, the kubeconfigs, the manifests and the named copies as they are into a tar.gz, reads it back,
// and returns its path. Names in it are paths without the leading slash.
func (r *Renewer) archive(s *state, id string, items []item, copies []copied) (string, error) {
	var files []file
	for _, dir := range r.layout.Archive {
		if err := r.gather(dir, &files, func(string) bool { return true }); err != nil {
			return "", err
		}
	}
	isConf := func(name string) bool { return strings.HasSuffix(name, ".conf") }
	if err := r.gatherFlat(layout.KubernetesDir, &files, isConf); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err := r.gather(layout.ManifestDir, &files, func(string) bool { return true }); err != nil &&
		!errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	for _, c := range copies {
		if c.file.data != nil {
			files = append(files, c.file)
		}
	}
	name := id + ".tar.gz"
	if err := s.archive.Write(name, 0o600, func(w io.Writer) error {
		r.at("archive:write")
		return pack(w, files)
	}); err != nil {
		return "", err
	}
	// What cannot be read back is no archive.
	p := path.Join(Dir, "archive", name)
	for _, it := range items {
		for _, f := range it.files() {
			data, err := r.unarchive(p, f.path)
			if err != nil {
				return "", err
			}
			if !bytes.Equal(data, f.data) {
				return "", fmt.Errorf("%s changed while it was archived", f.path)
			}
		}
	}
	return p, nil
}

// gather adds every file below dir.
func (r *Renewer) gather(dir string, files *[]file, take func(name string) bool) error {
	d, err := r.Disk.Dir(dir)
	if err != nil {
		return err
	}
	entries, err := d.List()
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Info.Mode.IsDir() {
			if err := r.gather(path.Join(dir, e.Name), files, take); err != nil {
				return err
			}
		}
	}
	return r.gatherFlat(dir, files, take)
}

// gatherFlat adds the files of dir itself. Links are kept as links, so that nothing outside gets in.
func (r *Renewer) gatherFlat(dir string, files *[]file, take func(name string) bool) error {
	d, err := r.Disk.Dir(dir)
	if err != nil {
		return err
	}
	entries, err := d.List()
	if err != nil {
		return err
	}
	for _, e := range entries {
		p := path.Join(dir, e.Name)
		switch {
		case e.Info.Mode.IsDir() || !take(e.Name):
		case e.Info.Mode&fs.ModeSymlink != 0:
			target, _ := d.Link(e.Name)
			*files = append(*files, file{path: p, info: e.Info, data: []byte(target)})
		default:
			data, info, err := d.Read(e.Name, pki.MaxFile)
			if err != nil {
				return err
			}
			*files = append(*files, file{path: p, info: info, data: data})
		}
	}
	return nil
}

func pack(w io.Writer, files []file) error {
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.path, b.path) })
	zip := gzip.NewWriter(w)
	archive := tar.NewWriter(zip)
	total := int64(0)
	for _, f := range files {
		if total += int64(len(f.data)); total > maxArchive {
			return fmt.Errorf("the PKI is larger than %d bytes", maxArchive)
		}
		header := &tar.Header{
			Typeflag: tar.TypeReg, Name: strings.TrimPrefix(f.path, "/"), Mode: int64(f.info.Mode.Perm()),
			Uid: f.info.UID, Gid: f.info.GID, ModTime: f.info.Modified, Size: int64(len(f.data)), Format: tar.FormatPAX,
		}
		data := f.data
		if f.info.Mode&fs.ModeSymlink != 0 {
			header.Typeflag, header.Linkname, header.Size, data = tar.TypeSymlink, string(f.data), 0, nil
		}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if _, err := archive.Write(data); err != nil {
			return err
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	return zip.Close()
}

// unarchive returns one file of an archive.
func (r *Renewer) unarchive(archive, p string) ([]byte, error) {
	text, _, err := r.Disk.Read(archive, maxArchive)
	if err != nil {
		return nil, err
	}
	zip, err := bounded.NewGzip(text, 2*maxArchive)
	if err != nil {
		return nil, fmt.Errorf("archive %s: %w", archive, err)
	}
	for files := tar.NewReader(zip); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("archive %s does not hold %s", archive, p)
		}
		if err != nil {
			return nil, fmt.Errorf("archive %s: %w", archive, err)
		}
		if header.Typeflag != tar.TypeReg || header.Name != strings.TrimPrefix(p, "/") {
			continue
		}
		data, err := io.ReadAll(io.LimitReader(files, pki.MaxFile))
		if err != nil {
			return nil, fmt.Errorf("archive %s: %s: %w", archive, p, err)
		}
		return data, nil
	}
}
