package nvidia

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"regexp"
	"time"

	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/program"
)

const (
	managerUnit     = "nvidia-fabricmanager.service"
	persistenceUnit = "nvidia-persistenced.service"
)

var (
	managerPlaces     = []string{"/usr/bin/nv-fabricmanager", "/usr/local/bin/nv-fabricmanager"}
	persistencePlaces = []string{"/usr/bin/nvidia-persistenced", "/usr/local/bin/nvidia-persistenced"}
)

// The programs answer at once: they talk to no device for it.
const (
	versionTime = 5 * time.Second
	maxVersion  = 64 << 10
)

// told finds the version in "Fabric Manager version is : 570.124.06" and "nvidia-persistenced:  version 570.124.06".
var told = regexp.MustCompile(`(?i)version(?: is)?\s*:?\s+([0-9]{3,4}(?:\.[0-9]{1,4}){1,3})\b`)

// version asks a program of the driver for its version. A log line would be cut, and a package may be
// half-configured.
func version(ctx context.Context, d *disk.Disk, places []string) (version, unknown string) {
	answer, err := program.Ask(ctx, d, program.Question{
		Places: places, Args: []string{"--version"}, Limit: versionTime, Most: maxVersion,
	})
	if errors.Is(err, fs.ErrNotExist) {
		return "", ""
	}
	if m := told.FindSubmatch(answer); m != nil {
		return string(m[1]), ""
	}
	if err != nil {
		return "", err.Error()
	}
	return "", path.Base(places[0]) + " does not say its version"
}
