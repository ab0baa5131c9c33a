package dpkg

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/fixtures/gpunode"
	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
)

// collect makes files, of which those in usr/bin are programs, and looks at them.
func collect(t *testing.T, files map[string]string) facts.DriverPackages {
	t.Helper()
	tree := &gpunode.Tree{Root: t.TempDir()}
	for p, text := range files {
		mode := os.FileMode(0o644)
		if strings.HasPrefix(p, "usr/bin/") {
			mode, text = 0o755, "#!/bin/sh\n"+text
		}
		tree.WriteMode(p, text, mode)
	}
	if tree.Err != nil {
		t.Fatal(tree.Err)
	}
	d, err := disk.Open(tree.Root)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	return Collect(t.Context(), d)
}

func stanza(name, status, version string, more ...string) string {
	return "Package: " + name + "\nStatus: " + status + "\nPriority: optional\nArchitecture: amd64\nVersion: " + version + "\n" +
		strings.Join(more, "") + "Description: x\n words: more\n .\n\n"
}

func TestStates(t *testing.T) {
	text := stanza("adduser", "install ok installed", "3.137") +
		stanza("nvidia-driver-570-server", "install ok installed", "570.124.06-0ubuntu0.24.04.1") +
		stanza("nvidia-kernel-common-570-server", "install ok half-configured", "570.124.06-0ubuntu0.24.04.1",
			"Provides: nvidia-kernel-common-570-server-570.124.06 (= 1), nvidia-kernel-common\n") +
		stanza("nvidia-fabricmanager-550", "hold ok installed", "550.120-1") +
		stanza("libnvidia-compute-535", "deinstall ok config-files", "535.183.01-0ubuntu0.24.04.1") +
		stanza("libnvidia-gl-570", "install reinstreq half-installed", "570.124.06-0ubuntu1") +
		stanza("linux-modules-nvidia-570-server-open-6.8.0-45-generic", "install ok installed", "6.8.0-45.45+1") +
		stanza("nvlsm", "install ok installed", "2025.06.11-1") +
		stanza("nvidia-container-toolkit", "install ok installed", "1.17.4-1") +
		stanza("nvidia-prime", "unknown ok not-installed", "") +
		stanza("nvidia-modprobe", "nonsense", "570.124.06-1")
	want := facts.DriverPackages{
		Branches:          []string{"550", "570"},
		CandidatesUnknown: "apt-cache is not on this node: file does not exist",
		Packages: []facts.Package{
			{Name: "libnvidia-compute-535", Status: "rc", Version: "535.183.01-0ubuntu0.24.04.1", Upstream: "535.183.01", Branch: "535", Track: "desktop"},
			{Name: "libnvidia-gl-570", Status: "iHR", Version: "570.124.06-0ubuntu1", Upstream: "570.124.06", Branch: "570", Track: "desktop"},
			{Name: "linux-modules-nvidia-570-server-open-6.8.0-45-generic", Status: "ii", Version: "6.8.0-45.45+1", Upstream: "6.8.0", Branch: "570", Track: "server"},
			{Name: "nvidia-container-toolkit", Status: "ii", Version: "1.17.4-1", Upstream: "1.17.4"},
			{Name: "nvidia-driver-570-server", Status: "ii", Version: "570.124.06-0ubuntu0.24.04.1", Upstream: "570.124.06", Branch: "570", Track: "server"},
			{Name: "nvidia-fabricmanager-550", Status: "hi", Held: true, Version: "550.120-1", Upstream: "550.120", Branch: "550"},
			{Name: "nvidia-kernel-common-570-server", Status: "iF", Version: "570.124.06-0ubuntu0.24.04.1", Upstream: "570.124.06", Branch: "570", Track: "server",
				Provides: []string{"nvidia-kernel-common-570-server-570.124.06", "nvidia-kernel-common"}},
			{Name: "nvidia-modprobe", Status: "??", Version: "570.124.06-1", Upstream: "570.124.06", Branch: "570"},
			{Name: "nvlsm", Status: "ii", Version: "2025.06.11-1", Upstream: "2025.06.11"},
		},
	}
	for i := range want.Packages {
		want.Packages[i].Architecture = "amd64"
	}
	if diff := cmp.Diff(want, collect(t, map[string]string{"var/lib/dpkg/status": text, "var/lib/dpkg/updates/tmp.i": ""})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := collect(t, map[string]string{"var/lib/dpkg/status": "", "var/lib/dpkg/updates/0007": ""}); !got.Interrupted {
		t.Error("an interrupted dpkg is not seen")
	}
	if got := collect(t, nil); !got.NoDpkg || got.Unknown != "" {
		t.Errorf("a node without dpkg: %+v", got)
	}
	if got := collect(t, map[string]string{"var/lib/dpkg/status/x": ""}); got.Unknown != "/var/lib/dpkg/status is not a regular file" {
		t.Errorf("%+v", got)
	}
}

func TestSources(t *testing.T) {
	got := collect(t, map[string]string{
		"var/lib/dpkg/status":                                "",
		"etc/apt/sources.list":                               "# deb http://old x main\ndeb http://archive.ubuntu.com/ubuntu noble main restricted # the archive\ndeb-src http://archive.ubuntu.com/ubuntu noble main\n",
		"etc/apt/sources.list.d/cuda-ubuntu2404-x86_64.list": "deb [arch=amd64 signed-by=/usr/share/keyrings/cuda-archive-keyring.gpg] https://user:secret@developer.download.nvidia.com/compute/cuda/repos/ubuntu2404/x86_64/ /\n",
		"etc/apt/sources.list.d/ubuntu.sources":              "# one\n\nTypes: deb deb-src\nURIs: http://a.example http://b.example\nSuites: noble\n noble-updates\nComponents: main\nSigned-By: /k.gpg\n\nTypes: deb\nEnabled: no\nURIs: http://c.example\nSuites: ./\nSigned-By:\n -----BEGIN\n",
		"etc/apt/sources.list.d/old.list.bak":                "deb http://nowhere x y\n",
	})
	field := func(line int, uri, suite string) facts.PackageSource {
		return facts.PackageSource{File: "/etc/apt/sources.list.d/ubuntu.sources", Line: line, URI: uri, Suite: suite, Components: []string{"main"}, SignedBy: "/k.gpg"}
	}
	want := []facts.PackageSource{
		{File: "/etc/apt/sources.list", Line: 2, URI: "http://archive.ubuntu.com/ubuntu", Suite: "noble", Components: []string{"main", "restricted"}},
		{File: "/etc/apt/sources.list.d/cuda-ubuntu2404-x86_64.list", Line: 1, URI: "https://developer.download.nvidia.com/compute/cuda/repos/ubuntu2404/x86_64/",
			Suite: "/", SignedBy: "/usr/share/keyrings/cuda-archive-keyring.gpg"},
		field(3, "http://a.example", "noble"), field(3, "http://a.example", "noble-updates"), field(3, "http://b.example", "noble"), field(3, "http://b.example", "noble-updates"),
		{File: "/etc/apt/sources.list.d/ubuntu.sources", Line: 10, URI: "http://c.example", Suite: "./", Disabled: true},
	}
	if diff := cmp.Diff(want, got.Sources); diff != "" || got.SourcesUnknown != "" {
		t.Errorf("%s (-want +got)\n%s", got.SourcesUnknown, diff)
	}
	got = collect(t, map[string]string{"var/lib/dpkg/status": "", "etc/apt/sources.list.d/x.list/y": "", "etc/apt/sources.list/x": ""})
	if got.SourcesUnknown != "/etc/apt/sources.list is not a regular file" {
		t.Errorf("%q", got.SourcesUnknown)
	}
}

func TestPins(t *testing.T) {
	got := collect(t, map[string]string{
		"var/lib/dpkg/status":                  stanza("libcuda1", "install ok installed", "570.124.06-1"),
		"etc/apt/preferences":                  "Package: *\nPin: release o=Ubuntu\nPin-Priority: 500\n",
		"etc/apt/preferences.d/cuda-pin-600":   "# pin\nPackage: nvidia-fabricmanager* libnvidia-*\nPin: version 570.124.06*\nPin-Priority: -1\n\nPackage: firefox\nPin: release o=x\nPin-Priority: 1001\n",
		"etc/apt/preferences.d/other.pref":     "Package: libcud?1\nPin: origin x\nPin-Priority: 7\n\nPackage: /^libcuda/\nPin: origin y\nPin-Priority: 8\n\nPackage: libcuda1\nPin: x\nPin-Priority: none\n",
		"etc/apt/preferences.d/other.disabled": "Package: *\nPin: x\nPin-Priority: 1\n",
	})
	want := []facts.Pin{
		{File: "/etc/apt/preferences", Line: 1, Packages: []string{"*"}, Pin: "release o=Ubuntu", Priority: 500},
		{File: "/etc/apt/preferences.d/cuda-pin-600", Line: 2, Packages: []string{"nvidia-fabricmanager*", "libnvidia-*"}, Pin: "version 570.124.06*", Priority: -1},
		{File: "/etc/apt/preferences.d/other.pref", Line: 1, Packages: []string{"libcud?1"}, Pin: "origin x", Priority: 7},
		{File: "/etc/apt/preferences.d/other.pref", Line: 5, Packages: []string{"/^libcuda/"}, Pin: "origin y", Priority: 8},
	}
	if diff := cmp.Diff(want, got.Pins); diff != "" || got.PinsUnknown != "" {
		t.Errorf("%s (-want +got)\n%s", got.PinsUnknown, diff)
	}
}

func TestUnattended(t *testing.T) {
	const dump = `cat <<'X'
APT "";
APT::Periodic "";
APT::Periodic::Unattended-Upgrade "1";
Unattended-Upgrade::Package-Blacklist "";
Unattended-Upgrade::Package-Blacklist:: "nvidia-";
Unattended-Upgrade::Package-Blacklist:: "libnvidia-";
Unattended-Upgrade::Automatic-Reboot "true";
X
`
	installed := stanza("unattended-upgrades", "install ok installed", "2.9.1")
	for _, c := range []struct {
		name  string
		files map[string]string
		want  facts.Unattended
	}{
		{"enabled", map[string]string{"var/lib/dpkg/status": installed, "usr/bin/apt-config": dump},
			facts.Unattended{Installed: true, Enabled: true, Blacklist: []string{"nvidia-", "libnvidia-"}, Reboots: true}},
		{"masked", map[string]string{"var/lib/dpkg/status": installed, "usr/bin/apt-config": dump, "etc/systemd/system/apt-daily-upgrade.timer": ""},
			facts.Unattended{Installed: true, Blacklist: []string{"nvidia-", "libnvidia-"}, Reboots: true}},
		{"switched off", map[string]string{"var/lib/dpkg/status": installed, "usr/bin/apt-config": `echo 'APT::Periodic::Unattended-Upgrade "0";'`},
			facts.Unattended{Installed: true}},
		{"removed", map[string]string{"var/lib/dpkg/status": stanza("unattended-upgrades", "deinstall ok config-files", "2.9.1")}, facts.Unattended{}},
		{"not told", map[string]string{"var/lib/dpkg/status": installed, "usr/bin/apt-config": "exit 100"},
			facts.Unattended{Installed: true, Unknown: "apt-config: exit status 100"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, collect(t, c.files).Unattended); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// The real apt, with a repository of two versions of one package: what it would install, and what a pin changes.
func TestRealApt(t *testing.T) {
	for _, p := range []string{"apt-cache", "apt-get"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("this machine has no %s", p)
		}
	}
	const name, pinned = "nvidia-fabricmanager-570", "Package: nvidia-fabricmanager*\nPin: version "
	for _, c := range []struct {
		name, preferences, candidate string
		pinned                       bool
		priorities                   []int
	}{
		{"no pin", "", "570.148.08-1", false, []int{500, 500}},
		{"a pin of -1", pinned + "*\nPin-Priority: -1\n", "", true, []int{-1, -1}},
		{"a pin of the installed one", pinned + "570.124.06*\nPin-Priority: 1001\n", "570.124.06-1", false, []int{500, 1001}},
	} {
		t.Run(c.name, func(t *testing.T) {
			tree := &gpunode.Tree{Root: t.TempDir()}
			entry := func(version string) string {
				return "Package: " + name + "\nVersion: " + version + "\nArchitecture: amd64\nFilename: ./x.deb\nSize: 1\nSHA256: " + strings.Repeat("0", 64) + "\nDescription: x\n\n"
			}
			tree.Write("repository/Packages", entry("570.124.06-1")+entry("570.148.08-1"))
			tree.Write("var/lib/dpkg/status", stanza(name, "install ok installed", "570.124.06-1", "Maintainer: x <x@example.com>\n"))
			tree.Write("etc/apt/sources.list", "deb [trusted=yes] file:"+tree.Root+"/repository ./\n")
			tree.Write("var/lib/apt/lists/partial/x", "")
			tree.Write("var/cache/apt/archives/partial/x", "")
			if c.preferences != "" {
				tree.Write("etc/apt/preferences.d/fm", c.preferences)
			}
			options := []string{"-o", "Dir=" + tree.Root, "-o", "Dir::State::status=" + tree.Root + "/var/lib/dpkg/status",
				"-o", "APT::Architecture=amd64", "-o", "Acquire::Languages=none", "-o", "APT::Sandbox::User=root"}
			tree.WriteMode("usr/bin/apt-cache", "#!/bin/sh\nexec /usr/bin/apt-cache '"+strings.Join(options, "' '")+"' \"$@\"\n", 0o755)
			if tree.Err != nil {
				t.Fatal(tree.Err)
			}
			if out, err := exec.Command("apt-get", append(options, "update")...).CombinedOutput(); err != nil {
				t.Fatalf("apt-get update: %v\n%s", err, out)
			}
			d, err := disk.Open(tree.Root)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			got := Collect(t.Context(), d)
			p := got.Package(name)
			if p == nil || got.CandidatesUnknown != "" {
				t.Fatalf("%+v", got)
			}
			var priorities []int
			for _, v := range p.Versions {
				priorities = append(priorities, v.Priority)
				if len(v.Sources) == 0 || v.Sources[0] != "file:"+tree.Root+"/repository ./ Packages" {
					t.Errorf("sources of %s: %q", v.Version, v.Sources)
				}
			}
			if p.Candidate != c.candidate || p.Pinned != c.pinned || cmp.Diff(c.priorities, priorities) != "" {
				t.Errorf("%+v", p)
			}
			if written, err := filepath.Glob(tree.Root + "/var/cache/apt/*.bin"); err != nil || len(written) > 0 {
				t.Errorf("apt wrote %v, %v", written, err)
			}
		})
	}
}

// What dpkg calls installed may still lack what it names: one package of a set was moved, or removed by force.
func TestUnmet(t *testing.T) {
	const old, other = "570.124.06-0ubuntu1", "570.133.20-0ubuntu1"
	driver := func(depends string) string {
		return stanza("nvidia-driver-570-server", "install ok installed", old, "Depends: "+depends+"\n")
	}
	compute := func(version string) string {
		return stanza("libnvidia-compute-570-server", "install ok installed", version)
	}
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		{"nothing", driver("libc6"), nil},
		{"all there", driver("libnvidia-compute-570-server (= "+old+"), libc6 (>= 2.34)") + compute(old), nil},
		{"one was moved", driver("libnvidia-compute-570-server (= "+old+")") + compute(other), []string{"libnvidia-compute-570-server (= " + old + ")"}},
		{"one was removed", driver("libc6, nvidia-utils-570-server (= " + old + ")"), []string{"nvidia-utils-570-server (= " + old + ")"}},
		{"one has left its configuration", driver("nvidia-utils-570-server") + stanza("nvidia-utils-570-server", "deinstall ok config-files", old),
			[]string{"nvidia-utils-570-server"}},
		{"needed before it is unpacked", stanza("nvidia-open", "install ok installed", old, "Pre-Depends: nvidia-modprobe\n"), []string{"nvidia-modprobe"}},
		{"another architecture's name", driver("libnvidia-compute-570-server:any (= "+old+")") + compute(old), nil},
		{"an alternative that is there", driver("nvidia-dkms-570-server (= "+old+") | libnvidia-compute-570-server") + compute(other), nil},
		{"an alternative of somebody else's", driver("nvidia-dkms-570-server | dkms"), nil},
		{"provided", driver("nvidia-kernel-common") + stanza("nvidia-kernel-common-570-server", "install ok installed", old, "Provides: nvidia-kernel-common (= 1), x\n"), nil},
		{"other relations of versions are not judged", driver("libnvidia-compute-570-server (<= 1), libnvidia-compute-570-server(>> 999)") + compute(old), nil},
		{"words that are no relation", driver("nvidia-utils-570-server (= , ()"), nil},
		{"a package that is not installed needs nothing", stanza("nvidia-driver-570", "deinstall ok config-files", old, "Depends: nvidia-x\n"), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, p := range parseStatus([]byte(test.text)).packages {
				got = append(got, p.Unmet...)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzParse: whatever dpkg's file, apt's answer or a file of fields holds, nothing panics.
func FuzzParse(f *testing.F) {
	f.Add([]byte(stanza("nvidia-driver-570", "install ok installed", "570.124.06-1") + "Package: nvidia-x\nStatus:\n"))
	f.Add([]byte("a:\n  Candidate: (none)\n  Version table:\n *** 1 -1\n        500 x\n"))
	f.Add([]byte("Types: deb\n x\nURIs: %zz@x\nSuites: .\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, p := range parseStatus(text).packages {
			if len(p.Status) < 2 {
				t.Errorf("%+v", p)
			}
		}
		parsePolicy(text)
		sourcesOfLines("x", text)
		sourcesOfFields("x", text)
	})
}
