package nvidia_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/fixtures/gpunode"
	"upkeep/providers/facts"
	"upkeep/providers/node/agent/boot"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/nvidia"
	"upkeep/providers/node/agent/pci"
)

const driver = "570.124.06"

// answers is a script that stands for upkeep-nvml.
const answers = `if [ "$1" = -cuda ]; then echo '{"devices":8,"version":"12.8"}'; else echo '{"driver":"570.124.06","gpus":[{"index":0,"uuid":"GPU-1"}]}'; fi`

// node makes a complete node, changes it, and looks at it.
func node(t testing.TB, script string, change func(*gpunode.Tree)) facts.NVIDIA {
	t.Helper()
	root := t.TempDir()
	d, program := made(t, root, script, change)
	defer d.Close()
	return nvidia.Collect(t.Context(), d, pci.Look(d.Files()), gpunode.Kernel, boot.Collect(d), program)
}

func made(t testing.TB, root, script string, change func(*gpunode.Tree)) (*disk.Disk, nvidia.Program) {
	t.Helper()
	if err := gpunode.Complete(root, driver); err != nil {
		t.Fatal(err)
	}
	tree := &gpunode.Tree{Root: root}
	text := "#!/bin/sh\n" + script + "\n"
	tree.WriteMode("opt/upkeep-nvml", text, 0o755)
	if change != nil {
		change(tree)
	}
	if tree.Err != nil {
		t.Fatal(tree.Err)
	}
	d, err := disk.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	return d, nvidia.Program{Path: "/opt/upkeep-nvml", Digest: fmt.Sprintf("%x", sha256.Sum256([]byte(text))), Limit: 20 * time.Second}
}

func TestComplete(t *testing.T) {
	got := node(t, answers, nil)
	names, unknown := got.Devices.Models()
	if len(got.Devices.GPUs) != 8 || len(got.Devices.Switches) != 4 || unknown != 0 || len(names) != 1 || names[0] != "h100" {
		t.Errorf("%+v", got.Devices)
	}
	// Every version that must be the same is known, and is.
	versions := map[string]string{
		"loaded": got.Module.Version, "on disk": got.ModuleOf(gpunode.Kernel).Version, "NVML": got.NVML.Driver, "driver": got.Driver(),
		"libcuda": got.Libraries.Version("libcuda.so"), "libnvidia-ml": got.Libraries.Version("libnvidia-ml.so"),
		"libnvidia-nscq": got.Libraries.Version("libnvidia-nscq.so"),
		"fabric manager": got.FabricManager.Version, "persistence daemon": got.Persistence.Version, "package": got.Packages.Package("nvidia-fabricmanager-570").Upstream,
		"CDI": strings.Join(got.CDI.Files[0].Versions, " "),
	}
	for what, version := range versions {
		if version != driver {
			t.Errorf("%s has version %q", what, version)
		}
	}
	if p := got.Packages.Package("nvidia-driver-570-server-open"); p.Candidate != driver+"-0ubuntu0.24.04.1" || !p.Held || len(p.Versions) != 1 || len(p.Versions[0].Sources) != 2 {
		t.Errorf("%+v", p)
	}
	if !got.FabricManager.Unit.Running() || got.Fabric.Manager != facts.Needed || got.CUDA.Devices != 8 || got.Packages.CandidatesUnknown != "" {
		t.Errorf("%+v, %+v, %+v", got.FabricManager, got.Fabric, got.CUDA)
	}
	if diff := cmp.Diff([]facts.Maintainer{{Name: facts.MaintainerDKMS, Evidence: "/var/lib/dkms/nvidia"}}, got.Maintainers.Found); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	// The one part that this node does not have says so, and no other part is unknown.
	if got.Runtime.Unknown == "" {
		t.Error("a container runtime out of nowhere")
	}
	got.Runtime.Unknown = ""
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "unknown") {
		t.Errorf("%s", text)
	}
	// As recorded facts hold it.
	var back facts.NVIDIA
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, back); diff != "" {
		t.Errorf("recorded (-want +got)\n%s", diff)
	}
}

