package driver

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
)

// Bounds of what is read: a modules.dep has a megabyte, NVIDIA's module some ten to a hundred megabytes.
const (
	maxIndex   = 16 << 20
	maxModule  = 256 << 20
	maxModinfo = 1 << 20
)

// modulePlaces are where distributions, DKMS and NVIDIA's installer put the module below a kernel's directory.
var modulePlaces = []string{
	"updates/dkms", "updates", "extra", "extra/nvidia", "weak-updates/nvidia",
	"kernel/drivers/video", "kernel/drivers/char/drm",
}

// suffixes are those of a module, not compressed and compressed.
var suffixes = []string{".ko", ".ko.zst", ".ko.xz", ".ko.gz"}

// OnDisk returns what modprobe loads as nvidia for a kernel.
func OnDisk(d *disk.Disk, kernel string) facts.ModuleFile {
	m := facts.ModuleFile{Kernel: kernel}
	if kernel == "" || strings.ContainsAny(kernel, "/\x00") || kernel == "." || kernel == ".." {
		m.Unknown = "the kernel's release is not known"
		return m
	}
	base, dir, err := modulesOf(d, kernel)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			m.Missing = true
			return m
		}
		m.Unknown = err.Error()
		return m
	}
	found, err := candidates(d, base, dir)
	if err != nil {
		m.Unknown = err.Error()
		return m
	}
	indexed, err := index(dir)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		m.Unknown = err.Error()
		return m
	case indexed != "":
		m.Path = path.Join(base, indexed)
	case len(found) > 0:
		m.Path = found[0]
		m.Unknown = m.Path + " is there, and modules.dep does not name it"
	default:
		m.Missing = true
		return m
	}
	m.Others = slices.DeleteFunc(found, func(p string) bool { return p == m.Path })
	if len(m.Others) == 0 {
		m.Others = nil
	}
	info, err := modinfo(d, m.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		m.Unknown = "modules.dep names " + m.Path + ", which is not there"
	case err != nil:
		m.Unknown = err.Error()
	default:
		m.Version, m.License, m.Signed = info.version, info.license, info.signed
	}
	return m
}

// modulesOf returns the directory of a kernel's modules. /lib is a link to /usr/lib on a node whose /usr is merged.
func modulesOf(d *disk.Disk, kernel string) (string, *disk.Dir, error) {
	base := path.Join("/usr/lib/modules", kernel)
	dir, err := d.Dir(base)
	if errors.Is(err, fs.ErrNotExist) {
		base = path.Join("/lib/modules", kernel)
		dir, err = d.Dir(base)
	}
	return base, dir, err
}

// candidates lists the files that may be the module, those first that depmod prefers.
func candidates(d *disk.Disk, base string, dir *disk.Dir) (out []string, err error) {
	places := slices.Clone(modulePlaces)
	// Ubuntu's signed modules: kernel/nvidia-570srv/nvidia.ko.
	if kernel, err := dir.Sub("kernel"); err == nil {
		entries, err := kernel.List()
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name, "nvidia-") && e.Info.Mode.IsDir() {
				places = append(places, "kernel/"+e.Name)
			}
		}
	}
	for _, place := range places {
		for _, suffix := range suffixes {
			if p := path.Join(base, place, "nvidia"+suffix); d.Exists(p) {
				out = append(out, p)
			}
		}
	}
	return out, nil
}

// index returns what modules.dep names as nvidia, relative to its directory; empty where it names none.
func index(dir *disk.Dir) (string, error) {
	text, _, err := dir.Read("modules.dep", maxIndex)
	if err != nil {
		return "", err
	}
	for l := range bytes.Lines(text) {
		name, _, ok := bytes.Cut(l, []byte(":"))
		if !ok || !bytes.Contains(name, []byte("nvidia.ko")) {
			continue
		}
		p := string(name)
		ours := slices.Contains(suffixes, strings.TrimPrefix(path.Base(p), "nvidia"))
		if ours && path.Clean(p) == p && fs.ValidPath(p) {
			return p, nil
		}
	}
	return "", nil
}

// info is what a module says of itself.
type info struct {
	version, license string
	signed           bool
}

// modinfo reads the section .modinfo of a module.
func modinfo(d *disk.Disk, p string) (info, error) {
	// Where packages of another kernel are used, the module is a link (weak-updates).
	real, err := d.Resolve(p, func(p string) bool {
		return strings.HasPrefix(p, "/usr/lib/modules/") || strings.HasPrefix(p, "/lib/modules/")
	})
	if err != nil {
		return info{}, err
	}
	dir, err := d.Dir(path.Dir(real))
	if err != nil {
		return info{}, err
	}
	f, stat, err := dir.Open(path.Base(real))
	if err != nil {
		return info{}, err
	}
	defer f.Close()
	found, err := decode(f, stat.Size, path.Ext(real))
	if err != nil {
		return info{}, fmt.Errorf("%s: %w", p, err)
	}
	return found, nil
}

// signature is what follows the signature of a signed module (include/linux/module_signature.h).
const signature = "~Module signature appended~\n"

// decode reads a module that is compressed as its extension says.
func decode(f io.ReaderAt, size int64, extension string) (info, error) {
	if extension != ".ko" {
		data, err := unpack(io.NewSectionReader(f, 0, size), extension)
		if err != nil {
			return info{}, err
		}
		f, size = bytes.NewReader(data), int64(len(data))
	}
	var found info
	end := make([]byte, len(signature))
	if _, err := f.ReadAt(end, size-int64(len(end))); err == nil {
		found.signed = string(end) == signature
	}
	module, err := elf.NewFile(f)
	if err != nil {
		return info{}, fmt.Errorf("it is no kernel module: %w", err)
	}
	section := module.Section(".modinfo")
	if section == nil || section.Size > maxModinfo {
		return info{}, errors.New("it has no section .modinfo")
	}
	text, err := section.Data()
	if err != nil {
		return info{}, fmt.Errorf("read its section .modinfo: %w", err)
	}
	for field := range bytes.SplitSeq(text, []byte{0}) {
		name, value, _ := bytes.Cut(field, []byte("="))
		switch string(name) {
		case "version":
			found.version = string(value)
		case "license":
			found.license = string(value)
		}
	}
	if !Version.MatchString(found.version) {
		return info{}, fmt.Errorf("its version %.40q is none of NVIDIA's driver", found.version)
	}
	return found, nil
}

// unpack decompresses a module into memory.
func unpack(r io.Reader, extension string) ([]byte, error) {
	var err error
	switch extension {
	case ".zst":
		var z *zstd.Decoder
		if z, err = zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxModule)); err == nil {
			defer z.Close()
			r = z
		}
	case ".xz":
		r, err = xz.ReaderConfig{DictCap: 64 << 20}.NewReader(r)
	case ".gz":
		r, err = gzip.NewReader(r)
	default:
		err = fmt.Errorf("nothing here reads %s", extension)
	}
	if err != nil {
		return nil, fmt.Errorf("decompress it: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(r, maxModule+1))
	if err != nil {
		return nil, fmt.Errorf("decompress it: %w", err)
	}
	if len(data) > maxModule {
		return nil, fmt.Errorf("decompress it: it has more than %d bytes", maxModule)
	}
	return data, nil
}
