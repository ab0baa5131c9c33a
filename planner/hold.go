package planner

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"upkeep/providers/facts"
)

// Standing says how things of a cluster are that people change by other means than upkeep: certificates, static pods,
// packages and their holds, container runtimes, the versions of nodes and services, labels, members of etcd,
// definitions, releases and the leases of tenants. What could not be observed is "unknown". Keys and values are for
// people. Pure.
func Standing(w facts.World) map[string]string {
	out := map[string]string{}
	note := func(value string, key ...string) { out[strings.Join(key, " ")] = value }
	for name, n := range w.Nodes {
		if n.Unknown != "" {
			note(unknownThing, name)
			continue
		}
		note("reached", name)
		if n.System.Kernel != "" {
			note(n.System.Kernel, name, "kernel")
		}
		for i := range n.Certificates.Files {
			f := &n.Certificates.Files[i]
			if leaf, ok := f.Leaf(); ok {
				note(fmt.Sprintf("serial %s, valid to %s", leaf.Serial, leaf.NotAfter.UTC().Format(time.DateOnly)),
					name, "certificate", f.Name)
			}
		}
		for i := range n.ControlPlane.StaticPods {
			p := &n.ControlPlane.StaticPods[i]
			note(cmp.Or(p.Image, unknownThing), name, "static pod", p.Component)
		}
		if n.NVIDIA.Driver() != "" {
			note(n.NVIDIA.Driver(), name, "NVIDIA driver")
		}
		if n.Software.Asked() {
			noteSoftware(n.Software, func(value string, key ...string) { note(value, append([]string{name}, key...)...) })
		}
	}
	for i := range w.Kubernetes.Nodes {
		k := &w.Kubernetes.Nodes[i]
		note(cmp.Or(k.Version, unknownThing), "Kubernetes node", k.Name, "version")
		note(fmt.Sprintf("ready %t, cordoned %t", k.Ready, k.Unschedulable), "Kubernetes node", k.Name, "status")
		for _, label := range slices.Sorted(maps.Keys(k.Labels)) {
			note(k.Labels[label], "Kubernetes node", k.Name, "label", label)
		}
	}
	if w.Kubernetes.Unknown != "" {
		note(unknownThing, "Kubernetes API")
	}
	for i := range w.Etcd.Members {
		m := &w.Etcd.Members[i]
		note(cmp.Or(m.Version, unknownThing), "etcd member", cmp.Or(m.Name, m.ID))
	}
	if w.Etcd.Unknown != "" {
		note(unknownThing, "etcd")
	}
	for name, d := range w.Definitions {
		note(cmp.Or(strings.Join(d.Served, ", "), unknownThing), "definition", name)
	}
	for _, r := range w.Releases {
		switch {
		case r.Unknown != "":
			note(unknownThing, "release", r.Namespace+"/"+r.Name)
		case !r.Missing:
			note(fmt.Sprintf("revision %d, %s, chart %s", r.Revision, r.Status, r.Chart.Version),
				"release", r.Namespace+"/"+r.Name)
		}
	}
	if w.Tenancies != nil {
		if w.Tenancies.Unknown != "" {
			note(unknownThing, "leases of tenants")
		}
		for _, l := range w.Tenancies.Leases {
			note("active", "lease", l.Owner+"/"+l.DSeq+"/"+l.GSeq+"/"+l.OSeq)
		}
	}
	return out
}

// The words by which noteSoftware begins its keys. Of a node whose packages, or whose container runtime, one look did
// not tell, nothing is said of the single ones.
const (
	thingPackages = "packages"
	thingPackage  = "package"
	thingHold     = "package hold"
	thingRuntime  = "container runtime"
	thingHandlers = "runtime handlers"
)

// noteSoftware notes a node's packages and its container runtime.
func noteSoftware(s facts.Software, note func(value string, key ...string)) {
	switch {
	case s.Unknown != "":
		note(unknownThing, thingPackages)
	case s.NoDpkg:
		note("not compared: the node has no dpkg", thingPackages)
	default:
		note(fmt.Sprintf("%d installed (digest %s)", s.Total, s.Digest), thingPackages)
	}
	for _, p := range s.Packages {
		name, value := p.Name, p.Version
		if slices.ContainsFunc(s.Packages, func(other facts.Package) bool {
			return other.Name == p.Name && other.Architecture != p.Architecture
		}) {
			name += ":" + p.Architecture
		}
		if !p.Installed() {
			value += " (not configured, dpkg says " + p.Status + ")"
		}
		note(value, thingPackage, name)
		if p.Held {
			note("held", thingHold, name)
		}
	}
	switch r := s.Runtime; {
	case r.Unknown != "":
		note(unknownThing, thingRuntime)
	case r.HandlersUnknown != "":
		note(strings.TrimSpace(r.Name+" "+r.Version), thingRuntime)
		note(unknownThing, thingHandlers)
	default:
		note(strings.TrimSpace(r.Name+" "+r.Version), thingRuntime)
		note(strings.Join(r.Handlers, ", "), thingHandlers)
	}
}

// seenWith returns the key that must be known for a key of noteSoftware to be compared; empty for other keys.
func seenWith(node, thing string) string {
	switch {
	case thing == thingPackages, strings.HasPrefix(thing, thingPackage+" "):
		return node + " " + thingPackages
	case thing == thingRuntime, thing == thingHandlers:
		return node + " " + thingRuntime
	}
	return ""
}

const unknownThing = "unknown"

// StandingChange is a thing of the cluster that is another one than it was.
type StandingChange struct {
	What   string `json:"what"`
	Before string `json:"before"` // empty: there was none
	After  string `json:"after"`  // empty: there is none
}

// StandingChanges lists what differs between two looks, sorted. Of a node that one look did not reach, nothing is said
// but that. Of packages and runtimes that one look did not ask for, nothing is said: the record of an older upkeep has
// none. Pure.
func StandingChanges(before, after map[string]string) (out []StandingChange) {
	hidden := func(key string) bool {
		node, thing, is := strings.Cut(key, " ")
		if !is {
			return false
		}
		if before[node] == unknownThing || after[node] == unknownThing {
			return true
		}
		with := seenWith(node, thing)
		was, now := before[with], after[with]
		return with != "" && (was == "" || now == "" || key != with && (was == unknownThing || now == unknownThing))
	}
	keys := maps.Clone(before)
	maps.Copy(keys, after)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if before[key] != after[key] && !hidden(key) {
			out = append(out, StandingChange{What: key, Before: before[key], After: after[key]})
		}
	}
	return out
}

// holdWarning says that a hold stands.
func holdWarning(m facts.Memory, now time.Time) (warnings []string) {
	if m.Hold == nil {
		return nil
	}
	h := m.Hold
	text := fmt.Sprintf("A hold of %s stands since %s: %q. Apply changes nothing until `upkeep hold end`.",
		h.Who, h.At.UTC().Format(time.RFC3339), h.Reason)
	if !now.Before(h.Until) {
		text += fmt.Sprintf(" It should have ended at %s.", h.Until.UTC().Format(time.RFC3339))
	}
	return []string{text}
}
