package node

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
)

// noHelper stands for the digest of a helper that is not next to upkeep; the bootstrap knows it.
const noHelper = "-"

// helpers are the helper programs that lie beside upkeep, as upkeep-node-linux-ARCHITECTURE.
type helpers struct {
	directory string

	mu      sync.Mutex
	digests map[string]string
}

// path returns where the helper for an architecture lies.
func (h *helpers) path(architecture string) string {
	return filepath.Join(h.directory, "upkeep-node-linux-"+architecture)
}

// digest returns the SHA-256 of the helper for an architecture in hexadecimal, or noHelper where there is none. It reads
// each file once.
func (h *helpers) digest(architecture string) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if d, ok := h.digests[architecture]; ok {
		return d, nil
	}
	f, err := os.Open(h.path(architecture))
	if errors.Is(err, fs.ErrNotExist) {
		return noHelper, nil
	}
	if err != nil {
		return "", fmt.Errorf("read the helper: %w", err)
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", fmt.Errorf("read the helper: %w", err)
	}
	d := hex.EncodeToString(sum.Sum(nil))
	if h.digests == nil {
		h.digests = map[string]string{}
	}
	h.digests[architecture] = d
	return d, nil
}

// local returns the helper for this machine.
func (h *helpers) local() (string, error) {
	if runtime.GOOS != "linux" {
		return "", fmt.Errorf("the local transport works on Linux only, and this machine runs %s", runtime.GOOS)
	}
	path := h.path(runtime.GOARCH)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("the helper is not next to upkeep: %w; run `make build`, or install the complete package", err)
	}
	return path, nil
}

// architectureOf maps what uname -m prints to Go's GOARCH; empty for a machine there is no helper for.
func architectureOf(machine string) string {
	switch machine {
	case "x86_64", "amd64":
		return "amd64"
	case "aarch64", "arm64":
		return "arm64"
	default:
		return ""
	}
}

func isRoot() bool { return os.Geteuid() == 0 }
