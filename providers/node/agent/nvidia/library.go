package nvidia

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/program"
	"upkeep/providers/strictjson"
)

// Program is upkeep-nvml. It runs as root: so it must be the file that has the digest, SHA-256 in hexadecimal,
// and nobody but root, or the user who runs this, may be able to exchange it at the same time.
type Program struct {
	Path, Digest string
	// Packed is the program itself, compressed by gzip, where the helper brought it: then a file that is missing is
	// written, into a directory that nobody else may write to. Nil: somebody must have installed it.
	Packed []byte
	// Limit is how long each of its questions may take; 0: 20 seconds. Libraries wait for a driver that hangs.
	Limit time.Duration
}

const (
	usualLimit = 20 * time.Second
	// maxOutput is far above what the largest machine's GPU list needs.
	maxOutput = 1 << 20
)

// ask puts both questions at once, each to a process of its own. A library ends the process where it lacks a
// function, and hangs where the driver does: neither ends the helper, and neither hides the other's answer.
func (p Program) ask(ctx context.Context, d *disk.Disk) (nvml facts.NVML, cuda facts.CUDA) {
	if err := p.ready(d); err != nil {
		reason := fmt.Sprintf("upkeep-nvml is not run: %v", err)
		if errors.Is(err, fs.ErrNotExist) {
			reason = "upkeep-nvml is not next to the helper on this node"
		}
		return facts.NVML{Unknown: reason}, facts.CUDA{Unknown: reason}
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := p.question(ctx, d, &nvml); err != nil {
			problem := facts.NVMLDied
			if errors.Is(err, errNonsense) {
				problem = ""
			}
			if _, silent := errors.AsType[*program.SilentError](err); silent {
				problem = facts.NVMLSilent
			}
			// A failing child may still have said why, in its answer.
			if nvml.Unknown == "" {
				nvml = facts.NVML{Unknown: err.Error(), Kind: problem}
			}
		}
	})
	wg.Go(func() {
		if err := p.question(ctx, d, &cuda, "-cuda"); err != nil && cuda.Unknown == "" {
			_, silent := errors.AsType[*program.SilentError](err)
			cuda = facts.CUDA{Unknown: err.Error(), Silent: silent}
		}
	})
	wg.Wait()
	return nvml, cuda
}

var errNonsense = errors.New("upkeep-nvml: its answer cannot be parsed")

// question runs the program and decodes its answer, also that of a program that failed.
func (p Program) question(ctx context.Context, d *disk.Disk, to any, args ...string) error {
	limit := p.Limit
	if limit == 0 {
		limit = usualLimit
	}
	answer, err := program.Run(ctx, filepath.Base(p.Path), d.Real(p.Path), program.Question{Args: args, Limit: limit, Most: maxOutput})
	parsed := strictjson.Decode(answer, to)
	switch {
	case err != nil:
		return err
	case parsed != nil:
		return errNonsense
	}
	return nil
}

// ready checks the program, and brings it first where it is missing.
func (p Program) ready(d *disk.Disk) error {
	err := p.check(d)
	if len(p.Packed) == 0 || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := p.unpack(d); err != nil {
		return fmt.Errorf("it cannot be written: %w", err)
	}
	return p.check(d)
}

// mostProgram is far above the size of the program, in bytes.
const mostProgram = 64 << 20

// unpack writes the program. Sessions that do so at once write the same bytes.
func (p Program) unpack(d *disk.Disk) error {
	dir, err := d.Dir(filepath.Dir(p.Path))
	if err != nil {
		return err
	}
	packed, err := gzip.NewReader(bytes.NewReader(p.Packed))
	if err != nil {
		return err
	}
	return dir.Write(filepath.Base(p.Path), 0o700, func(w io.Writer) error {
		_, err := io.Copy(w, io.LimitReader(packed, mostProgram))
		return err
	})
}

// check refuses a program that others could exchange, or that is another file than the helper was built with.
func (p Program) check(d *disk.Disk) error {
	dir, err := d.Dir(filepath.Dir(p.Path))
	if err != nil {
		return err
	}
	if err := dir.TrustFile(filepath.Base(p.Path)); err != nil {
		return err
	}
	if p.Digest == "" {
		return errors.New("this helper was built without its digest")
	}
	f, err := os.Open(d.Real(p.Path))
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != p.Digest {
		return fmt.Errorf("%s has SHA-256 %s and must have %s: install the package of the same version", p.Path, got, p.Digest)
	}
	return nil
}
