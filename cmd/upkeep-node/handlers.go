package main

import (
	"upkeep/providers/node/agent"
	"upkeep/providers/node/agent/host"
)

// handlers are what this helper offers: everything that a node can be asked. What changes something is done by units that
// outlive the session.
func handlers(h *host.Host) agent.Handlers {
	s := h.Session(host.Caller())
	return agent.Handlers{
		Version: buildVersion(), Uptime: h.Uptime,
		Observe: h.Observe, Lock: h.Lock, Tunnel: h.Tunnel,
		Renew: s.Renew, Mend: s.Mend, Restart: s.Restart, Undo: s.Undo,
	}
}
