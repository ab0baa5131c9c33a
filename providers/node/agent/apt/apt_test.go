package apt

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/fixtures/gpunode"
	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/dpkg"
	"upkeep/providers/node/protocol"
)

// place is a directory in which this machine's own apt and dpkg work, with a repository of small packages that have the
// names, relations and versions of Ubuntu's.
type place struct {
	*testing.T
	root string
	disk *disk.Disk
}

// newPlace makes one; the test is skipped where the machine has no apt, or is not root's.
func newPlace(t *testing.T) place {
	t.Helper()
	for _, name := range []string{"apt-get", "apt-cache", "apt-mark", "dpkg", "dpkg-deb"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("this machine has no %s", name)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("dpkg works for root alone")
	}
	tree := &gpunode.Tree{Root: t.TempDir()}
	p := place{T: t, root: tree.Root}
	for _, dir := range []string{
		"etc/apt/apt.conf.d/x", "etc/apt/preferences.d/x", "var/lib/dpkg/updates/x", "var/lib/dpkg/info/x",
		"var/lib/dpkg/triggers/x",
		"var/lib/apt/lists/partial/x", "var/cache/apt/archives/partial/x", "var/log/apt/x", "repository/x",
	} {
		tree.Write(dir, "")
		if err := os.Remove(filepath.Join(p.root, dir)); err != nil {
			t.Fatal(err)
		}
	}
	var index, status strings.Builder
	for _, branch := range []string{"570", "580"} {
		for _, minor := range map[string][]string{"570": {"124.06"}, "580": {"95.05", "126.20"}}[branch] {
			version := branch + "." + minor + "-0ubuntu1"
			for name, relations := range map[string]string{
				"nvidia-driver-" + branch + "-server": "Depends: libnvidia-compute-" + branch + "-server (= " + version + ")\n" +
					"Provides: nvidia-driver\nConflicts: nvidia-driver\nReplaces: nvidia-driver\n",
				"libnvidia-compute-" + branch +
					"-server": "Provides: libnvidia-compute\nConflicts: libnvidia-compute\nReplaces: libnvidia-compute\n",
				"nvidia-fabricmanager-" + branch: "Provides: fabricmanager\nConflicts: fabricmanager\n",
			} {
				control := "Package: " + name + "\nVersion: " + version +
					"\nArchitecture: amd64\nMaintainer: x <x@example.net>\n" + relations + "Description: x\n"
				index.WriteString(p.build(name, version, control))
				if branch == "570" {
					status.WriteString(strings.Replace(control, "\nVersion", "\nStatus: install ok installed\nVersion", 1) + "\n")
					tree.Write("var/lib/dpkg/info/"+name+".list", "/.\n")
				}
			}
		}
	}
	tree.Write("repository/Packages", index.String())
	tree.Write("var/lib/dpkg/status", status.String())
	tree.Write("var/lib/dpkg/available", "")
	tree.Write("etc/apt/sources.list", "deb [trusted=yes] file:"+p.root+"/repository ./\n")
	tree.Write("apt.conf", fmt.Sprintf(`Dir %[1]q;
Dir::State::status "%[1]s/var/lib/dpkg/status";
APT::Architecture "amd64";
APT::Architectures "amd64";
DPkg::Options { "--root=%[1]s"; "--force-not-root"; "--force-script-chrootless"; };
`, p.root))
	for _, name := range []string{"apt-get", "apt-cache", "apt-mark"} {
		tree.WriteMode("usr/bin/"+name, "#!/bin/sh\nAPT_CONFIG="+p.root+"/apt.conf exec /usr/bin/"+name+" \"$@\"\n", 0o755)
	}
	if tree.Err != nil {
		t.Fatal(tree.Err)
	}
	p.run(filepath.Join(p.root, "usr/bin/apt-get"), "update")
	d, err := disk.Open(p.root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	p.disk = d
	return p
}

// build makes a package of a control file, and returns its paragraph in the index.
func (p place) build(name, version, control string) string {
	p.Helper()
	dir := p.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "DEBIAN"), 0o755); err != nil {
		p.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "DEBIAN/control"), []byte(control), 0o644); err != nil {
		p.Fatal(err)
	}
	file := name + "_" + version + "_amd64.deb"
	p.run("dpkg-deb", "-b", dir, filepath.Join(p.root, "repository", file))
	text, err := os.ReadFile(filepath.Join(p.root, "repository", file))
	if err != nil {
		p.Fatal(err)
	}
	return fmt.Sprintf("%sFilename: ./%s\nSize: %d\nSHA256: %x\n\n", control, file, len(text), sha256.Sum256(text))
}

func (p place) run(name string, args ...string) {
	p.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		p.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
}

// has lists the installed packages with their states and versions.
func (p place) has() (out []string) {
	for _, pkg := range dpkg.Collect(p.Context(), p.disk).Packages {
		if pkg.Status[1] != 'c' {
			out = append(out, pkg.Status+" "+pkg.Name+" "+pkg.Version)
		}
	}
	return out
}

// branchChange is the change from 570 to a version of 580 that is not the newest.
func branchChange() facts.AptChange {
	const version = "580.95.05-0ubuntu1"
	return facts.AptChange{
		Install: []facts.PackageAt{
			{Name: "libnvidia-compute-580-server", Version: version}, {Name: "nvidia-driver-580-server", Version: version},
			{Name: "nvidia-fabricmanager-580", Version: version},
		},
		Remove: []string{"libnvidia-compute-570-server", "nvidia-driver-570-server", "nvidia-fabricmanager-570"},
	}
}

