package planner_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"upkeep/planner"
)

// cpu is the processor time that this process has used: on a busy machine, the wall clock says little.
func cpu(tb testing.TB) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkBuild plans two steps on each node of one for_each, one node at a time behind a guard.
// Time(2n)/time(n) should stay below 2.3.
func BenchmarkBuild(b *testing.B) {
	for _, n := range []int{1000, 2000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := testRequest(n, func(w *widget) { w.Guards = []string{"copy"} })
			types := testTypes()
			b.ReportAllocs()
			start := cpu(b)
			for b.Loop() {
				p, err := planner.Build(r, types)
				if err != nil || len(p.Steps) != 2*n+2 {
					b.Fatalf("%d steps, %v", len(p.Steps), err)
				}
			}
			b.ReportMetric((cpu(b)-start).Seconds()/float64(b.N), "cpu-s/op")
		})
	}
}

func BenchmarkRehearse(b *testing.B) {
	for _, n := range []int{1000, 2000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			types := testTypes()
			p, err := planner.Build(testRequest(n, nil), types)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if r, err := planner.Rehearse(p, types, nil); err != nil || r.Ended(planner.Proved) != 2*n {
					b.Fatalf("%v", err)
				}
			}
		})
	}
}

func BenchmarkPlanFile(b *testing.B) {
	types := testTypes()
	p, err := planner.Build(testRequest(1000, nil), types)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		data, err := planner.Encode(p)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := planner.Decode(data, types); err != nil {
			b.Fatal(err)
		}
	}
}
