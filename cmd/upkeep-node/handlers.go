package main

import (
	"upkeep/providers/node/agent"
	"upkeep/providers/node/agent/host"
)

// handlers are what this helper offers: everything that a node can be asked. What changes something is done by units that
// outlive the session.
func handlers(h *host.Host) agent.Handlers {
	return agent.Handlers{Version: buildVersion(), Uptime: h.Uptime, Methods: h.Session(host.Caller()).Methods(), Tunnel: h.Tunnel}
}
