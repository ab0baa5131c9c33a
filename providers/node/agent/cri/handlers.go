package cri

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
)

// maxConfig bounds the runtime's own configuration, which it answers as JSON.
const maxConfig = 4 << 20

// Handlers says which runtime a node has and which names a RuntimeClass can have there. Errors are in the answer.
func Handlers(ctx context.Context, d *disk.Disk) facts.Runtime {
	c, err := Dial(d)
	if err != nil {
		return facts.Runtime{Unknown: err.Error()}
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	version, err := c.runtime.Version(ctx, &runtime.VersionRequest{})
	if err != nil {
		return facts.Runtime{Unknown: fmt.Sprintf("version through %s: %v", c.socket, err)}
	}
	found := facts.Runtime{Name: version.GetRuntimeName(), Version: version.GetRuntimeVersion()}
	status, err := c.runtime.Status(ctx, &runtime.StatusRequest{Verbose: true})
	if err != nil {
		found.HandlersUnknown = fmt.Sprintf("status through %s: %v", c.socket, err)
		return found
	}
	if found.Handlers = handlers(status); len(found.Handlers) == 0 {
		found.HandlersUnknown = fmt.Sprintf("%s %s does not name its runtime handlers", found.Name, found.Version)
	}
	return found
}

// handlers reads the list that the CRI has since Kubernetes 1.30, or else containerd's own configuration.
func handlers(status *runtime.StatusResponse) (out []string) {
	for _, h := range status.GetRuntimeHandlers() {
		if h.GetName() != "" { // the default has no name here, and is in the list with its name, too
			out = append(out, h.GetName())
		}
	}
	if config := status.GetInfo()["config"]; len(out) == 0 && len(config) <= maxConfig {
		var c struct {
			Containerd struct {
				Runtimes map[string]json.RawMessage `json:"runtimes"`
			} `json:"containerd"`
		}
		if json.Unmarshal([]byte(config), &c) == nil {
			for name := range c.Containerd.Runtimes {
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
