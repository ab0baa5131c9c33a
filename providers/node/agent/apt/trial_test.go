package apt

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/facts"
)

// answer is what apt 2.6 says of a change of branch, with one package that only gets newer.
const answer = `Reading package lists...
Building dependency tree...
The following packages will be REMOVED:
  nvidia-driver-570-server
0 upgraded, 4 newly installed, 4 to remove and 0 not upgraded.
Remv nvidia-driver-570-server [570.124.06-0ubuntu1]
Purg nvidia-utils-570-server [570.124.06-0ubuntu1] [nvidia-driver-570-server:amd64 ]
Inst libnvidia-compute-580-server (580.95.05-0ubuntu1 Ubuntu:24.04/noble-updates [amd64])
Inst dkms [3.0.10-1] (3.0.11-1 Ubuntu:24.04/noble [all]) []
Conf libnvidia-compute-580-server (580.95.05-0ubuntu1 Ubuntu:24.04/noble-updates [amd64])
`

func TestParseTrial(t *testing.T) {
	installs, removes, err := parseTrial([]byte(answer))
	if err != nil {
		t.Fatal(err)
	}
	want := []facts.PackageChange{
		{Name: "libnvidia-compute-580-server", To: "580.95.05-0ubuntu1"}, {Name: "dkms", From: "3.0.10-1", To: "3.0.11-1"},
	}
	if diff := cmp.Diff(want, installs); diff != "" {
		t.Errorf("installs (-want +got):\n%s", diff)
	}
	gone := []facts.PackageAt{
		{Name: "nvidia-driver-570-server", Version: "570.124.06-0ubuntu1"}, {Name: "nvidia-utils-570-server",
			Version: "570.124.06-0ubuntu1"},
	}
	if diff := cmp.Diff(gone, removes); diff != "" {
		t.Errorf("removes (-want +got):\n%s", diff)
	}
	for _, line := range []string{"Remv", "Remv linux-base", "Inst a", "Inst a b", "Purg x ()", "Inst a [1 2] (3 x)"} {
		if _, _, err := parseTrial([]byte(line + "\n")); err == nil {
			t.Errorf("%q is read", line)
		}
	}
}

func TestParseArchives(t *testing.T) {
	const text = `'http://archive.ubuntu.com/ubuntu/pool/a_1_amd64.deb' a_1_amd64.deb 1000 SHA256:00
'file:/srv/repo/./b_1_amd64.deb' b_1_amd64.deb 500 MD5Sum:00
'https://developer.download.nvidia.com/c_1_amd64.deb' c_1_amd64.deb 24 
`
	missing, size, err := parseArchives([]byte(text))
	if missing != 2 || size != 1024 || err != nil {
		t.Errorf("%d archives of %d bytes, %v", missing, size, err)
	}
	if missing, _, err := parseArchives(nil); missing != 0 || err != nil {
		t.Errorf("nothing is %d, %v", missing, err)
	}
	for _, line := range []string{"'http://x' name", "'http://x", "'http://x' name 99999999999999999999 X"} {
		if _, _, err := parseArchives([]byte(line)); err == nil {
			t.Errorf("%q is read", line)
		}
	}
}

func TestOfBranch(t *testing.T) {
	names := strings.Join([]string{
		"nvidia-driver-580-server", "nvidia-driver-570-server", "nvidia-fabricmanager", "bash", "nvidia-container-toolkit",
		"linux-modules-nvidia-580-6.8.0-71-generic", "linux-modules-nvidia-580-6.8.0-31-generic",
		"linux-modules-nvidia-580-generic", "",
	}, "\n")
	want := []string{
		"linux-modules-nvidia-580-6.8.0-71-generic", "linux-modules-nvidia-580-generic", "nvidia-driver-580-server",
		"nvidia-fabricmanager",
	}
	if diff := cmp.Diff(want, ofBranch([]byte(names), "580", []string{"6.8.0-60-generic",
		"6.8.0-71-generic"})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// FuzzParseTrial: whatever apt says, nothing panics, no removal is lost, and what is read has a name and a version.
func FuzzParseTrial(f *testing.F) {
	f.Add(answer)
	f.Add("Remv a [1]\nInst b (2 c)")
	f.Add("E: Unable to locate package nvidia-nope")
	f.Fuzz(func(t *testing.T, text string) {
		installs, removes, err := parseTrial([]byte(text))
		if err != nil {
			return
		}
		lines := 0
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "Remv ") || strings.HasPrefix(line, "Purg ") || strings.HasPrefix(line, "Inst ") {
				lines++
			}
		}
		if len(installs)+len(removes) != lines {
			t.Errorf("%d of %d lines are read", len(installs)+len(removes), lines)
		}
		for _, p := range removes {
			if p.Name == "" || p.Version == "" {
				t.Errorf("%+v", p)
			}
		}
		for _, p := range installs {
			if p.Name == "" || p.To == "" {
				t.Errorf("%+v", p)
			}
		}
	})
}
