package kmsg_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/fixtures/gpunode"
	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/kmsg"
)

const (
	boot = "7d1b2c3e-0000-4000-8000-000000000001"
	off  = "NVRM: Xid (PCI:0000:3b:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus."
)

func collect(t *testing.T, log string, q facts.KernelLogQuestion) facts.KernelLog {
	t.Helper()
	tree := &gpunode.Tree{Root: t.TempDir()}
	tree.Write("proc/sys/kernel/random/boot_id", boot+"\n")
	tree.Write("proc/stat", "cpu  1 2 3\nbtime 1796000000\nprocesses 7\n")
	tree.Write("dev/kmsg", log)
	if tree.Err != nil {
		t.Fatal(tree.Err)
	}
	return look(t, tree.Root, q)
}

func look(t *testing.T, root string, q facts.KernelLogQuestion) facts.KernelLog {
	t.Helper()
	d, err := disk.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	return kmsg.Collect(t.Context(), d, q)
}

func TestCollect(t *testing.T) {
	log := "6,0,1000000,-;Linux version 6.8.0-45-generic\n" +
		"4,1,9000000,-;NVRM: loading NVIDIA UNIX Open Kernel Module for x86_64  570.124.06  Release Build\n" +
		"6,2,9000001,-;NVRM: some chatter\n" +
		"3,3,60500000,-;" + off + "\n SUBSYSTEM=pci\n DEVICE=+pci:0000:3b:00.0\n" +
		"11,4,61000000,-;" + off + "\n" +
		"2,5,62000000,-;nvidia-nvswitch0: SXid (PCI:0000:c1:00.0): 26006, SOE HALTED\n"
	at := func(d time.Duration) time.Time { return time.Unix(1796000000, 0).UTC().Add(d) }
	all := []facts.KernelEvent{
		{Kind: "NVRM", Topic: "loaded", Module: "570.124.06", Origin: "kernel", Sequence: 1, Monotonic: 9 * time.Second, At: at(9 * time.Second),
			Text: "NVRM: loading NVIDIA UNIX Open Kernel Module for x86_64  570.124.06  Release Build"},
		{Kind: "Xid", Code: 79, PCI: "0000:3b:00", Origin: "kernel", Sequence: 3, Monotonic: 60500 * time.Millisecond, At: at(60500 * time.Millisecond), Text: off},
		{Kind: "Xid", Code: 79, PCI: "0000:3b:00", Origin: "user", Sequence: 4, Monotonic: 61 * time.Second, At: at(61 * time.Second), Text: off},
		{Kind: "SXid", Code: 26006, Unclassified: true, PCI: "0000:c1:00", Origin: "kernel", Sequence: 5, Monotonic: 62 * time.Second, At: at(62 * time.Second),
			Text: "nvidia-nvswitch0: SXid (PCI:0000:c1:00.0): 26006, SOE HALTED"},
	}
	for _, c := range []struct {
		name string
		q    facts.KernelLogQuestion
		want facts.KernelLog
	}{
		{"all", facts.KernelLogQuestion{}, facts.KernelLog{Boot: boot, Next: 6, Events: all}},
		{"from where the last look ended", facts.KernelLogQuestion{Boot: boot, From: 4}, facts.KernelLog{Boot: boot, From: 4, Next: 6, Events: all[2:]}},
		{"nothing new", facts.KernelLogQuestion{Boot: boot, From: 6}, facts.KernelLog{Boot: boot, From: 6, Next: 6}},
		{"another boot", facts.KernelLogQuestion{Boot: "b0", From: 4}, facts.KernelLog{Boot: boot, Next: 6, Events: all}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, collect(t, log, c.q)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// What the kernel has overwritten is told, and nothing that was read is healthier for it.
func TestGap(t *testing.T) {
	got := collect(t, "6,7,1,-;x\n3,10,5000000,-;"+off+"\n", facts.KernelLogQuestion{Boot: boot, From: 7})
	if got.Lost != 2 || !got.LowerBound || len(got.Events) != 1 || got.Next != 11 || cmp.Diff([]string{"line 2: 2 records before number 10 are missing"}, got.Notes) != "" {
		t.Errorf("%+v", got)
	}
}

// A flood is cut where the next question takes it up again, and nothing is told twice or left out.
func TestFlood(t *testing.T) {
	var log strings.Builder
	const n = 4501
	for i := range n {
		// Two events in one record, so that a cut can fall between them.
		fmt.Fprintf(&log, "3,%d,%d,-;%s\\x0a%s\n", i, i*1000, off, off)
	}
	var seen []uint64
	q := facts.KernelLogQuestion{Boot: boot}
	for rounds := 0; ; rounds++ {
		got := collect(t, log.String(), q)
		for _, e := range got.Events {
			seen = append(seen, e.Sequence)
		}
		if got.Truncated != got.LowerBound || rounds > 4 {
			t.Fatalf("round %d: %+v", rounds, got.Notes)
		}
		q.From = got.Next
		if !got.Truncated {
			break
		}
	}
	if len(seen) != 2*n || !slices.IsSorted(seen) || len(slices.Compact(seen)) != n {
		t.Errorf("%d of %d events", len(seen), n)
	}
}

func TestUnreadable(t *testing.T) {
	root := t.TempDir()
	if got := look(t, root, facts.KernelLogQuestion{}); !strings.HasPrefix(got.Unknown, "the boot's id is unknown: ") {
		t.Errorf("%+v", got)
	}
	tree := &gpunode.Tree{Root: root}
	tree.Write("proc/sys/kernel/random/boot_id", boot+"\n")
	tree.Write("dev/null", "")
	if tree.Err != nil {
		t.Fatal(tree.Err)
	}
	if got := look(t, root, facts.KernelLogQuestion{}); got.Unknown != "/dev/kmsg: no such file or directory" || got.Boot != boot {
		t.Errorf("%+v", got)
	}
	// A pipe that nobody writes to is opened, seen for what it is, and not waited for.
	if err := syscall.Mkfifo(filepath.Join(root, "dev/kmsg"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := look(t, root, facts.KernelLogQuestion{}); got.Unknown != "/dev/kmsg is no log of the kernel" {
		t.Errorf("%+v", got)
	}
	if err := os.Remove(filepath.Join(root, "dev/kmsg")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/zero", filepath.Join(root, "dev/kmsg")); err != nil {
		t.Fatal(err)
	}
	if got := look(t, root, facts.KernelLogQuestion{}); got.Unknown != "/dev/kmsg: too many levels of symbolic links" {
		t.Errorf("%+v", got)
	}
}

// The real device of this machine, where it may be read: the look ends by itself, and the next one begins where
// it ended.
func TestRealDevice(t *testing.T) {
	got := look(t, "/", facts.KernelLogQuestion{})
	if got.Unknown != "" {
		t.Skipf("this machine's log cannot be read: %s", got.Unknown)
	}
	again := look(t, "/", facts.KernelLogQuestion{Boot: got.Boot, From: got.Next})
	if again.Unknown != "" || again.From != got.Next || again.Next < got.Next || again.Lost > 0 {
		t.Errorf("%+v then %+v", got, again)
	}
}
