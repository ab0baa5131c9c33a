package dpkg

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/facts"
)

// TestSoftware: what a node runs by and what is held is named; of all the others, the digest tells a change.
func TestSoftware(t *testing.T) {
	installed := "install ok installed"
	status := func(more string) []byte {
		return []byte(stanza("adduser", installed, "3.137") +
			stanza("kubelet", "hold ok installed", "1.35.4-1.1") +
			stanza("containerd.io", installed, "2.0.2-1") +
			stanza("linux-image-6.8.0-45-generic", installed, "6.8.0-45.45") +
			stanza("nvidia-driver-570-server", "install ok half-configured", "570.124.06-0ubuntu0.24.04.1") +
			stanza("ceph-common", "hold ok installed", "19.2.0-1") +
			stanza("runc", "deinstall ok config-files", "1.1.12-0ubuntu3") +
			stanza("libnvidia-prime", "unknown ok not-installed", "") +
			stanza("Forged\x1b[2J", installed, "1") + more)
	}
	got := parseSoftware(status(""))
	pkg := func(name, status, version string, held bool) facts.Package {
		return facts.Package{Name: name, Architecture: "amd64", Status: status, Version: version, Held: held}
	}
	want := facts.Software{Total: 6, Digest: got.Digest, Packages: []facts.Package{
		pkg("ceph-common", "hi", "19.2.0-1", true),
		pkg("containerd.io", "ii", "2.0.2-1", false),
		pkg("kubelet", "hi", "1.35.4-1.1", true),
		pkg("linux-image-6.8.0-45-generic", "ii", "6.8.0-45.45", false),
		pkg("nvidia-driver-570-server", "iF", "570.124.06-0ubuntu0.24.04.1", false),
	}}
	if diff := cmp.Diff(want, got); diff != "" || len(got.Digest) != 8 {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if other := parseSoftware(status(stanza("nano", installed, "7.2"))); other.Digest == got.Digest || other.Total != 7 ||
		!cmp.Equal(other.Packages, got.Packages) {
		t.Errorf("another package: %+v", other)
	}
	if empty := parseSoftware(nil); !empty.Asked() || empty.Total != 0 {
		t.Errorf("an empty status: %+v", empty)
	}
}

// FuzzSoftware: whatever the file says, what is named is bounded, is counted, and can be shown.
func FuzzSoftware(f *testing.F) {
	f.Add([]byte(stanza("kubelet", "hold ok installed", "1.35.4-1.1") + stanza("nano", "install ok installed", "7.2")))
	f.Add([]byte("Package: runc\nStatus: install ok unpacked\n\n\nPackage: kubelet\nVersion:\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		got := parseSoftware(text)
		if len(got.Packages) > mostNamed || len(got.Packages) > got.Total || len(got.Digest) != 8 {
			t.Errorf("%d packages of %d, digest %q", len(got.Packages), got.Total, got.Digest)
		}
		for _, p := range got.Packages {
			if !packageName.MatchString(p.Name) {
				t.Errorf("a package called %q", p.Name)
			}
		}
	})
}