// The machine's own apt: what it offers, what it would do, and that it does exactly that.
func TestChangeOfBranch(t *testing.T) {
	p := newPlace(t)
	change := branchChange()
	a := Collect(t.Context(), p.disk, facts.AptQuestion{Branch: "580", Change: &change})
	if a.Unknown != "" || a.Trial == nil || a.Trial.Unknown != "" || a.Trial.Refused != "" {
		t.Fatalf("%+v, trial %+v", a, a.Trial)
	}
	offer := a.Offer("nvidia-driver-580-server")
	if offer == nil || len(offer.Versions) != 2 || offer.Candidate != "580.126.20-0ubuntu1" {
		t.Errorf("offers %+v", a.Offers)
	}
	if a.Offer("nvidia-driver-570-server") != nil {
		t.Error("another branch is offered")
	}
	if len(a.Trial.Installs) != 3 || len(a.Trial.Removes) != 3 || a.Trial.Missing != 0 {
		t.Errorf("trial %+v", a.Trial)
	}
	if _, err := Download(t.Context(), p.disk, protocol.DownloadRequest{Change: change}, func(string) {}); err != nil {
		t.Error(err)
	}
	if got := p.has(); !slices.Contains(got, "ii nvidia-driver-570-server 570.124.06-0ubuntu1") {
		t.Errorf("after a download: %q", got)
	}
	request := protocol.InstallRequest{
		Change: change, Installs: a.Trial.Installs, Removes: a.Trial.Removes, Hold: []string{"nvidia-driver-580-server"},
	}
	var said []string
	if _, err := Install(t.Context(), p.disk, request, func(line string) { said = append(said, line) }); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"ii libnvidia-compute-580-server 580.95.05-0ubuntu1", "hi nvidia-driver-580-server 580.95.05-0ubuntu1",
		"ii nvidia-fabricmanager-580 580.95.05-0ubuntu1",
	}
	if diff := cmp.Diff(want, p.has()); diff != "" {
		t.Errorf("installed (-want +got):\n%s\n%s", diff, strings.Join(said, "\n"))
	}
	if again := try(t.Context(), p.disk, change); len(again.Installs)+len(again.Removes) != 0 {
		t.Errorf("a second time apt would do %+v", again)
	}
}

// Where apt would do something else than what the plan shows, or cannot do it, nothing is changed.
func TestInstallRefuses(t *testing.T) {
	p := newPlace(t)
	change := branchChange()
	seen := try(t.Context(), p.disk, change)
	before := p.has()
	incomplete := change
	incomplete.Install = change.Install[1:2]
	gone := facts.AptChange{Install: []facts.PackageAt{{Name: "nvidia-driver-580-server", Version: "580.1-1"}}}
	for name, test := range map[string]struct {
		request protocol.InstallRequest
		want    string
	}{
		"a removal that the plan does not show": {
			protocol.InstallRequest{Change: change, Installs: seen.Installs, Removes: seen.Removes[1:]},
			"which the plan does not show: plan again",
		},
		"a package that the plan does not show": {
			protocol.InstallRequest{Change: change, Installs: seen.Installs[1:], Removes: seen.Removes},
			"which the plan does not show: plan again",
		},
		"more in the plan": {
			protocol.InstallRequest{Change: change, Installs: append(slices.Clone(seen.Installs),
				facts.PackageChange{Name: "x", To: "1"}), Removes: seen.Removes},
			"and the plan shows 7: plan again",
		},
		"dependencies that are not met": {
			protocol.InstallRequest{Change: incomplete, Installs: seen.Installs, Removes: seen.Removes},
			"Depends: libnvidia-compute-580-server",
		},
		"a version that is gone": {protocol.InstallRequest{Change: gone},
			"Version '580.1-1' for 'nvidia-driver-580-server' was not found"},
		"an option among the names": {protocol.InstallRequest{
			Change: facts.AptChange{Install: []facts.PackageAt{{Name: "-o", Version: "1"}}},
		}, "not the name of a package"},
		"a stranger to be held back": {protocol.InstallRequest{Change: change, Hold: []string{"bash"}},
			"not the name of a package"},
	} {
		_, err := Install(t.Context(), p.disk, test.request, func(string) {})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	if diff := cmp.Diff(before, p.has()); diff != "" {
		t.Errorf("it changed packages (-before +after):\n%s", diff)
	}
}

// A package that apt holds back is not changed without a word, and with one it is.
func TestHeld(t *testing.T) {
	p := newPlace(t)
	p.run(filepath.Join(p.root, "usr/bin/apt-mark"), "hold", "nvidia-driver-570-server")
	change := branchChange()
	if seen := try(t.Context(), p.disk, change); seen.Refused == "" {
		t.Errorf("apt would change a held package: %+v", seen)
	}
	change.Held = true
	if seen := try(t.Context(), p.disk, change); seen.Refused != "" || len(seen.Removes) != 3 {
		t.Errorf("apt would not: %+v", seen)
	}
}

// A lock that another program holds is an error that says so.
func TestLocked(t *testing.T) {
	tree := &gpunode.Tree{Root: t.TempDir()}
	const said = "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 4711 (unattended-upgr)"
	tree.WriteMode("usr/bin/apt-get", "#!/bin/sh\necho 'Reading package lists...'\necho '"+said+"' >&2\nexit 100\n", 0o755)
	if tree.Err != nil {
		t.Fatal(tree.Err)
	}
	d, err := disk.Open(tree.Root)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	_, err = Download(t.Context(), d, protocol.DownloadRequest{Change: branchChange()}, func(string) {})
	if err == nil || !strings.Contains(err.Error(), "another program holds the lock of apt") ||
		!strings.Contains(err.Error(), "unattended-upgr") {
		t.Error(err)
	}
}
