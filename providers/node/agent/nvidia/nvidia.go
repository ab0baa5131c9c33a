// Package nvidia asks the program upkeep-nvml what NVML says of this node's GPUs.
//
// NVML is never linked here: on a driver that lacks a symbol, the first call of it ends the process. So the
// question is put in a child process, and a child that dies is an unknown with its reason.
package nvidia

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
)

// timeout bounds the child: NVML waits for a driver that hangs.
const timeout = 20 * time.Second

// maxOutput is far above what the largest machine's GPU list needs.
const maxOutput = 1 << 20

// Collect runs a program, which prints facts.NVML as JSON on its standard output. It runs as root: so it must be the
// file that has the digest, SHA-256 in hexadecimal, and nobody but root, or the user who runs this, may be able to
// exchange it at the same time.
func Collect(ctx context.Context, d *disk.Disk, program, digest string) facts.NVML {
	err := check(d, program, digest)
	if errors.Is(err, fs.ErrNotExist) {
		return facts.NVML{Unknown: "upkeep-nvml is not next to the helper on this node"}
	}
	if err != nil {
		return facts.NVML{Unknown: fmt.Sprintf("upkeep-nvml is not run: %v", err)}
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, d.Real(program))
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.Dir = "/"
	cmd.WaitDelay = time.Second
	stdout, stderr := &bounded{limit: maxOutput}, &bounded{limit: 4 << 10}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	err = cmd.Run()
	if ctx.Err() != nil {
		return facts.NVML{Unknown: fmt.Sprintf("upkeep-nvml: no answer within %s", timeout)}
	}
	// A failing child may still have said why, in its answer.
	var found facts.NVML
	parseErr := json.Unmarshal(stdout.Bytes(), &found)
	switch {
	case err == nil && parseErr == nil:
		return found
	case parseErr == nil && found.Unknown != "":
		return facts.NVML{Unknown: found.Unknown}
	case err != nil:
		reason := fmt.Sprintf("upkeep-nvml: %v", err)
		if said, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n"); said != "" {
			reason += ": " + said
		}
		return facts.NVML{Unknown: reason}
	}
	return facts.NVML{Unknown: "upkeep-nvml: its answer cannot be parsed"}
}

// check refuses a program that others could exchange, or that is another file than the helper was built with.
func check(d *disk.Disk, program, digest string) error {
	dir, err := d.Dir(filepath.Dir(program))
	if err != nil {
		return err
	}
	if err := dir.TrustFile(filepath.Base(program)); err != nil {
		return err
	}
	if digest == "" {
		return errors.New("this helper was built without its digest")
	}
	f, err := os.Open(d.Real(program))
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != digest {
		return fmt.Errorf("%s has SHA-256 %s and must have %s: install the package of the same version", program, got, digest)
	}
	return nil
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
