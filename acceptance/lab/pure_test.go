package lab

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write golden files anew")

// golden compares text with a file below testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got), write it anew with -update:\n%s", path, diff)
	}
}

func TestFindCache(t *testing.T) {
	for _, test := range []struct {
		name string
		env  map[string]string
		want cache
		fail string
	}{
		{"own variable first", map[string]string{"UPKEEP_LAB_CACHE": "/lab/", "XDG_CACHE_HOME": "/xdg", "HOME": "/home/a"}, "/lab", ""},
		{"then XDG", map[string]string{"XDG_CACHE_HOME": "/xdg", "HOME": "/home/a"}, "/xdg/upkeep-lab", ""},
		{"then home", map[string]string{"HOME": "/home/a"}, "/home/a/.cache/upkeep-lab", ""},
		{"nothing", nil, "", "set UPKEEP_LAB_CACHE"},
		{"relative", map[string]string{"UPKEEP_LAB_CACHE": "lab"}, "", "not absolute"},
		{"colon", map[string]string{"UPKEEP_LAB_CACHE": "/a:b"}, "", "colon"},
		{"blank", map[string]string{"HOME": "/home/a b"}, "", "blank"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := findCache(func(name string) string { return test.env[name] })
			if !fails(err, test.fail) || got != test.want {
				t.Errorf("got %q, %v; want %q, error with %q", got, err, test.want, test.fail)
			}
		})
	}
}

// fails says whether err is what the test wants: nil for "", else an error that holds the text.
func fails(err error, want string) bool {
	if want == "" {
		return err == nil
	}
	return err != nil && strings.Contains(err.Error(), want)
}

func TestParseRelease(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       machine
		fail       string
	}{
		{"debian", "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\n", machine{"debian", "bookworm"}, ""},
		{"ubuntu, quoted", "ID=\"ubuntu\"\nID_LIKE=debian\nVERSION_CODENAME='noble'\n", machine{"ubuntu", "noble"}, ""},
		{"another", "ID=fedora\nVERSION_ID=42\n", machine{}, `this is "fedora" "42"`},
		{"no code name", "ID=debian\n", machine{}, "Debian 12"},
		{"empty", "", machine{}, "Debian 12"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := parseRelease(test.text)
			if !fails(err, test.fail) || got != test.want {
				t.Errorf("got %v, %v; want %v, error with %q", got, err, test.want, test.fail)
			}
		})
	}
}

func TestHasCapability(t *testing.T) {
	for _, test := range []struct {
		name, status string
		want         bool
		fail         string
	}{
		{"all", "CapPrm:\t0\nCapEff:\t000001ffffffffff\n", true, ""},
		{"a container's usual set", "CapEff:\t00000000a80425fb\n", false, ""},
		{"only this one", "CapEff:\t0000000000200000\n", true, ""},
		{"no line", "Name:\tx\n", false, "no CapEff"},
		{"no number", "CapEff:\txyz\n", false, "invalid syntax"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := hasCapability(test.status, capSysAdmin)
			if !fails(err, test.fail) || got != test.want {
				t.Errorf("got %v, %v; want %v, error with %q", got, err, test.want, test.fail)
			}
		})
	}
}

