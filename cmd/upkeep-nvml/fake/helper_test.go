//go:build linux

package fake_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"upkeep/fixtures/gpunode"
	"upkeep/providers/facts"
	"upkeep/providers/node"
)

// TestHelper runs the programs as a node has them: the helper, which has no flag for another root, in a made root; next
// to it upkeep-nvml with the digest that the helper was built with; and C libraries where the driver's packages put
// them, found by glibc under the names that programs load. A shell is the only other program.
func TestHelper(t *testing.T) {
	root := filepath.Join(t.TempDir(), "root")
	// A program of the namespace must be able to pass through all directories above.
	enter := []string{"unshare", "--map-root-user", "--root", root}
	if out, err := exec.Command(enter[0], enter[1], "true").CombinedOutput(); err != nil {
		t.Skipf("this machine has no user namespaces: %v %s", err, out)
	}
	const driver = "570.124.06"
	if err := gpunode.Complete(root, driver, "3,2,60000000,-;NVRM: Xid (PCI:0000:15:00): 79, GPU has fallen off the bus."); err != nil {
		t.Fatal(err)
	}
	copied(t, compile(t, "nvml.c", "-DLOST=3"), root+"/usr/lib/x86_64-linux-gnu/libnvidia-ml.so."+driver)
	copied(t, compile(t, "cuda.c", "-DDEVICES=7"), root+"/usr/lib/x86_64-linux-gnu/libcuda.so."+driver)
	nvml := build(t, "CGO_ENABLED=1")
	libraries(t, root, nvml)
	copied(t, "/bin/sh", root+"/bin/sh")
	libraries(t, root, "/bin/sh")

	const at = "/opt/upkeep/upkeep-node"
	copied(t, nvml, root+"/opt/upkeep/upkeep-nvml")
	digest := sum(t, nvml)
	cmd := exec.Command("go", "build", "-ldflags=-X main.nvmlDigest="+digest, "-o", root+at, "../../upkeep-node")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	// A program asks the kernel where it is itself, and the made /proc is none of the kernel's.
	tree := &gpunode.Tree{Root: root}
	tree.Link("proc/self/exe", at)
	helpers := t.TempDir()
	wrapper := &gpunode.Tree{Root: helpers}
	wrapper.WriteMode("upkeep-node-linux-"+runtime.GOARCH, "#!/bin/sh\nexec "+strings.Join(enter, " ")+" "+at+" \"$@\"\n", 0o755)
	if tree.Err != nil || wrapper.Err != nil {
		t.Fatal(tree.Err, wrapper.Err)
	}
	got, err := node.New(node.Options{Helpers: helpers}).Observe(t.Context(), node.Target{Name: "gpu1", Transport: node.TransportLocal},
		facts.Question{NVIDIA: true, KernelLog: &facts.KernelLogQuestion{}})
	if err != nil {
		t.Fatal(err)
	}
	n := got.NVIDIA
	equal(t, n.NVML, answer(8, func(g []facts.GPU) {
		// A reason that a node gives is quoted where it enters upkeep.
		g[3] = facts.GPU{Index: 3, Unknown: `"nvmlDeviceGetHandleByIndex: GPU is lost"`, Kind: facts.NVMLLost}
	}))
	equal(t, n.CUDA, facts.CUDA{Devices: 7, Version: "12.8"})
	if len(n.Devices.GPUs) != 8 || n.Fabric.Manager != facts.Needed || n.FabricManager.Version != driver || !n.FabricManager.Unit.Running() ||
		n.Driver() != driver || n.Packages.Package("nvidia-fabricmanager-570").Candidate == "" {
		t.Errorf("%+v", n)
	}
	if len(n.NVML.GPUs) == 0 {
		t.FailNow()
	}
	if got.Boot.Next != gpunode.Kernel || got.KernelLog.Boot != gpunode.Boot || len(got.KernelLog.Events) != 2 || got.KernelLog.Events[1].Code != 79 ||
		got.KernelLog.Events[1].PCI != n.NVML.GPUs[0].PCI || got.KernelLog.Next != 3 {
		t.Errorf("%+v, %+v", got.Boot, got.KernelLog)
	}
}

// libraries copies what a program is linked with into a root, to the same places.
func libraries(t *testing.T, root, program string) {
	t.Helper()
	out, err := exec.Command("ldd", program).Output()
	if err != nil {
		t.Fatalf("ldd %s: %v", program, err)
	}
	for _, m := range regexp.MustCompile(`(/\S+) \(0x`).FindAllStringSubmatch(string(out), -1) {
		copied(t, m[1], root+m[1])
	}
}

func copied(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o755)
	}
	if err == nil {
		err = os.WriteFile(to, text, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func sum(t *testing.T, p string) string {
	t.Helper()
	f, err := os.Open(p)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}
