package cri_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/cri"
	"upkeep/providers/node/agent/disk"
)

func TestHandlers(t *testing.T) {
	const name, version = "containerd", "v2.0.2"
	for _, c := range []struct {
		name     string
		handlers []string
		config   string
		want     facts.Runtime
	}{
		{"as Kubernetes 1.30 and later ask", []string{"", "runc", "nvidia"}, "", facts.Runtime{Handlers: []string{"nvidia", "runc"}}},
		{"containerd 1.7", nil, `{"containerd":{"defaultRuntimeName":"runc","runtimes":{"runc":{"runtimeType":"io.containerd.runc.v2"},"nvidia":{}}}}`,
			facts.Runtime{Handlers: []string{"nvidia", "runc"}}},
		{"the handler was lost", nil, `{"containerd":{"runtimes":{"runc":{}}}}`, facts.Runtime{Handlers: []string{"runc"}}},
		{"not told", nil, "]", facts.Runtime{HandlersUnknown: "containerd v2.0.2 does not name its runtime handlers"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			server, d := node(t, "run/k3s/containerd/containerd.sock")
			server.Handlers, server.Config = c.handlers, c.config
			c.want.Name, c.want.Version = name, version
			if diff := cmp.Diff(c.want, cri.Handlers(t.Context(), d)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	d, err := disk.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if got := cri.Handlers(t.Context(), d); got.Unknown == "" {
		t.Errorf("without a socket: %+v", got)
	}
}