func TestParseHierarchies(t *testing.T) {
	const v1 = `30 23 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
31 23 0:27 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset
32 23 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
33 23 0:29 / /sys/fs/cgroup/systemd rw - cgroup systemd rw,name=systemd
34 23 0:30 / / rw - ext4 /dev/vda rw
`
	for _, test := range []struct {
		name, cgroup, mounts string
		want                 []string // parents
		fail                 string
	}{
		{
			"hybrid", "4:cpuset:/\n3:cpu,cpuacct:/mine\n2:pids:/x\n1:name=systemd:/user.slice\n0::/a/b\n", v1,
			[]string{
				"/sys/fs/cgroup/cpuset/upkeep-lab",
				"/sys/fs/cgroup/cpu,cpuacct/mine/upkeep-lab",
				"/sys/fs/cgroup/systemd/user.slice/upkeep-lab",
				"/sys/fs/cgroup/unified/a/b/upkeep-lab",
			}, "",
		},
		{"v2: at the root", "0::/user.slice/session-1.scope\n", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", []string{"/sys/fs/cgroup/upkeep-lab"}, ""},
		{"none mounted", "0::/\n", "", nil, "no cgroup file system"},
		{"no such line", "nonsense\n", v1, nil, "unexpected line"},
	} {
		t.Run(test.name, func(t *testing.T) {
			all, err := parseHierarchies(test.cgroup, test.mounts)
			var got []string
			for _, h := range all {
				got = append(got, h.parent())
			}
			if diff := cmp.Diff(test.want, got); diff != "" || !fails(err, test.fail) {
				t.Errorf("error %v, want %q; parents (-want +got):\n%s", err, test.fail, diff)
			}
		})
	}
}

func TestParseMounts(t *testing.T) {
	const text = `34 23 0:30 / / rw - ext4 /dev/vda rw
40 34 0:50 / /lab/n1/root rw,relatime - overlay upkeep-lab rw,lowerdir=/x
41 34 0:51 / /var/lib/docker/x/merged rw,relatime - overlay overlay rw,lowerdir=/x
42 34 0:52 / /lab/n2/root rw,relatime shared:7 - overlay upkeep-lab rw,lowerdir=/x
`
	if diff := cmp.Diff([]string{"/lab/n2/root", "/lab/n1/root"}, parseMounts(text)); diff != "" {
		t.Errorf("mounts, the latest first (-want +got):\n%s", diff)
	}
}

// Interface names end at 15 characters, and the kernel says so only when the lab comes up.
func TestInterfaceNames(t *testing.T) {
	for _, name := range append([]string{bridge}, veth(bastion), veth(controlPlanes[0])) {
		if len(name) > 15 {
			t.Errorf("interface name %q has %d characters", name, len(name))
		}
	}
}

func TestFind(t *testing.T) {
	if n, err := find("n2"); err != nil || n != controlPlanes[1] {
		t.Errorf("find n2: %v, %v", n, err)
	}
	if _, err := find("n4"); !fails(err, "its hosts are bastion, n1, n2, n3") {
		t.Errorf("find n4: %v", err)
	}
}

// The version is written twice, here and in the module that is built; both must be raised together.
func TestKubernetesVersionIsThePinnedOne(t *testing.T) {
	text, err := os.ReadFile("kubernetes/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if want := "k8s.io/kubernetes " + KubernetesVersion; !strings.Contains(string(text), want) {
		t.Errorf("kubernetes/go.mod does not hold %q", want)
	}
}

func TestLinkerFlags(t *testing.T) {
	var b strings.Builder
	for _, build := range builds() {
		b.WriteString(build.dir + ": " + strings.Join(build.packages, " ") + "\n")
		b.WriteString("  " + strings.ReplaceAll(build.ldflags, " -X ", "\n  -X ") + "\n")
	}
	golden(t, "builds.golden", b.String())
}

// A finished lab may be in use: what makes Up replace it must be only what the caller can see and asked for.
func TestDiffers(t *testing.T) {
	have := made{Validity: "720h0m0s", Programs: "a", Base: "b"}
	for _, test := range []struct {
		name string
		want made
		says string
	}{
		{"the same", have, ""},
		{"another base is no reason", made{"720h0m0s", "a", "c"}, ""},
		{"validity", made{"1h0m0s", "a", "b"}, "validity (it has 720h0m0s, asked for is 1h0m0s)"},
		{"programs", made{"720h0m0s", "x", "b"}, "programs"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.want.differs(have); (test.says == "") != (got == "") || !strings.HasPrefix(got, test.says) {
				t.Errorf("got %q, want %q", got, test.says)
			}
		})
	}
}

// A change to a test changes no program, so it must not ask for another lab.
func TestStampLeavesTestsOut(t *testing.T) {
	source := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := writeFiles(source, []file{{"/lab/pause/" + name, 0o644, text}}); err != nil {
			t.Fatal(err)
		}
	}
	stamp := func() string {
		t.Helper()
		s, err := build{dir: ".", packages: []string{"./lab/pause"}}.stamp(source)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	write("main.go", "package main")
	first := stamp()
	write("main_test.go", "package main")
	if stamp() != first {
		t.Error("a test file changed the stamp")
	}
	write("main.go", "package main // changed")
	if stamp() == first {
		t.Error("a changed program kept its stamp")
	}
}
