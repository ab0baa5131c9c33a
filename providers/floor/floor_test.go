package floor_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/floor"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const gib = 1 << 30

// well is a node on which everything is as it should be.
func well() floor.Input {
	follows := true
	in := providers.Input{Now: noon}
	return floor.Input{
		Address: providers.Address{Type: "node", Name: "gpu"}.On("gpu1"), Clock: in.Clock(),
		Node: facts.Node{
			Name: "gpu1", System: facts.System{Kernel: "6.8.0-60"}, Boot: facts.Boot{Next: "6.8.0-60"},
			Skew: &facts.Skew{Least: -time.Second, Most: time.Second},
			Floor: facts.Floor{
				Filesystems: []facts.Filesystem{{
					Directories: []string{"/", "/var",
						"/var/lib/containerd"}, Size: 100 * gib, Free: 50 * gib, Inodes: 1000, InodesFree: 900,
				}},
				Sysctls: map[string]string{
					"fs.inotify.max_user_instances": "512", "fs.inotify.max_user_watches": "1048576",
					"vm.max_map_count": "1000000",
				},
				Synchronised: &follows,
			},
		},
	}
}

type told struct {
	ID       string
	Severity providers.Severity
	Says     string
}

func TestReview(t *testing.T) {
	disk := func(in *floor.Input) *facts.Filesystem { return &in.Node.Floor.Filesystems[0] }
	for _, test := range []struct {
		name   string
		change func(*floor.Input)
		want   []told
	}{
		{"all is well", func(*floor.Input) {}, nil},
		{"nobody asked", func(in *floor.Input) { in.Node.Floor = facts.Floor{} }, nil},
		{
			"below the threshold of images", func(in *floor.Input) { disk(in).Free = 14 * gib },
			[]told{{"NODE_DISK_LOW", providers.SeverityError,
				"14.0 GiB of 100.0 GiB free. The kubelet evicts pods below 15.0 GiB (15%)"}},
		},
		{
			"the kubelet's own threshold", func(in *floor.Input) {
				disk(in).Free = 14 * gib
				in.Node.Floor.Eviction = facts.Eviction{From: "/var/lib/kubelet/config.yaml", Node: "1Gi", Image: "5Gi"}
			}, nil,
		},
		{
			"near the threshold", func(in *floor.Input) { disk(in).Free = 18 * gib },
			[]told{{"NODE_DISK_LOW", providers.SeverityWarning, "18.0 GiB"}},
		},
		{
			"inodes", func(in *floor.Input) { disk(in).InodesFree = 40 },
			[]told{{"NODE_DISK_LOW", providers.SeverityError, "40 inodes of 1000 inodes free"}},
		},
		{
			"it fills in ten days", func(in *floor.Input) {
				in.Earlier.Space = map[string]facts.SpaceSeen{"gpu1 /": {Free: 57 * gib, At: noon.Add(-48 * time.Hour)}}
			},
			[]told{{"NODE_DISK_LOW", providers.SeverityWarning, "At the present growth the kubelet evicts pods in 10 days"}},
		},
		{
			"it fills slowly", func(in *floor.Input) {
				in.Earlier.Space = map[string]facts.SpaceSeen{"gpu1 /": {Free: 51 * gib, At: noon.Add(-48 * time.Hour)}}
			}, nil,
		},
		{
			"two looks within the hour tell nothing", func(in *floor.Input) {
				in.Earlier.Space = map[string]facts.SpaceSeen{"gpu1 /": {Free: 57 * gib, At: noon.Add(-time.Minute)}}
			}, nil,
		},
		{
			"an unreadable threshold", func(in *floor.Input) { in.Node.Floor.Eviction.Node = "a lot" },
			[]told{{"NODE_FLOOR_UNKNOWN", providers.SeverityError, `the threshold "a lot"`}},
		},
		{
			"read-only", func(in *floor.Input) { disk(in).ReadOnly = true },
			[]told{{"NODE_READ_ONLY", providers.SeverityError, "read-only"}},
		},
		{
			"a file system that hangs", func(in *floor.Input) { disk(in).Unknown = "no answer" },
			[]told{{"NODE_FLOOR_UNKNOWN", providers.SeverityError, "no answer"}},
		},
		{
			"a clock 31 seconds ahead", func(in *floor.Input) {
				in.Node.Skew = &facts.Skew{Least: 31 * time.Second,
					Most: 33 * time.Second}
			},
			[]told{{"NODE_CLOCK_OFF", providers.SeverityError, "the clock is 31s ahead of upkeep's"}},
		},
		{
			"a clock 12 seconds behind", func(in *floor.Input) {
				in.Node.Skew = &facts.Skew{Least: -14 * time.Second,
					Most: -12 * time.Second}
			},
			[]told{{"NODE_CLOCK_OFF", providers.SeverityWarning, "the clock is 12s behind upkeep's"}},
		},
		{
			"a slow session proves nothing",
			func(in *floor.Input) { in.Node.Skew = &facts.Skew{Least: -2 * time.Minute, Most: time.Second} }, nil,
		},
		{
			"no time server", func(in *floor.Input) { alone := false; in.Node.Floor.Synchronised = &alone },
			[]told{{"NODE_CLOCK_ALONE", providers.SeverityNote, "no time server"}},
		},
		{
			"a low limit", func(in *floor.Input) { in.Node.Floor.Sysctls["vm.max_map_count"] = "65530" },
			[]told{{"NODE_SYSCTL_LOW", providers.SeverityNote,
				"vm.max_map_count = 65530; Akash's documentation sets 1000000"}},
		},
		{
			"a pending kernel", func(in *floor.Input) {
				in.Node.Boot.Next = "6.8.0-64"
				in.Node.Boot.Kernels = []facts.InstalledKernel{{Release: "6.8.0-64", Since: noon.Add(-9 * 24 * time.Hour)}}
			},
			[]told{{"KERNEL_PENDING", providers.SeverityWarning,
				"6.8.0-64 is installed, and 6.8.0-60 runs. The reboot has been due for 9 days (since 2026-11-13)"}},
		},
		{
			"packages ask for a reboot", func(in *floor.Input) {
				in.Node.Boot.Reboot = facts.Reboot{Required: true, Packages: []string{"libc6"},
					Since: noon.Add(-24 * time.Hour)}
			},
			[]told{{"KERNEL_PENDING", providers.SeverityWarning, "libc6"}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := well()
			test.change(&in)
			findings, objects := floor.Review(in)
			var got []told
			for i, f := range findings {
				says := f.Summary
				if i < len(test.want) && strings.Contains(says, test.want[i].Says) {
					says = test.want[i].Says
				}
				got = append(got, told{f.ID, f.Severity, says})
				if f.Address.Node != "gpu1" {
					t.Errorf("%s is about %s", f.ID, f.Address)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, f := range findings {
				if f.Severity == providers.SeverityNote {
					continue
				}
				bad := false
				for _, o := range objects {
					bad = bad || o.Status != "ok"
				}
				if !bad {
					t.Errorf("%s, and status shows nothing but %+v", f.ID, objects)
				}
			}
		})
	}
}

// FuzzReview: whatever a node says of itself, nothing panics, and an unreadable threshold is never healthy.
func FuzzReview(f *testing.F) {
	f.Add("10%", uint64(100), uint64(5), "512")
	f.Add("1e400Gi", uint64(0), uint64(1<<63), "-1")
	f.Add("NaN%", uint64(1<<63), uint64(0), "")
	f.Fuzz(func(t *testing.T, threshold string, size, free uint64, sysctl string) {
		in := well()
		in.Node.Floor.Eviction.Node = threshold
		in.Node.Floor.Filesystems[0].Size, in.Node.Floor.Filesystems[0].Free = size, free
		in.Node.Floor.Sysctls["vm.max_map_count"] = sysctl
		findings, _ := floor.Review(in)
		for _, found := range findings {
			if found.Summary == "" {
				t.Errorf("%s says nothing", found.ID)
			}
		}
	})
}
