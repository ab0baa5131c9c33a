package driver

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/facts"
)

const (
	kernel  = "6.8.0-71-generic"
	archive = "http://archive.ubuntu.com/ubuntu noble-updates/restricted amd64 Packages"
	own     = "https://developer.download.nvidia.com/compute/cuda/repos/ubuntu2404/x86_64  Packages"
	local   = "/var/lib/dpkg/status"
)

// offer is a package that a repository has in some versions, the newest first.
func offer(name, source string, versions ...string) facts.Offer {
	o := facts.Offer{Name: name, Candidate: versions[0]}
	for _, v := range versions {
		o.Versions = append(o.Versions, facts.PackageVersion{Version: v, Priority: 500, Sources: []string{source}})
	}
	return o
}

// has is an installed package, and where its version is from.
func has(name, version, source string) facts.Package {
	return facts.Package{
		Name: name, Architecture: "amd64", Status: "ii", Version: version, Upstream: upstreamOf(version),
		Versions: []facts.PackageVersion{{Version: version, Sources: []string{source}}},
	}
}

// node is one with a GPU, 570.124.06 of a repository and what a branch offers.
func node(packages []facts.Package, offers []facts.Offer, change ...func(*facts.Node)) facts.Node {
	const old = "570.124.06"
	n := facts.Node{
		Name: "gpu1", System: facts.System{Kernel: kernel, Architecture: "amd64", BootID: "b1", MachineID: "m1"},
		Boot:  facts.Boot{Next: kernel, SecureBoot: facts.SecureBootDisabled},
		Floor: facts.Floor{Filesystems: []facts.Filesystem{{Directories: []string{"/", "/var"}, Free: 60 << 30}}},
		NVIDIA: facts.NVIDIA{
			Devices:   facts.NVIDIADevices{GPUs: []facts.PCIDevice{{Address: "0000:01:00.0", Model: "h100"}}},
			Fabric:    facts.Fabric{Manager: facts.NotNeeded},
			Module:    facts.LoadedModule{Loaded: true, Version: old, Open: true},
			OnDisk:    []facts.ModuleFile{{Kernel: kernel, Version: old, Signed: true}},
			Libraries: facts.DriverLibraries{Files: []facts.DriverLibrary{{Name: "libcuda.so", Version: old, Used: true}}},
			NVML:      facts.NVML{Driver: old, GPUs: []facts.GPU{{}}}, CUDA: facts.CUDA{Devices: 1},
			Packages: facts.DriverPackages{Packages: packages},
		},
		Apt: facts.Apt{Branch: "580", Headers: []string{kernel}},
	}
	for _, o := range offers {
		n.Apt.Offers = append(n.Apt.Offers, o)
	}
	for _, c := range change {
		c(&n)
	}
	return n
}

const (
	was = "570.124.06-0ubuntu1"
	is  = "580.126.20-0ubuntu1"
	// wasOwn and isOwn are how NVIDIA's repository calls its versions.
	wasOwn = "570.124.06-1ubuntu1"
	isOwn  = "580.126.20-1ubuntu1"
)

func serverHas() []facts.Package {
	return []facts.Package{
		has("libnvidia-compute-570-server", was, archive), has("linux-modules-nvidia-570-server-open-"+kernel,
			"6.8.0-71.71", archive),
		has("nvidia-driver-570-server-open", was, archive), has("nvidia-fabricmanager-570", was, archive),
	}
}

func serverOffers() []facts.Offer {
	const older = "580.95.05-0ubuntu1"
	return []facts.Offer{
		offer("libnvidia-compute-580", archive, is), offer("libnvidia-compute-580-server", archive, is, older),
		offer("libnvidia-gl-580-server", archive, is, older), offer("linux-modules-nvidia-580-server-open-"+kernel, archive,
			"6.8.0-71.71+1"),
		offer("nvidia-dkms-580-server-open", archive, is, older), offer("nvidia-driver-580", archive, is),
		offer("nvidia-driver-580-server", archive, is), offer("nvidia-driver-580-server-open", archive, is, older),
		offer("nvidia-fabricmanager-580", archive, is, older),
	}
}

