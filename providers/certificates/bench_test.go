package certificates_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"upkeep/fixtures/worlds"
	"upkeep/providers/certificates"
)

// BenchmarkDiff is one diff over healthy control planes, as drift and status make it.
func BenchmarkDiff(b *testing.B) {
	for _, n := range []int{1000, 2000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			in := input(worlds.ControlPlanes(n, now), n)
			b.ReportAllocs()
			began := spent()
			for b.Loop() {
				if out := spec().Diff(in); len(out.Findings) != 0 {
					b.Fatal(out.Findings)
				}
			}
			b.ReportMetric(float64((spent()-began).Microseconds())/float64(b.N)/float64(n), "cpu-µs/node")
		})
	}
}

// BenchmarkPlan is what a plan asks of this domain where three certificates are due on every node: diff, what each step expects,
// the prediction of each step, and the diff of the predicted world.
func BenchmarkPlan(b *testing.B) {
	for _, n := range []int{1000, 2000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := worlds.ControlPlanes(n, now)
			for _, node := range w.Nodes {
				worlds.Age(now, 12*day, node, "apiserver", "admin.conf", "controller-manager.conf")
			}
			in := input(w, n)
			effects := certificates.Type().Effects
			b.ReportAllocs()
			began := spent()
			for b.Loop() {
				steps, folded := spec().Diff(in).Steps, in
				if len(steps) != 2*n {
					b.Fatal(len(steps))
				}
				folded.World = in.World.Clone()
				for _, s := range steps {
					s = grounded(b, effects[s.Operation], folded, s)
					folded.World.Apply(effects[s.Operation].Predict(folded, s))
				}
				if out := spec().Diff(folded); len(out.Findings)+len(out.Steps) != 0 {
					b.Fatal(out.Findings, out.Steps)
				}
			}
			b.ReportMetric(float64((spent()-began).Microseconds())/float64(b.N)/float64(n), "cpu-µs/node")
		})
	}
}

// spent is the processor time of this process so far: what a busy machine cannot distort.
func spent() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
