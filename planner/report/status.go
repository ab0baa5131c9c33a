package report

import (
	"time"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/providers"
)

// StatusJSON lists every object that is watched, healthy or not.
type StatusJSON struct {
	FormatVersion string            `json:"format_version"` // "1.0"
	Version       string            `json:"upkeep_version,omitempty"`
	Timestamp     time.Time         `json:"timestamp"`
	ObservedAt    time.Time         `json:"observed_at"`
	Recorded      bool              `json:"recorded,omitempty"`
	Identity      planner.Identity  `json:"identity"`
	Nodes         []Node            `json:"nodes"`
	Out           []config.Out      `json:"out"`
	Objects       []Object          `json:"objects"`
	Unknown       []planner.Unknown `json:"unknown"`
	// Waits are the steps that an earlier apply left waiting.
	Waits []Wait `json:"waits,omitempty"`
	// Counts counts the objects by status.
	Counts map[string]int `json:"counts"`
}

// Object is one watched object.
type Object struct {
	Address providers.Address `json:"address"`
	Node    string            `json:"node,omitempty"`
	Name    string            `json:"name"`
	Path    string            `json:"path,omitempty"`
	// Status is "ok", "due", "problem", "missing" or "unknown".
	Status string `json:"status"`
	// Expires and LeftSeconds are absent where the object does not expire, or where that is unknown.
	Expires     time.Time `json:"expires,omitzero"`
	LeftSeconds *int64    `json:"left_seconds,omitempty"`
	Authority   string    `json:"authority,omitempty"`
	Detail      string    `json:"detail,omitempty"`
	// FirstSeen is when something about it was first found; absent where that is not known, or nothing was.
	FirstSeen time.Time `json:"first_seen,omitzero"`
}

// Status returns the objects of a plan, in the plan's order.
func Status(p planner.Plan) StatusJSON {
	all := Plan(p)
	s := StatusJSON{
		FormatVersion: "1.0", Version: p.UpkeepVersion, Timestamp: p.CreatedAt, ObservedAt: all.Upkeep.ObservedAt, Recorded: all.Upkeep.Recorded,
		Identity: all.Upkeep.Identity, Nodes: all.Upkeep.Nodes, Out: all.Upkeep.Out, Objects: []Object{}, Unknown: all.Upkeep.Unknown, Counts: map[string]int{},
	}
	for _, o := range p.Objects {
		object := Object{
			Address: o.Address, Node: o.Address.Node, Name: o.Name, Path: o.Path, Status: o.Status, Expires: o.Expires, Authority: o.Authority, Detail: o.Detail,
		}
		if !o.Expires.IsZero() {
			left := int64(o.Expires.Sub(p.Request.Now) / time.Second)
			object.LeftSeconds = &left
		}
		s.Counts[o.Status]++
		s.Objects = append(s.Objects, object)
	}
	return s
}
