// Package nvidia asks the program upkeep-nvml what NVML says of this node's GPUs.
//
// NVML is never linked here: on a driver that lacks a symbol, the first call of it ends the process. So the question is
// put in a child process, and a child that dies is an unknown with its reason.
package nvidia

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"time"

	"upkeep/providers/facts"
)

// timeout bounds the child: NVML waits for a driver that hangs.
const timeout = 20 * time.Second

// maxOutput is far above what the largest machine's GPU list needs.
const maxOutput = 1 << 20

// Collect runs program, which prints facts.NVIDIA as JSON on its standard output.
func Collect(ctx context.Context, program string) facts.NVIDIA {
	if _, err := os.Stat(program); errors.Is(err, fs.ErrNotExist) || program == "" {
		return facts.NVIDIA{Unknown: "upkeep-nvml is not on this node, beside the helper"}
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, program)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.Dir = "/"
	cmd.WaitDelay = time.Second
	stdout, stderr := &bounded{limit: maxOutput}, &bounded{limit: 4 << 10}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		return facts.NVIDIA{Unknown: fmt.Sprintf("upkeep-nvml: no answer within %s", timeout)}
	}
	// A failing child may still have said why, in its answer.
	var found facts.NVIDIA
	parseErr := json.Unmarshal(stdout.Bytes(), &found)
	switch {
	case err == nil && parseErr == nil:
		return found
	case parseErr == nil && found.Unknown != "":
		return facts.NVIDIA{Unknown: found.Unknown}
	case err != nil:
		reason := fmt.Sprintf("upkeep-nvml: %v", err)
		if said, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n"); said != "" {
			reason += ": " + said
		}
		return facts.NVIDIA{Unknown: reason}
	}
	return facts.NVIDIA{Unknown: "upkeep-nvml: its answer cannot be parsed"}
}

// bounded keeps the first limit bytes and swallows the rest, so that a child that babbles ends by itself.
type bounded struct {
	bytes.Buffer
	limit int
}

func (b *bounded) Write(p []byte) (int, error) {
	if room := b.limit - b.Len(); room > 0 {
		b.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
