package nvidia_test

import (
	"syscall"
	"testing"
	"time"

	"upkeep/fixtures/gpunode"
	"upkeep/providers/facts"
	"upkeep/providers/node/agent/boot"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/kmsg"
	"upkeep/providers/node/agent/nvidia"
	"upkeep/providers/node/agent/pci"
)

// BenchmarkScan looks at a node with 8 GPUs: goal 2 s, of which 100 ms of this process's own CPU (cpu-ms/op). The
// programs that it asks are scripts, so that their time is not that of the real ones.
func BenchmarkScan(b *testing.B) {
	root := b.TempDir()
	d, program := made(b, root, answers, nil)
	d.Close()
	before := own(b)
	for b.Loop() {
		d, err := disk.Open(root)
		if err != nil {
			b.Fatal(err)
		}
		bus, next := pci.Look(d.Files()), boot.Collect(d)
		got := nvidia.Collect(b.Context(), d, bus, gpunode.Kernel, next, program)
		log := kmsg.Collect(b.Context(), d, facts.KernelLogQuestion{})
		if len(got.Devices.GPUs) != 8 || got.CUDA.Devices != 8 || log.Unknown != "" {
			b.Fatalf("%+v, %+v", got, log)
		}
		d.Close()
	}
	b.ReportMetric(float64(own(b)-before)/float64(b.N)/float64(time.Millisecond), "cpu-ms/op")
}

// own returns how much CPU this process has used, without its children.
func own(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
