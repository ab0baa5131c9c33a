package helm

import (
	"fmt"
	"runtime/metrics"
	"time"
)

// bounds are what rendering one chart may cost. Templates are programs: a few lines of one loop for hours or make
// gigabytes.
type bounds struct {
	time   time.Duration
	memory uint64 // of the heap of this program
	output int    // bytes of all files
	// exhausted is called when the memory is used up. It should end the program: nothing stops a template.
	exhausted func(error)
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
	if b.exhausted == nil {
		b.exhausted = func(err error) { panic(err) } // better than to wait for the kernel to end something else
	}
	return b
}

// files renders within the bounds. Where time is over, the work goes on in vain until the program ends.
func (b bounds) files(chart string, render func() (map[string]string, error)) (map[string]string, error) {
	b = b.withDefaults()
	type rendered struct {
		files map[string]string
		err   error
	}
	done := make(chan rendered, 1)
	go func() {
		files, err := render()
		done <- rendered{files, err}
	}()
	over := time.NewTimer(b.time)
	defer over.Stop()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case r := <-done:
			size := 0
			for _, text := range r.files {
				size += len(text)
			}
			if r.err == nil && size > b.output {
				return nil, fmt.Errorf("the templates of chart %s make %d MiB; at most %d MiB are taken", chart, size>>20, b.output>>20)
			}
			return r.files, r.err
		case <-over.C:
			return nil, fmt.Errorf("the templates of chart %s were not rendered within %s", chart, b.time)
		case <-look.C:
			if used := heap(); used > b.memory {
				err := fmt.Errorf("the templates of chart %s fill the memory: more than %d MiB are in use", chart, b.memory>>20)
				b.exhausted(err)
				return nil, err
			}
		}
	}
}

// heap is how many bytes of objects the program has, dead ones that were not collected yet among them.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