// TestSeeded: each of the faults of the field is in the facts, and only where it is.
func TestSeeded(t *testing.T) {
	remove := func(tree *gpunode.Tree, p string) {
		if tree.Err == nil {
			tree.Err = os.RemoveAll(filepath.Join(tree.Root, p))
		}
	}
	for _, c := range []struct {
		name   string
		script string
		change func(*gpunode.Tree)
		shows  func(facts.NVIDIA) bool
	}{
		{"fabric manager of another version", answers, func(tree *gpunode.Tree) {
			tree.WriteMode("usr/bin/nv-fabricmanager", "#!/bin/sh\necho 'Fabric Manager version is : 550.120'\n", 0o755)
		}, func(n facts.NVIDIA) bool { return n.FabricManager.Version == "550.120" && n.Module.Version == driver }},
		{"fabric manager that does not say", answers, func(tree *gpunode.Tree) {
			tree.WriteMode("usr/bin/nv-fabricmanager", "#!/bin/sh\necho x\n", 0o755)
		}, func(n facts.NVIDIA) bool {
			return n.FabricManager.VersionUnknown == "nv-fabricmanager does not say its version"
		}},
		{"fabric manager that is not installed", answers, func(tree *gpunode.Tree) { remove(tree, "usr/bin/nv-fabricmanager") },
			func(n facts.NVIDIA) bool {
				return n.FabricManager.Version == "" && n.FabricManager.VersionUnknown == ""
			}},
		{"the module of the next kernel was left behind", answers, func(tree *gpunode.Tree) {
			const next = "6.8.0-100-generic"
			remove(tree, "boot/grub/grub.cfg")
			tree.Write("boot/vmlinuz-"+next, "x")
			tree.Write("boot/grub/grub.cfg", "menuentry 'Ubuntu' {\n\tlinux /boot/vmlinuz-"+next+"\n}\n")
			tree.Write("usr/lib/modules/"+next+"/modules.dep", "updates/dkms/nvidia.ko:\n")
			tree.Write("usr/lib/modules/"+next+"/updates/dkms/nvidia.ko", gpunode.Module("520.56.06", "NVIDIA"))
		}, func(n facts.NVIDIA) bool {
			return n.ModuleOf(gpunode.Kernel).Version == driver && n.ModuleOf("6.8.0-100-generic").Version == "520.56.06" && n.ModuleOf("x").Unknown != ""
		}},
		{"DKMS failed", answers, func(tree *gpunode.Tree) {
			tree.Write("usr/lib/modules/"+gpunode.Kernel+"/modules.dep", "")
			remove(tree, "usr/lib/modules/"+gpunode.Kernel+"/updates")
		}, func(n facts.NVIDIA) bool { return n.ModuleOf(gpunode.Kernel).Missing }},
		{"stale CDI", answers, func(tree *gpunode.Tree) {
			tree.Write("etc/cdi/nvidia.yaml", "kind: nvidia.com/gpu\ncontainerEdits: {mounts: [{hostPath: /usr/lib/x86_64-linux-gnu/libcuda.so.550.120}]}\n")
		}, func(n facts.NVIDIA) bool {
			return n.CDI.Files[0].Versions[0] == "550.120" && len(n.CDI.Files[0].Missing) == 1
		}},
		{"the GPU operator runs the driver", answers, func(tree *gpunode.Tree) { tree.Write("run/nvidia/validations/driver-ready", "") },
			func(n facts.NVIDIA) bool { return n.Maintainers.Found[0].Name == facts.MaintainerOperator }},
		{"kured", answers, func(tree *gpunode.Tree) { tree.Write("var/log/pods/kube-system_kured-x2b4d_1-2-3/kured/0.log", "") },
			func(n facts.NVIDIA) bool { return n.Maintainers.Found[1].Name == facts.MaintainerKured }},
		{"every device fell off the bus", answers, func(tree *gpunode.Tree) { remove(tree, "sys/bus/pci/devices") },
			func(n facts.NVIDIA) bool { return !n.Absent && len(n.Devices.GPUs) == 0 && n.Module.Version == driver }},
		{"NVML dies", "kill -ABRT $$", nil, func(n facts.NVIDIA) bool {
			return n.NVML.Kind == facts.NVMLDied && n.CUDA.Unknown != "" && !n.CUDA.Silent && n.Module.Version == driver
		}},
		{"cuInit fails", `if [ "$1" = -cuda ]; then echo '{"result":802,"call":"cuInit"}'; else echo '{"driver":"570.124.06"}'; fi`, nil,
			func(n facts.NVIDIA) bool { return n.CUDA.Result == facts.CUDASystemNotReady && n.NVML.Driver == driver }},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := node(t, c.script, c.change); !c.shows(got) {
				t.Errorf("%+v", got)
			}
		})
	}
}

// A driver that hangs delays the answer by the limit, and takes nothing else with it.
func TestHang(t *testing.T) {
	d, program := made(t, t.TempDir(), `if [ "$1" = -cuda ]; then exec sleep 60; fi; echo '{"driver":"570.124.06"}'`, nil)
	defer d.Close()
	program.Limit = 5 * time.Second // the other question must be answered within it, on a busy machine too
	got := nvidia.Collect(t.Context(), d, pci.Look(d.Files()), gpunode.Kernel, boot.Collect(d), program)
	if !got.CUDA.Silent || got.CUDA.Unknown != "upkeep-nvml: no answer within 5s" || got.NVML.Driver != driver {
		t.Errorf("%+v, %+v", got.CUDA, got.NVML)
	}
}

