package helm

import (
	"fmt"
	"runtime/metrics"
	"time"
)

// bounds are what unpacking or rendering one chart may cost. Templates are programs: a few lines of one loop for hours
// or make gigabytes.
type bounds struct {
	time   time.Duration
	memory uint64 // of the heap of the program that renders
	output int    // bytes of all files
}

// The limits. The largest charts that are in use (kube-prometheus-stack) make 2 MiB in well under a second.
const (
	renderTime   = 30 * time.Second
	renderMemory = 3 << 30
	renderOutput = 32 << 20
	lookEvery    = 20 * time.Millisecond
)

func (b bounds) withDefaults() bounds {
	if b.time == 0 {
		b.time = renderTime
	}
	if b.memory == 0 {
		b.memory = renderMemory
	}
	if b.output == 0 {
		b.output = renderOutput
	}
	return b
}

// late is the error of a chart that took too long.
func (b bounds) late(o order) error {
	if o.Packed != nil {
		return fmt.Errorf("chart %s was not unpacked within %s", o.Chart, b.time)
	}
	return fmt.Errorf("the templates of chart %s were not rendered within %s", o.Chart, b.time)
}

// here renders in this process, for charts of a simulation. Nothing stops a template: where time is over, the work goes
// on in vain.
func (b bounds) here(o order, find lookUp) (made, error) {
	b = b.withDefaults()
	o.Output = b.output
	type outcome struct {
		made made
		err  error
	}
	done := make(chan outcome, 1)
	go func() {
		out, err := o.work(find)
		done <- outcome{out, err}
	}()
	over := time.NewTimer(b.time)
	defer over.Stop()
	select {
	case r := <-done:
		return r.made, r.err
	case <-over.C:
		return made{}, b.late(o)
	}
}

// filled calls full when the heap of this program is larger than the order allows.
func (o order) filled(full func(error)) {
	for range time.Tick(lookEvery) {
		if heap() > o.Memory {
			_, on := o.doing()
			full(fmt.Errorf("the %s of chart %s fill the memory: more than %d MiB are in use", on, o.Chart, o.Memory>>20))
			return
		}
	}
}

// heap is how many bytes of objects the program has, dead ones that were not collected yet among them.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
