package agent

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"runtime"

	"upkeep/providers/node/protocol"
)

// Hello says who this helper is. It reads the complete executable.
func Hello(version string) (protocol.Hello, error) {
	path, err := os.Executable()
	if err != nil {
		return protocol.Hello{}, fmt.Errorf("find the helper's own executable: %w", err)
	}
	f, err := os.Open(path)
	if err != nil {
		return protocol.Hello{}, fmt.Errorf("read the helper's own executable: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return protocol.Hello{}, fmt.Errorf("read the helper's own executable: %w", err)
	}
	return protocol.Hello{Version: version, SHA256: hex.EncodeToString(h.Sum(nil)), Architecture: runtime.GOARCH}, nil
}