// A node without an NVIDIA GPU is asked nothing: no program is run, and nothing but the bus is read.
func TestAbsent(t *testing.T) {
	tree := &gpunode.Tree{Root: t.TempDir()}
	if err := gpunode.Make(tree.Root, gpunode.Machine{}); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"opt/upkeep-nvml", "usr/bin/systemctl", "usr/bin/apt-cache"} {
		tree.WriteMode(p, "#!/bin/sh\ntouch "+tree.Root+"/ran\n", 0o755)
	}
	tree.Write("var/lib/dpkg/status", "x")
	if tree.Err != nil {
		t.Fatal(tree.Err)
	}
	d, err := disk.Open(tree.Root)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	got := nvidia.Collect(t.Context(), d, pci.Look(d.Files()), "", facts.Boot{}, nvidia.Program{Path: "/opt/upkeep-nvml"})
	if diff := cmp.Diff(facts.NVIDIA{Absent: true}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if _, err := os.Stat(filepath.Join(tree.Root, "ran")); err == nil {
		t.Error("a program was run")
	}
}

// What a session brings along is written beside the helper, once, and never over another file; what others may write to is
// refused as before.
func TestBroughtAlong(t *testing.T) {
	pack := func(text string) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	text := "#!/bin/sh\n" + answers + "\n"
	for _, test := range []struct {
		name    string
		packed  []byte
		change  func(*gpunode.Tree)
		works   bool
		unknown string
	}{
		{"missing, and brought", pack(text), remove, true, ""},
		{"missing, and not brought", nil, remove, false, "upkeep-nvml is not next to the helper on this node"},
		{"there already", pack("another"), nil, true, ""},
		{"another file is there", pack(text), func(tree *gpunode.Tree) { tree.WriteMode("opt/upkeep-nvml", "other", 0o755) }, false, "and must have"},
		{"another program was brought", pack("another"), remove, false, "and must have"},
		{"damaged on its way", pack(text)[:40], remove, false, "it cannot be written"},
		{"a directory that others may write to", pack(text), func(tree *gpunode.Tree) {
			remove(tree)
			if tree.Err == nil {
				tree.Err = os.Chmod(filepath.Join(tree.Root, "opt"), 0o777)
			}
		}, false, "upkeep-nvml is not run"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, program := made(t, t.TempDir(), answers, test.change)
			defer d.Close()
			program.Packed = test.packed
			for range 2 { // the second session finds what the first has written
				got := nvidia.Collect(t.Context(), d, pci.Look(d.Files()), gpunode.Kernel, boot.Collect(d), program)
				if test.works != (got.CUDA.Devices == 8) || !strings.Contains(got.NVML.Unknown, test.unknown) || test.works && got.NVML.Unknown != "" {
					t.Errorf("%+v, %+v", got.NVML, got.CUDA)
				}
			}
		})
	}
}

func remove(tree *gpunode.Tree) {
	if tree.Err == nil {
		tree.Err = os.Remove(filepath.Join(tree.Root, "opt/upkeep-nvml"))
	}
}

// TestProducts: a device that hangs, or ends its process, is told from the others.
func TestProducts(t *testing.T) {
	d, program := made(t, t.TempDir(), `case "$1" in
-product=1) exec sleep 60 ;;
-product=2) kill -9 $$ ;;
-product=3) echo '{"device":3,"failed":"cuInit returns 802: not ready"}' ;;
-product=4) echo nonsense ;;
-product=5) echo '{}' ;;
*) echo '{"device":0,"pci":"0000:15:00","right":true}' ;;
esac`, nil)
	program.Limit = 5 * time.Second
	got := program.Products(t.Context(), d, facts.CUDA{Devices: 6})
	want := []facts.Product{
		{PCI: "0000:15:00", Right: true}, {Device: 1, Failed: "upkeep-nvml: no answer within 5s"},
		{Device: 2, Failed: "upkeep-nvml: signal: killed"}, {Device: 3, Failed: "cuInit returns 802: not ready"},
		{Device: 4, Failed: "upkeep-nvml: its answer cannot be parsed"},
		{Device: 5, Failed: "upkeep-nvml: its answer has no result"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("products (-want +got):\n%s", diff)
	}
	for _, cuda := range []facts.CUDA{{Unknown: "not asked"}, {Absent: true},
		{Result: facts.CUDASystemNotReady, Devices: 5}} {
		if got := program.Products(t.Context(), d, cuda); got != nil {
			t.Errorf("%+v: %v", cuda, got)
		}
	}
}
