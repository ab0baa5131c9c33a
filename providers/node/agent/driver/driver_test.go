package driver

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"upkeep/fixtures/gpunode"
	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
)

func open(t *testing.T, change func(*gpunode.Tree)) *disk.Disk {
	t.Helper()
	tree := &gpunode.Tree{Root: t.TempDir()}
	change(tree)
	if tree.Err != nil {
		t.Fatal(tree.Err)
	}
	d, err := disk.Open(tree.Root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestLoaded(t *testing.T) {
	const closed = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\nGCC version:  gcc version 11.4.0\n"
	const opened = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.124.06  Release Build  (x)  Wed Feb 26 2025\n"
	for _, c := range []struct {
		name  string
		files map[string]string
		want  facts.LoadedModule
	}{
		{"closed", map[string]string{"proc/driver/nvidia/version": closed, "sys/module/nvidia/version": "535.104.05\n"},
			facts.LoadedModule{Loaded: true, Version: "535.104.05"}},
		{"open, with its display module", map[string]string{"proc/driver/nvidia/version": opened, "sys/module/nvidia/version": "570.124.06\n",
			"sys/module/nvidia_drm/refcnt": "0", "etc/modules-load.d/nvidia_drm.conf": "# cards\nnvidia_drm\n"},
			facts.LoadedModule{Loaded: true, Version: "570.124.06", Open: true, DRM: true, DRMAtBoot: true}},
		{"sysfs alone", map[string]string{"sys/module/nvidia/version": "570.124.06\n"}, facts.LoadedModule{Loaded: true, Version: "570.124.06"}},
		{"not loaded", map[string]string{"etc/modules": "nvidia-drm\n"}, facts.LoadedModule{DRMAtBoot: true}},
		{"loaded without a version", map[string]string{"sys/module/nvidia/refcnt": "0"},
			facts.LoadedModule{Loaded: true, Unknown: "the module nvidia is loaded, and its version cannot be read"}},
		{"nonsense", map[string]string{"proc/driver/nvidia/version": "NVRM version: x", "sys/module/nvidia/version": "\xff"},
			facts.LoadedModule{Loaded: true, Unknown: "the module nvidia is loaded, and its version cannot be read"}},
		{"two versions", map[string]string{"proc/driver/nvidia/version": closed, "sys/module/nvidia/version": "570.124.06\n"},
			facts.LoadedModule{Loaded: true, Unknown: "/proc/driver/nvidia/version says 535.104.05, and /sys/module/nvidia/version 570.124.06"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := open(t, func(tree *gpunode.Tree) {
				for p, text := range c.files {
					tree.Write(p, text)
				}
			})
			if diff := cmp.Diff(c.want, Loaded(d)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

const kernel = "6.8.0-45-generic"

func TestOnDisk(t *testing.T) {
	const base = "usr/lib/modules/" + kernel + "/"
	module := gpunode.Module("570.124.06", "Dual MIT/GPL")
	for _, c := range []struct {
		name  string
		files map[string]string
		want  facts.ModuleFile
	}{
		{"built by DKMS", map[string]string{base + "modules.dep": "kernel/fs/ext4/ext4.ko.zst:\nupdates/dkms/nvidia-drm.ko.zst: updates/dkms/nvidia.ko.zst\nupdates/dkms/nvidia.ko.zst:\n",
			base + "updates/dkms/nvidia.ko.zst": packed(t, ".zst", module)},
			facts.ModuleFile{Path: "/" + base + "updates/dkms/nvidia.ko.zst", Version: "570.124.06", License: "Dual MIT/GPL"}},
		{"xz", map[string]string{base + "modules.dep": "extra/nvidia.ko.xz:\n", base + "extra/nvidia.ko.xz": packed(t, ".xz", module)},
			facts.ModuleFile{Path: "/" + base + "extra/nvidia.ko.xz", Version: "570.124.06", License: "Dual MIT/GPL"}},
		{"gzip", map[string]string{base + "modules.dep": "extra/nvidia.ko.gz:\n", base + "extra/nvidia.ko.gz": packed(t, ".gz", module)},
			facts.ModuleFile{Path: "/" + base + "extra/nvidia.ko.gz", Version: "570.124.06", License: "Dual MIT/GPL"}},
		{"Ubuntu's signed one, and an older one of DKMS", map[string]string{
			base + "modules.dep":                         "kernel/nvidia-570srv-open/nvidia.ko:\n",
			base + "kernel/nvidia-570srv-open/nvidia.ko": module + "signature~Module signature appended~\n",
			base + "updates/dkms/nvidia.ko":              gpunode.Module("550.120", "NVIDIA")},
			facts.ModuleFile{Path: "/" + base + "kernel/nvidia-570srv-open/nvidia.ko", Version: "570.124.06", License: "Dual MIT/GPL", Signed: true,
				Others: []string{"/" + base + "updates/dkms/nvidia.ko"}}},
		{"no module", map[string]string{base + "modules.dep": "kernel/fs/ext4/ext4.ko.zst:\n"}, facts.ModuleFile{Missing: true}},
		{"no such kernel", nil, facts.ModuleFile{Missing: true}},
		{"depmod has not run", map[string]string{base + "modules.dep": "", base + "updates/dkms/nvidia.ko": module},
			facts.ModuleFile{Path: "/" + base + "updates/dkms/nvidia.ko", Unknown: "/" + base + "updates/dkms/nvidia.ko is there, and modules.dep does not name it",
				Version: "570.124.06", License: "Dual MIT/GPL"}},
		{"the module was removed", map[string]string{base + "modules.dep": "extra/nvidia.ko:\n"},
			facts.ModuleFile{Path: "/" + base + "extra/nvidia.ko", Unknown: "modules.dep names /" + base + "extra/nvidia.ko, which is not there"}},
		{"damaged", map[string]string{base + "modules.dep": "extra/nvidia.ko:\n", base + "extra/nvidia.ko": "\x7fELF"},
			facts.ModuleFile{Path: "/" + base + "extra/nvidia.ko", Unknown: "/" + base + "extra/nvidia.ko: it is no kernel module: EOF"}},
		{"damaged and compressed", map[string]string{base + "modules.dep": "extra/nvidia.ko.zst:\n", base + "extra/nvidia.ko.zst": "x"},
			facts.ModuleFile{Path: "/" + base + "extra/nvidia.ko.zst", Unknown: "/" + base + "extra/nvidia.ko.zst: decompress it: unexpected EOF"}},
		{"an impossible version", map[string]string{base + "modules.dep": "extra/nvidia.ko:\n", base + "extra/nvidia.ko": gpunode.Module("1; reboot", "x")},
			facts.ModuleFile{Path: "/" + base + "extra/nvidia.ko", Unknown: "/" + base + `extra/nvidia.ko: its version "1; reboot" is none of NVIDIA's driver`}},
		{"an index that leads out", map[string]string{base + "modules.dep": "../../../../etc/nvidia.ko:\n", "etc/nvidia.ko": module}, facts.ModuleFile{Missing: true}},
		{"a directory that is not merged", map[string]string{"lib/modules/" + kernel + "/modules.dep": "extra/nvidia.ko:\n",
			"lib/modules/" + kernel + "/extra/nvidia.ko": module},
			facts.ModuleFile{Path: "/lib/modules/" + kernel + "/extra/nvidia.ko", Version: "570.124.06", License: "Dual MIT/GPL"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := open(t, func(tree *gpunode.Tree) {
				for p, text := range c.files {
					tree.Write(p, text)
				}
			})
			c.want.Kernel = kernel
			got := OnDisk(d, kernel)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	d := open(t, func(*gpunode.Tree) {})
	for _, bad := range []string{"", "..", "a/b"} {
		if got := OnDisk(d, bad); got.Unknown == "" {
			t.Errorf("%q: %+v", bad, got)
		}
	}
}

// Where a module of another kernel is used, a link of root's leads to it; one that leads out of the modules is
// not followed.
func TestOnDiskThroughLinks(t *testing.T) {
	const base = "usr/lib/modules/" + kernel + "/"
	d := open(t, func(tree *gpunode.Tree) {
		tree.Write(base+"modules.dep", "weak-updates/nvidia/nvidia.ko:\n")
		tree.Write("usr/lib/modules/5.14.0-1/extra/nvidia.ko", gpunode.Module("570.124.06", "NVIDIA"))
		tree.Link(base+"weak-updates/nvidia/nvidia.ko", "/usr/lib/modules/5.14.0-1/extra/nvidia.ko")
		tree.Write("usr/lib/modules/6.1.0-1/modules.dep", "extra/nvidia.ko:\n")
		tree.Link("usr/lib/modules/6.1.0-1/extra/nvidia.ko", "/etc/shadow")
	})
	if got := OnDisk(d, kernel); got.Version != "570.124.06" || got.Unknown != "" {
		t.Errorf("%+v", got)
	}
	if got := OnDisk(d, "6.1.0-1"); got.Version != "" || got.Unknown == "" {
		t.Errorf("%+v", got)
	}
}

func TestLibraries(t *testing.T) {
	d := open(t, func(tree *gpunode.Tree) {
		const at = "usr/lib/x86_64-linux-gnu/"
		for _, name := range []string{"libcuda.so.570.124.06", "libcuda.so.550.120", "libnvidia-ml.so.570.124.06", "libnvidia-glcore.so.570.124.06", "libc.so.6"} {
			tree.Write(at+name, "x")
		}
		tree.Link(at+"libcuda.so.1", "libcuda.so.570.124.06")
		tree.Link(at+"libnvidia-ml.so.1", "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.570.124.06")
		// What NVIDIA's installer left shadows nothing here: nothing leads to it.
		tree.Write("usr/lib/libnvidia-ml.so.535.54.03", "x")
		tree.Link("usr/lib64", "lib")
	})
	got := Libraries(d)
	want := facts.DriverLibraries{Files: []facts.DriverLibrary{
		{Name: "libcuda.so", Path: "/usr/lib/x86_64-linux-gnu/libcuda.so.550.120", Version: "550.120"},
		{Name: "libcuda.so", Path: "/usr/lib/x86_64-linux-gnu/libcuda.so.570.124.06", Version: "570.124.06", Used: true},
		{Name: "libnvidia-ml.so", Path: "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.570.124.06", Version: "570.124.06", Used: true},
		{Name: "libnvidia-ml.so", Path: "/usr/lib/libnvidia-ml.so.535.54.03", Version: "535.54.03"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got.Version("libcuda.so") != "570.124.06" || got.Version("libnvsdm.so") != "" {
		t.Error("the version that programs load")
	}
}

// FuzzDecode: a damaged module is an error or a version of NVIDIA's form, never a panic.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(gpunode.Module("570.124.06", "NVIDIA")), ".ko")
	f.Add([]byte("\x28\xb5\x2f\xfd"), ".zst")
	f.Add([]byte("\xfd7zXZ\x00"), ".xz")
	f.Fuzz(func(t *testing.T, data []byte, extension string) {
		got, err := decode(bytes.NewReader(data), int64(len(data)), extension)
		if err == nil && !Version.MatchString(got.version) {
			t.Errorf("%+v", got)
		}
	})
}

// A real module of this machine, where it has one: its form is that of the made ones.
func TestRealModule(t *testing.T) {
	found, err := filepath.Glob("/usr/lib/modules/*/kernel/fs/*/*.ko*")
	if err != nil || len(found) == 0 {
		t.Skip("this machine has no kernel modules on disk")
	}
	f, err := os.Open(found[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := decode(f, size, filepath.Ext(found[0])); err == nil || !bytes.Contains([]byte(err.Error()), []byte("is none of NVIDIA's driver")) {
		t.Errorf("%s: %v", found[0], err)
	}
}

func packed(t testing.TB, extension, text string) string {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	switch extension {
	case ".zst":
		w, err = zstd.NewWriter(&out)
	case ".xz":
		w, err = xz.NewWriter(&out)
	case ".gz":
		w = gzip.NewWriter(&out)
	}
	if err == nil {
		_, err = io.WriteString(w, text)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}
