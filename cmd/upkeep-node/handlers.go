package main

import (
	"bytes"
	"context"
	"os"
	"runtime"
	"strings"
	"time"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent"
	"upkeep/providers/node/protocol"
)

// handlers are what this helper offers: the identity of the machine.
func handlers() agent.Handlers {
	return agent.Handlers{
		Version: buildVersion(),
		Observe: func(context.Context, protocol.ObserveRequest) (facts.Node, error) {
			return facts.Node{System: system()}, nil
		},
	}
}

// system identifies the machine and its boot.
func system() facts.System {
	s := facts.System{Architecture: runtime.GOARCH, Clock: time.Now().UTC()}
	s.Hostname, _ = os.Hostname()
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		s.Unknown = err.Error()
		return s
	}
	s.BootID = string(bytes.TrimSpace(boot))
	if id, err := os.ReadFile("/etc/machine-id"); err == nil {
		s.MachineID = string(bytes.TrimSpace(id))
	}
	if kernel, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		s.Kernel = string(bytes.TrimSpace(kernel))
	}
	if release, err := os.ReadFile("/etc/os-release"); err == nil {
		for line := range strings.Lines(string(release)) {
			if v, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
				s.OS = strings.Trim(v, `"`)
			}
		}
	}
	return s
}
