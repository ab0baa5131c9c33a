package nvidia

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
)

const (
	// productLimit is how long a device may take: cuInit of a node with eight GPUs takes some seconds, the driver compiles
	// the program, and the product itself is done in milliseconds.
	productLimit = 30 * time.Second
	// mostDevices is far above what one machine has, also where GPUs are divided.
	mostDevices = 256
)

var errNoResult = errors.New("upkeep-nvml: its answer has no result")

// Products has each device that CUDA sees multiply two matrices, all of them at once and each in a process of its own:
// so a device that hangs or ends its process is told from the others. Where CUDA does not work, no device is asked.
func (p Program) Products(ctx context.Context, d *disk.Disk, cuda facts.CUDA) []facts.Product {
	if cuda.Unknown != "" || cuda.Absent || cuda.Result != 0 {
		return nil
	}
	if p.Limit == 0 {
		p.Limit = productLimit
	}
	out := make([]facts.Product, min(cuda.Devices, mostDevices))
	var wg sync.WaitGroup
	for i := range out {
		wg.Go(func() {
			out[i].Device = i
			err := p.ready(d)
			if err == nil {
				err = p.question(ctx, d, &out[i], fmt.Sprintf("-product=%d", i))
			}
			if err == nil && !out[i].Right && out[i].Failed == "" {
				err = errNoResult
			}
			if err != nil && out[i].Failed == "" {
				out[i] = facts.Product{Device: i, Failed: err.Error()}
			}
		})
	}
	wg.Wait()
	return out
}