func fabric(n *facts.Node) {
	n.NVIDIA.Fabric.Manager = facts.Needed
	n.NVIDIA.FabricManager = facts.DriverService{Version: "570.124.06", Unit: facts.Unit{Load: "loaded",
		Active: "active", Sub: "running", Enabled: "enabled"}}
}

func spec(change ...func(*Spec)) Spec {
	s := Spec{Name: "workers", Version: "580.126.20", KernelModule: Auto, Track: Auto, Held: Refuse}
	for _, c := range change {
		c(&s)
	}
	return s
}

func TestResolve(t *testing.T) {
	dkms := []facts.Package{
		has("libnvidia-compute-570", wasOwn, own), has("nvidia-dkms-570-open", wasOwn, own), has("nvidia-fabricmanager",
			wasOwn, own),
		has("nvidia-open-570", wasOwn, own), has("nvidia-driver-570-open", wasOwn, own),
	}
	ownOffers := []facts.Offer{
		offer("libnvidia-compute-580", own, isOwn), offer("nvidia-dkms-580-open", own, isOwn),
		offer("nvidia-driver-580-open", own, isOwn),
		offer("nvidia-fabricmanager", own, "590.48.01-1", isOwn), offer("nvidia-open-580", own, isOwn),
	}
	for _, test := range []struct {
		name    string
		spec    Spec
		node    facts.Node
		install []string
		remove  []string
		says    string
	}{
		{
			name: "Ubuntu's server track, another branch, with what the new one has more", spec: spec(),
			node: node(serverHas(), serverOffers(), fabric),
			install: []string{
				"libnvidia-compute-580-server=" + is, "libnvidia-gl-580-server=" + is, "linux-modules-nvidia-580-server-open-" +
					kernel + "=6.8.0-71.71+1",
				"nvidia-driver-580-server-open=" + is, "nvidia-fabricmanager-580=" + is,
			},
			remove: []string{
				"libnvidia-compute-570-server", "linux-modules-nvidia-570-server-open-" + kernel, "nvidia-driver-570-server-open",
				"nvidia-fabricmanager-570",
			},
		},
		{
			name: "the proprietary module", spec: spec(func(s *Spec) { s.KernelModule = Proprietary }),
			node: node([]facts.Package{has("nvidia-dkms-570-server", was, archive), has("nvidia-driver-570-server", was,
				archive)},
				append(serverOffers()[:4:4], offer("nvidia-dkms-580-server", archive, is), offer("nvidia-driver-580-server",
					archive, is))),
			install: []string{
				"libnvidia-compute-580-server=" + is, "libnvidia-gl-580-server=" + is, "nvidia-dkms-580-server=" + is,
				"nvidia-driver-580-server=" + is,
			},
			remove: []string{"nvidia-dkms-570-server", "nvidia-driver-570-server"},
		},
		{
			name: "NVIDIA's repository: the fabric manager has no branch in its name, and is not the newest", spec: spec(),
			node: node(dkms, ownOffers, fabric),
			install: []string{
				"libnvidia-compute-580=" + isOwn, "nvidia-dkms-580-open=" + isOwn, "nvidia-driver-580-open=" + isOwn,
				"nvidia-fabricmanager=" + isOwn,
				"nvidia-open-580=" + isOwn,
			},
			remove: []string{"libnvidia-compute-570", "nvidia-dkms-570-open", "nvidia-driver-570-open", "nvidia-open-570"},
		},
		{
			name: "NVIDIA's repository from 590 on: no name has a branch", spec: spec(func(s *Spec) { s.Version = "595.58.03" }),
			node: node(dkms[:2:2], []facts.Offer{
				offer("libnvidia-compute", own, "610.1.01-1", "595.58.03-1"), offer("nvidia-dkms-open", own, "610.1.01-1",
					"595.58.03-1"),
				offer("nvidia-driver-open", own, "610.1.01-1", "595.58.03-1"),
			}, func(n *facts.Node) { n.Apt.Branch = "595" }),
			install: []string{"libnvidia-compute=595.58.03-1", "nvidia-dkms-open=595.58.03-1", "nvidia-driver-open=595.58.03-1"},
			remove:  []string{"libnvidia-compute-570", "nvidia-dkms-570-open"},
		},
		{
			name: "from the desktop track to the server track, since a fabric manager is needed", spec: spec(),
			node: node([]facts.Package{has("nvidia-driver-570-open", was, archive)}, serverOffers(), fabric),
			install: []string{"libnvidia-compute-580-server=" + is, "libnvidia-gl-580-server=" + is,
				"linux-modules-nvidia-580-server-open-" + kernel + "=6.8.0-71.71+1", "nvidia-driver-580-server-open=" + is,
				"nvidia-fabricmanager-580=" + is},
			remove: []string{"nvidia-driver-570-open"},
		},
		{
			name: "only what is missing", spec: spec(), node: node([]facts.Package{
				has("libnvidia-compute-580-server", is, local), has("libnvidia-gl-580-server", is, archive),
				has("nvidia-dkms-580-server-open", is, archive),
				has("nvidia-driver-580-server-open", "580.95.05-0ubuntu1", archive), has("nvidia-container-toolkit", "1.17.4-1",
					own),
			}, serverOffers()),
			install: []string{"nvidia-driver-580-server-open=" + is},
		},
		{
			name: "a version that is not offered", spec: spec(func(s *Spec) { s.Version = "580.82.07" }),
			node: node(serverHas(), serverOffers()),
			says: "apt offers libnvidia-compute-580-server in 580.126.20, 580.95.05, and not in 580.82.07",
		},
		{
			name: "a package that nobody has", spec: spec(), node: node(serverHas(), serverOffers()[:8:8], fabric),
			says: "apt offers no nvidia-fabricmanager-580 or nvidia-fabricmanager",
		},
		{
			name: "two repositories with one version", spec: spec(), node: node(serverHas(), serverOffers(),
				func(n *facts.Node) {
					v := &n.Apt.Offers[1].Versions[0]
					v.Sources = append(v.Sources, own)
				}),
			says: "is in two repositories: http://archive.ubuntu.com/ubuntu noble-updates/restricted amd64 Packages, " +
				"https://developer",
		},
		{
			name: "a negative pin", spec: spec(), node: node(serverHas(), serverOffers(), func(n *facts.Node) {
				o := &n.Apt.Offers[7]
				o.Candidate, o.Versions = "", []facts.PackageVersion{{Version: is, Priority: -1, Sources: []string{archive}}}
				n.NVIDIA.Packages.Pins = []facts.Pin{{File: "/etc/apt/preferences.d/no", Line: 3,
					Packages: []string{"nvidia-driver-*"}, Priority: -1}}
			}),
			says: "a pin of negative priority forbids every version of nvidia-driver-580-server-open " +
				"(/etc/apt/preferences.d/no:3)",
		},
		{
			name: "held back", spec: spec(), node: node(serverHas(), serverOffers(),
				func(n *facts.Node) { n.NVIDIA.Packages.Packages[2].Held = true }),
			says: "apt holds packages back that must change: nvidia-driver-570-server-open",
		},
		{
			name: "half-configured", spec: spec(),
			says: "packages are neither installed nor removed: nvidia-driver-570-server-open",
			node: node(serverHas(), serverOffers(), func(n *facts.Node) { n.NVIDIA.Packages.Packages[2].Status = "iF" }),
		},
		{
			name: "dpkg was interrupted", spec: spec(), says: "dpkg was interrupted",
			node: node(serverHas(), serverOffers(), func(n *facts.Node) { n.NVIDIA.Packages.Interrupted = true }),
		},
		{
			name: "another architecture", spec: spec(),
			says: "packages of another architecture are installed: nvidia-driver-570-server-open:i386",
			node: node(serverHas(), serverOffers(), func(n *facts.Node) { n.NVIDIA.Packages.Packages[2].Architecture = "i386" }),
		},
		{
			name: "no dpkg", spec: spec(), says: "the node has no dpkg",
			node: node(nil, nil, func(n *facts.Node) { n.NVIDIA.Packages = facts.DriverPackages{NoDpkg: true} }),
		},
		{
			name: "apt does not answer", spec: spec(), says: "what apt offers: no answer",
			node: node(serverHas(), nil, func(n *facts.Node) { n.Apt = facts.Apt{Unknown: "no answer"} }),
		},
		{
			name: "what boots next is unknown", spec: spec(), says: "which kernel boots next: no GRUB",
			node: node(serverHas(), serverOffers(), func(n *facts.Node) { n.Boot.Next, n.Boot.NextUnknown = "", "no GRUB" }),
		},
		{
			name: "DKMS without headers", spec: spec(), says: "the headers of kernel " + kernel + " are missing",
			node: node(dkms, ownOffers, func(n *facts.Node) { n.Apt.Headers = nil }),
		},
		{
			name: "DKMS that signs nothing under Secure Boot", spec: spec(),
			says: "Secure Boot is enabled, and DKMS signs no module",
			node: node(dkms, ownOffers, func(n *facts.Node) {
				n.Boot.SecureBoot, n.NVIDIA.OnDisk[0].Signed = facts.SecureBootEnabled, false
			}),
		},
		{
			name: "DKMS where Secure Boot is unknown", spec: spec(), says: "whether Secure Boot is enabled: permission denied",
			node: node(dkms, ownOffers, func(n *facts.Node) {
				n.Boot.SecureBoot, n.Boot.SecureBootUnknown = "",
					"permission denied"
			}),
		},
		{
			name: "a GPU that needs the open module", spec: spec(func(s *Spec) { s.KernelModule = Proprietary }),
			says: "b200 works with the open kernel module alone",
			node: node(serverHas(), serverOffers(), func(n *facts.Node) { n.NVIDIA.Devices.GPUs[0].Model = "b200" }),
		},
		{
			name: "a GPU that the branch no longer supports", spec: spec(func(s *Spec) { s.Version = "590.48.01" }),
			says: "branch 580 is the last one that supports v100",
			node: node(serverHas(), serverOffers(), func(n *facts.Node) {
				n.NVIDIA.Devices.GPUs[0].Model,
					n.Apt.Branch = "v100", "590"
			}),
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := resolve(test.spec, test.spec.Version, test.node)
			text := ""
			for _, p := range got.problems {
				text += p.text + "\n"
			}
			if test.says != "" {
				if !strings.Contains(text, test.says) {
					t.Errorf("%q does not say %q", text, test.says)
				}
				return
			}
			if text != "" {
				t.Fatal(text)
			}
			var install []string
			for _, p := range got.change.Install {
				install = append(install, p.Name+"="+p.Version)
			}
			if diff := cmp.Diff(test.install, install); diff != "" {
				t.Errorf("install (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.remove, got.change.Remove); diff != "" {
				t.Errorf("remove (-want +got):\n%s", diff)
			}
		})
	}
}

// What was held back is held back again, under its new name.
func TestHold(t *testing.T) {
	n := node(serverHas(), serverOffers(), fabric, func(n *facts.Node) {
		n.NVIDIA.Packages.Packages[0].Held, n.NVIDIA.Packages.Packages[3].Held = true, true
	})
	got := resolve(spec(func(s *Spec) { s.Held = Change }), "580.126.20", n)
	if diff := cmp.Diff([]string{"libnvidia-compute-580-server", "nvidia-fabricmanager-580"}, got.hold); diff != "" ||
		!got.change.Held {
		t.Errorf("%+v (-want +got):\n%s", got.change, diff)
	}
}

func TestCompareVersions(t *testing.T) {
	for _, pair := range [][2]string{
		{"570.124.06", "580.95.05"}, {"580.95.05", "580.126.20"}, {"580.126.09", "580.126.20"}, {"580.126", "580.126.20"},
	} {
		if compareVersions(pair[0], pair[1]) >= 0 || compareVersions(pair[1], pair[0]) <= 0 {
			t.Errorf("%s is not older than %s", pair[0], pair[1])
		}
	}
	if compareVersions("570.124.06", "570.124.6") == 0 {
		t.Error("570.124.06 is 570.124.6")
	}
}
