package main

import (
	"upkeep/providers/node/agent"
	"upkeep/providers/node/agent/host"
)

// handlers are what this helper offers: everything that a node can be asked.
func handlers() agent.Handlers {
	h := host.New(host.Options{})
	return agent.Handlers{
		Version: buildVersion(),
		Observe: h.Observe, Renew: h.Renew, Mend: h.Mend, Restart: h.Restart, Tunnel: h.Tunnel,
	}
}
