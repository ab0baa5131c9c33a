// Package facts is the observed world and the memory, as plain data.
//
// It observes nothing and decides nothing: adapters fill these types, domains read them, and both a facts file and a
// plan file hold them as JSON. Every section that an adapter can fail to fill has a field Unknown: the reason, in words
// an operator understands, why the section could not be observed. An empty Unknown means that it was observed. A reader
// must look at Unknown before it believes a zero value: unknown is never healthy.
//
// Secrets have no place here: no key, no token, no client certificate's private half. Times are UTC; sizes are bytes.
package facts

import (
	"maps"
	"slices"
	"time"
)

// New is in a predicted world for a value that cannot be known before it happens: a serial, a container id.
// Two predicted values that are both New are the same new value.
const New = "(new)"

// World is everything that was observed, once.
type World struct {
	// ObservedAt is when observation ended, by the clock of the machine that upkeep ran on.
	ObservedAt time.Time `json:"observed_at"`
	// Nodes holds every node that was asked, by its name in the configuration (a discovered node: its Kubernetes name).
	Nodes map[string]*Node `json:"nodes"`
	// Fleets holds the members that each `nodes` block resolved to, by the block's name.
	Fleets     map[string]Fleet `json:"fleets,omitempty"`
	Kubernetes Kubernetes       `json:"kubernetes"`
	Etcd       Etcd             `json:"etcd"`
	// Backups holds what each backup store holds, by the address of the resource that keeps it.
	Backups map[string]Backups `json:"backups,omitempty"`
	// Releases holds the Helm releases that were asked for, by ReleaseKey.
	Releases map[string]*Release `json:"releases,omitempty"`
	// Archives holds what archives hold of releases, by ReleaseKey; Downloads what stands behind URLs, by URL.
	Archives  map[string]Archive  `json:"archives,omitempty"`
	Downloads map[string]Download `json:"downloads,omitempty"`
	// Prices holds what bid price scripts answered when they ran, by PriceQuestion.Key. Nothing is measured unless
	// somebody asks for it.
	Prices map[string]PriceMeasurement `json:"prices,omitempty"`
	// Definitions holds the CustomResourceDefinitions that were asked for, by name; Secrets whether Secrets exist, by
	// SecretKey; Charts the releases of a chart in all namespaces, by the chart's name.
	Definitions map[string]Definition `json:"definitions,omitempty"`
	Secrets     map[string]Existence  `json:"secrets,omitempty"`
	Charts      map[string]Installed  `json:"charts,omitempty"`
	// Public is what anybody sees of hosts from where upkeep runs, by PublicQuestion.Key.
	Public map[string]Public `json:"public,omitempty"`
	// Tenancies are the leases of an Akash provider's tenants; nil when nobody asked.
	Tenancies *Tenancies `json:"tenancies,omitempty"`
	// Residents are the pods that matter when their node is taken down; nil when nobody asked.
	Residents *Residents `json:"residents,omitempty"`
	// Maintenance is what other programs have nodes for; nil when nobody asked.
	Maintenance *Maintenance `json:"maintenance,omitempty"`
	// HostPorts are the pods that hold ports of nodes; nil when nobody asked.
	HostPorts *HostPorts `json:"host_ports,omitempty"`
	// Drains is what draining nodes would do, by the node's name in Kubernetes.
	Drains map[string]Drain `json:"drains,omitempty"`
	// Here is the machine that upkeep ran on when it looked.
	Here Here `json:"here,omitzero"`
}

// Fleet is what a `nodes` block resolved to.
type Fleet struct {
	Unknown string   `json:"unknown,omitempty" plain:"said"`
	Members []string `json:"members,omitempty"`
}

// Node returns the named node's facts. A node that was never asked is unknown, not absent.
func (w World) Node(name string) Node {
	if n := w.Nodes[name]; n != nil {
		return *n
	}
	return Node{Name: name, Unknown: "not observed"}
}

// NodeNames returns the names of all nodes, sorted.
func (w World) NodeNames() []string {
	return slices.Sorted(maps.Keys(w.Nodes))
}

// Clone returns a world whose parts can be replaced by Apply without changing w. The parts themselves are shared:
// replace a part, never write into it.
func (w World) Clone() World {
	w.Nodes = maps.Clone(w.Nodes)
	w.Backups = maps.Clone(w.Backups)
	if w.Nodes == nil {
		w.Nodes = map[string]*Node{}
	}
	w.Releases = maps.Clone(w.Releases)
	w.Archives = maps.Clone(w.Archives)
	w.Definitions = maps.Clone(w.Definitions)
	w.Public = maps.Clone(w.Public)
	w.Drains = maps.Clone(w.Drains)
	return w
}

// Update is the difference that one step makes to a world: the parts that it replaces, complete.
type Update struct {
	Nodes      []Node
	Kubernetes *Kubernetes
	Etcd       *Etcd
	// Backups replaces the stores it names.
	Backups map[string]Backups
	// Sections replaces the sections of the memory that it names.
	Sections  Sections
	Releases  []Release
	Tenancies *Tenancies
	// Archives replaces what it names, by ReleaseKey.
	Archives map[string]Archive
	// Definitions replaces those it names.
	Definitions []Definition
	// Public replaces what it names, by PublicQuestion.Key.
	Public map[string]Public
	// Drains replaces those it names, by the node's name in Kubernetes.
	Drains map[string]Drain
}

// Apply replaces parts of w by those of u, which nobody may write into from then on. The caller must own w (see Clone).
func (w *World) Apply(u Update) {
	for i := range u.Nodes {
		w.Nodes[u.Nodes[i].Name] = &u.Nodes[i]
	}
	if u.Kubernetes != nil {
		w.Kubernetes = *u.Kubernetes
	}
	if u.Etcd != nil {
		w.Etcd = *u.Etcd
	}
	if len(u.Backups) > 0 && w.Backups == nil {
		w.Backups = make(map[string]Backups, len(u.Backups))
	}
	maps.Copy(w.Backups, u.Backups)
	for _, r := range u.Releases {
		if w.Releases == nil {
			w.Releases = map[string]*Release{}
		}
		w.Releases[ReleaseKey(r.Namespace, r.Name)] = &r
	}
	if len(u.Archives) > 0 && w.Archives == nil {
		w.Archives = make(map[string]Archive, len(u.Archives))
	}
	maps.Copy(w.Archives, u.Archives)
	for _, d := range u.Definitions {
		if w.Definitions == nil {
			w.Definitions = map[string]Definition{}
		}
		w.Definitions[d.Name] = d
	}
	if len(u.Public) > 0 && w.Public == nil {
		w.Public = make(map[string]Public, len(u.Public))
	}
	maps.Copy(w.Public, u.Public)
	if len(u.Drains) > 0 && w.Drains == nil {
		w.Drains = make(map[string]Drain, len(u.Drains))
	}
	maps.Copy(w.Drains, u.Drains)
	if u.Tenancies != nil {
		w.Tenancies = u.Tenancies
	}
}
