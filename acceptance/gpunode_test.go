package acceptance

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"upkeep/acceptance/lab"
)

// The branch and the versions of the driver in the lab's repository, the oldest first: two of NVIDIA's that were once a
// release apart in Ubuntu's archive, so that nodes got one for the driver and the other for its fabric manager.
const (
	driverBranch = "550"
	driverOld    = "550.120"
	driverNew    = "550.127.05"
)

// gpuWorker makes a worker that looks like an HGX of 8 H100 with NVIDIA's driver: made trees for what the kernel says, real
// packages, units, libraries and kubelet. It is gone when the part ends.
func (s *suite) gpuWorker(t *testing.T, name string) {
	t.Helper()
	dir, trees := t.TempDir(), filepath.Join("testdata", "gpu")
	s.compile(t, filepath.Join(dir, "nvidia.ko"), "-c", "-DVERSION=\""+driverOld+"\"", filepath.Join(trees, "module.c"))
	const fakes = "../cmd/upkeep-nvml/fake/testdata"
	files := map[string]string{
		"srv/nvidia.ko": filepath.Join(dir, "nvidia.ko"), "srv/node.sh": filepath.Join(trees, "node.sh"),
		"srv/packages.sh": filepath.Join(trees, "packages.sh"), "usr/local/sbin/deviceplugin": s.build(t, "deviceplugin"),
	}
	for name, args := range map[string][]string{
		"libnvidia-ml": {"nvml.c", "-DWELL"}, "libnvidia-ml-lost": {"nvml.c", "-DWELL", "-DLOST=3"}, "libnvidia-ml-hangs": {"nvml.c", "-DHANG"},
		"libcuda": {"cuda.c"}, "libcuda-802": {"cuda.c", "-DINIT=802"},
	} {
		file := filepath.Join(dir, name+".so")
		args = append([]string{"-shared", "-fPIC", "-I", s.nvmlHeader(t), "-DDRIVER=\"" + driverOld + "\"", filepath.Join(fakes, args[0])}, args[1:]...)
		s.compile(t, file, args...)
		files["srv/"+name+".so"] = file
	}
	s.newDriver(t, dir, files)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		if err := s.lab.RemoveWorker(ctx, name); err != nil {
			t.Error("cleaning up:", err)
		}
	})
	install := fmt.Sprintf(`set -e
sh /srv/packages.sh 570 570.124.06
sh /srv/packages.sh %[1]s %[2]s %[3]s
apt-get install -qy nvidia-driver-%[1]s-server-open=%[2]s-0ubuntu0.22.04.1 nvidia-fabricmanager-%[1]s=%[2]s-0ubuntu0.22.04.1 \
	libnvidia-compute-%[1]s-server=%[2]s-0ubuntu0.22.04.1 nvidia-dkms-%[1]s-server-open=%[2]s-0ubuntu0.22.04.1 \
	nvidia-utils-%[1]s-server=%[2]s-0ubuntu0.22.04.1 >/dev/null
sh /srv/node.sh %[2]s
systemctl enable -q --now nvidia-fabricmanager`, driverBranch, driverOld, driverNew)
	err := s.lab.AddWorker(s.ctx, name, func(ctx context.Context) error {
		archive, err := tarOf(files)
		if err != nil {
			return err
		}
		if _, err := s.lab.SSHInput(ctx, name, "tar -C / -x", archive); err != nil {
			return err
		}
		_, err = s.lab.SSH(ctx, name, install)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	// The plugin needs the kubelet's directory, which the kubelet makes when it joins.
	s.ssh(t, name, "systemctl restart lab-deviceplugin")
	s.until(t, time.Minute, name+" to offer 8 GPUs", func(ctx context.Context) error {
		offered, err := s.kubectlIn(ctx, "", "get", "node", name, "-o", `jsonpath={.status.allocatable.nvidia\.com/gpu}`)
		if err == nil && offered != "8" {
			err = fmt.Errorf("%q", offered)
		}
		return err
	})
}

// newDriver adds the module and the libraries of the newer driver, which its packages bring.
func (s *suite) newDriver(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	const fakes = "../cmd/upkeep-nvml/fake/testdata"
	for name, args := range map[string][]string{
		"nvidia.ko":       {"-c", "-DVERSION=\"" + driverNew + "\"", filepath.Join("testdata", "gpu", "module.c")},
		"libnvidia-ml.so": {"-shared", "-fPIC", "-I", s.nvmlHeader(t), "-DDRIVER=\"" + driverNew + "\"", "-DWELL", filepath.Join(fakes, "nvml.c")},
		"libcuda.so":      {"-shared", "-fPIC", filepath.Join(fakes, "cuda.c")},
	} {
		file := filepath.Join(dir, "new-"+name)
		s.compile(t, file, args...)
		files["srv/"+driverNew+"/"+name] = file
	}
}

// compile runs gcc.
func (s *suite) compile(t *testing.T, to string, args ...string) {
	t.Helper()
	s.run(t, "gcc", append([]string{"-O1", "-o", to}, args...)...)
}

// nvmlHeader is the directory of NVIDIA's own header, which go-nvml carries.
func (s *suite) nvmlHeader(t *testing.T) string {
	t.Helper()
	command := exec.CommandContext(s.ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/NVIDIA/go-nvml")
	command.Dir = ".."
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "pkg", "nvml")
}

// tarOf packs files of this machine under their paths on a host. All of them may be executed there.
func tarOf(files map[string]string) (string, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for to, from := range files {
		text, err := os.ReadFile(from)
		if err != nil {
			return "", err
		}
		if err := w.WriteHeader(&tar.Header{Name: to, Mode: 0o755, Size: int64(len(text))}); err != nil {
			return "", err
		}
		if _, err := w.Write(text); err != nil {
			return "", err
		}
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	return b.String(), nil
}

// declareGPUs adds workers of the lab to a configuration, and what must hold on them.
func (d directory) declareGPUs(t *testing.T, blocks string, names ...string) {
	t.Helper()
	var hosts []string
	for _, name := range names {
		address, err := lab.WorkerAddress(name)
		if err != nil {
			t.Fatal(err)
		}
		hosts = append(hosts, fmt.Sprintf("%s = %q", name, address))
	}
	text := fmt.Sprintf(`node "gpu" {
  for_each   = { %s }
  host       = each.value
  roles      = ["gpu"]
  connection = connection.lab
}

%s`, strings.Join(hosts, ", "), blocks)
	if err := os.WriteFile(filepath.Join(d.path, "gpus.upkeep.hcl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// gpuFault is something wrong with a GPU node that happened to somebody. seed and mend are shell commands on the node;
// a fault that the next one may stand beside has no mend.
type gpuFault struct {
	name, seed, mend string
	want             string // the finding's id
}

// What the faults use of the node.
const (
	gpuLibraries = "/usr/lib/x86_64-linux-gnu"
	gpuServer    = "-0ubuntu0.22.04.1"
)

// gpuFaults are seeded one at a time on a node that has no fault of a GPU.
var gpuFaults = []gpuFault{
	{"the fabric manager is of another release",
		"apt-get install -qy nvidia-fabricmanager-550=" + driverNew + gpuServer + " >/dev/null; systemctl restart nvidia-fabricmanager",
		"apt-get install -qy --allow-downgrades nvidia-fabricmanager-550=" + driverOld + gpuServer + " >/dev/null; systemctl restart nvidia-fabricmanager",
		"FABRIC_MANAGER_MISMATCH"},
	{"the fabric manager is not enabled", "systemctl disable -q nvidia-fabricmanager", "systemctl enable -q nvidia-fabricmanager", "FABRIC_MANAGER_DISABLED"},
	{"the fabric manager has died", "systemctl kill -s KILL nvidia-fabricmanager", "systemctl restart nvidia-fabricmanager", "FABRIC_MANAGER_FAILED"},
	{"the fabric manager was removed", "apt-get remove -qy nvidia-fabricmanager-550 >/dev/null",
		"apt-get install -qy nvidia-fabricmanager-550=" + driverOld + gpuServer + " >/dev/null; systemctl enable -q --now nvidia-fabricmanager", "FABRIC_MANAGER_MISSING"},
	{"libraries of a second branch", "apt-get install -qy libnvidia-compute-570-server >/dev/null", "apt-get purge -qy libnvidia-compute-570-server >/dev/null", "NVIDIA_BRANCHES"},
	{"one package of the set was moved", "dpkg -i --force-depends /srv/repo/libnvidia-compute-550-server_" + driverNew + gpuServer + "_amd64.deb >/dev/null 2>&1",
		"dpkg -i --force-downgrade /srv/repo/libnvidia-compute-550-server_" + driverOld + gpuServer + "_amd64.deb >/dev/null 2>&1", "NVIDIA_PACKAGE_BROKEN"},
	{"a package is half removed", "dpkg --remove --force-depends nvidia-utils-550-server >/dev/null 2>&1",
		"dpkg -i /srv/repo/nvidia-utils-550-server_" + driverOld + gpuServer + "_amd64.deb >/dev/null 2>&1", "NVIDIA_PACKAGE_BROKEN"},
	{"a pin forbids the driver", `printf 'Package: nvidia-driver-*\nPin: version *\nPin-Priority: -1\n' >/etc/apt/preferences.d/no-nvidia`,
		"rm /etc/apt/preferences.d/no-nvidia", "NVIDIA_PINNED"},
	{"a second repository has the same version", "cp -r /srv/repo /srv/other; echo 'deb [trusted=yes] file:/srv/other ./' >/etc/apt/sources.list.d/other.list; apt-get update -q >/dev/null",
		"rm -r /srv/other /etc/apt/sources.list.d/other.list; apt-get update -q >/dev/null", "NVIDIA_REPOSITORIES"},
	{"another module is on disk than in the kernel", "sed -i 's/" + driverOld + "/550.999/' /usr/lib/modules/$(uname -r)/updates/dkms/nvidia.ko",
		"sed -i 's/550.999/" + driverOld + "/' /usr/lib/modules/$(uname -r)/updates/dkms/nvidia.ko", "NVIDIA_MODULE_PENDING"},
	{"the module was left out of a kernel", "mv /usr/lib/modules/$(uname -r)/updates/dkms/nvidia.ko /srv; : >/usr/lib/modules/$(uname -r)/modules.dep",
		"mv /srv/nvidia.ko /usr/lib/modules/$(uname -r)/updates/dkms/; echo updates/dkms/nvidia.ko: >/usr/lib/modules/$(uname -r)/modules.dep", "NVIDIA_MODULE_MISSING"},
	{"the libraries are of another version", "cd " + gpuLibraries + "; mv libcuda.so." + driverOld + " libcuda.so." + driverNew + "; ln -sfn libcuda.so." + driverNew + " libcuda.so.1",
		"cd " + gpuLibraries + "; mv libcuda.so." + driverNew + " libcuda.so." + driverOld + "; ln -sfn libcuda.so." + driverOld + " libcuda.so.1", "NVIDIA_LIBRARY_MISMATCH"},
	{"the CDI file is of the driver before", "sed -i 's/so." + driverOld + "/so.535.104.05/' /etc/cdi/nvidia.yaml",
		"sed -i 's/so.535.104.05/so." + driverOld + "/' /etc/cdi/nvidia.yaml", "CDI_STALE"},
	{"the runtime has lost its handler", "sed -i 's/runtimes.nvidia/runtimes.other/' /etc/containerd/config.toml; systemctl restart containerd",
		"sed -i 's/runtimes.other/runtimes.nvidia/' /etc/containerd/config.toml; systemctl restart containerd", "RUNTIME_HANDLER_MISSING"},
	{"CUDA finds the fabric not ready", swapLibrary("libcuda", "libcuda-802"), swapLibrary("libcuda", "libcuda"), "NVIDIA_CUDA_FAILS"},
	{"a GPU has fallen off the bus", swapLibrary("libnvidia-ml", "libnvidia-ml-lost"), swapLibrary("libnvidia-ml", "libnvidia-ml"), "GPU_LOST"},
	{"NVML never answers", swapLibrary("libnvidia-ml", "libnvidia-ml-hangs"), swapLibrary("libnvidia-ml", "libnvidia-ml"), "NVIDIA_NVML_SILENT"},
	{"the device plugin calls a GPU unhealthy", "mkdir -p /run/deviceplugin; echo 0000:15:00.0 >/run/deviceplugin/unhealthy", "rm /run/deviceplugin/unhealthy", "GPU_NOT_OFFERED"},
	{"the driver is not loaded", "mv /srv/hgx/driver/nvidia /srv/hgx/driver/gone", "mv /srv/hgx/driver/gone /srv/hgx/driver/nvidia", "NVIDIA_DRIVER_NOT_LOADED"},
	{"a GPU is of a model that nobody knows", "echo 0x9999 >/srv/hgx/pci/0000:15:00.0/device", "echo 0x2330 >/srv/hgx/pci/0000:15:00.0/device", "GPU_MODEL_UNKNOWN"},
	{"a Xid asks for a new start", xid("79, pid=1234, name=python3, GPU has fallen off the bus."), "umount /dev/kmsg", "NVIDIA_XID_REBOOT"},
	{"a Xid that nobody knows", xid("999, pid=1234, something new"), "umount /dev/kmsg", "NVIDIA_XID_UNCLASSIFIED"},
}

// swapLibrary puts another build of a library in the place of the driver's.
func swapLibrary(library, build string) string {
	return fmt.Sprintf("cp /srv/%s.so %s/%s.so.%s.new && mv %[2]s/%[3]s.so.%[4]s.new %[2]s/%[3]s.so.%[4]s", build, gpuLibraries, library, driverOld)
}

// xid lays a made log over the kernel's, with one record in the kernel's form: level, sequence, microseconds since the boot.
func xid(words string) string {
	return `printf '3,4711,%s,-;NVRM: Xid (PCI:0000:15:00): ` + words + `\n' "$(awk '{ printf "%d", $1 * 1000000 }' /proc/uptime)" >/srv/kmsg; mount --bind /srv/kmsg /dev/kmsg`
}

// testGPUNodes looks at a worker that looks like an HGX machine: first while it is well, then with one fault after the other.
func testGPUNodes(t *testing.T, s *suite) {
	s.gpuWorker(t, "g1")
	d := s.declare(t, declaration{renewBefore: time.Hour})
	d.declareGPUs(t, "gpu_health \"fleet\" {\n  nodes = role(\"gpu\")\n}\n", "g1")
	s.ssh(t, "g1", "true")
	d.run(t, "node", "accept", "g1").want(t, 0)
	well := idsOn(d.findings(t), "g1")
	t.Logf("findings while it is well: %s", strings.Join(well, ", "))
	for _, id := range well {
		if id == "NVIDIA_DRM_MISSING" { // hosts share the kernel's list of modules, and no tree can be laid over one entry
			continue
		}
		if strings.HasPrefix(id, "GPU_") || strings.HasPrefix(id, "NVIDIA_") || strings.HasPrefix(id, "FABRIC_") {
			t.Errorf("%s on a node that is well", id)
		}
	}
	if t.Failed() {
		return
	}
	named := 0
	for _, f := range gpuFaults {
		t.Run(f.name, func(t *testing.T) {
			s.ssh(t, "g1", f.seed)
			mended := false
			mend := func() {
				if !mended {
					mended = true
					s.ssh(t, "g1", f.mend)
				}
			}
			t.Cleanup(mend) // a fault that nobody names must not stand beside the next one
			// Units end, and kubelets hear of devices, a moment later.
			sees := func(what string, as func(ids []string) bool) {
				s.until(t, 30*time.Second, what, func(context.Context) error {
					if ids := idsOn(d.findings(t), "g1"); !as(ids) {
						return fmt.Errorf("upkeep finds %s", strings.Join(ids, ", "))
					}
					return nil
				})
			}
			sees(f.want, func(ids []string) bool { return slices.Contains(ids, f.want) })
			named++
			mend()
			sees("a node as it was", func(ids []string) bool { return slices.Equal(ids, well) })
		})
		if t.Failed() && s.ctx.Err() != nil {
			return
		}
	}
	t.Logf("figure: upkeep named %d of %d faults of a GPU node", named, len(gpuFaults))
}

// findings are what `upkeep plan` says is wrong.
func (d directory) findings(t *testing.T) []finding {
	t.Helper()
	var p plan
	r := d.run(t, "plan", "-json")
	if err := json.Unmarshal([]byte(r.stdout), &p); err != nil {
		t.Fatalf("exit %d: %v\n%s", r.code, err, r.stderr)
	}
	return p.Upkeep.Findings
}

// idsOn returns the ids of the findings about a node, each once, sorted.
func idsOn(all []finding, node string) []string {
	var ids []string
	for _, f := range all {
		if strings.HasSuffix(f.Address, "@"+node) {
			ids = append(ids, f.ID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
