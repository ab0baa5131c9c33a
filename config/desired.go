// Package config reads the language of upkeep: HCL files in, typed desired state and diagnostics out.
//
// It knows a block type only through the BlockType that a domain registers; the blocks of the language itself (upkeep,
// include, state, variable, locals, cluster, defaults, connection, node, nodes, out, ignore) are described the same way
// by this package. It reads files and an environment it is given, and nothing else: no node, no cluster. It never
// prints: every problem is an hcl.Diagnostic, with a source range where it has a place in a file, and all of them come
// back at once.
package config

import (
	"slices"
	"strconv"
)

// Desired is what the operator declared. It is plain data and survives JSON; a plan file embeds it.
type Desired struct {
	// RequiredVersion is the constraint of the upkeep block; empty for any.
	RequiredVersion string       `json:"required_version,omitempty"`
	State           State        `json:"state"`
	Cluster         *Cluster     `json:"cluster,omitempty"`
	Connections     []Connection `json:"connections,omitempty"`
	Nodes           []Node       `json:"nodes,omitempty"`
	Fleets          []Fleet      `json:"fleets,omitempty"`
	// Outs are the nodes that a person has taken out, Ignores the findings that are not counted.
	Outs    []Out    `json:"outs,omitempty"`
	Ignores []Ignore `json:"ignores,omitempty"`
	// Resources are the decoded blocks of registered types, in file and declaration order, for_each keys sorted.
	Resources []Declared `json:"resources,omitempty"`
}

// Declared is one block of a registered type (one instance of it, where for_each makes several).
type Declared struct {
	Type     string   `json:"type"`
	Name     string   `json:"name"`
	Key      string   `json:"key,omitempty"`
	Position Position `json:"position"`
	// Meta is what the block says of every step it plans, as any block of a registered type may.
	Meta Meta `json:"meta,omitzero"`
	// Value is what BlockType.Decode returned. In JSON it is the domain's plain data; Restore brings it back.
	Value any `json:"value"`
}

// Cluster says how to reach the Kubernetes API.
type Cluster struct {
	// Kubeconfig is a path with ~ expanded, relative to the configuration directory unless absolute.
	Kubeconfig string   `json:"kubeconfig"`
	Context    string   `json:"context,omitempty"`
	Position   Position `json:"position"`
}

// Connection says how to reach nodes.
type Connection struct {
	Name string `json:"name"`
	// Transport is "ssh" or "local".
	Transport string `json:"transport"`
	User      string `json:"user,omitempty"`
	Port      int    `json:"port,omitempty"`
	// Become runs the helper as root by `sudo -n`.
	Become    bool   `json:"become,omitempty"`
	ProxyJump string `json:"proxy_jump,omitempty"`
	// KnownHosts, Identity and SSHConfig are paths, made absolute against the configuration directory.
	KnownHosts string `json:"known_hosts,omitempty"`
	Identity   string `json:"identity,omitempty"`
	SSHConfig  string `json:"ssh_config,omitempty"`
	// Access is "full" (the helper is streamed in) or "restricted" (it is installed, and named in sudoers).
	Access string `json:"access"`
	// MaxSessions limits the sessions at a time through one jump host; 0 is the default of 8.
	MaxSessions int      `json:"max_sessions,omitempty"`
	Position    Position `json:"position"`
}

// Node is one declared node, or one that a fleet resolved to.
type Node struct {
	// Name is the for_each key, else the block's label; for a discovered node its Kubernetes name. Unique.
	Name string `json:"name"`
	// Block is the label of the node block, or of the nodes block whose member this is.
	Block      string   `json:"block"`
	Fleet      bool     `json:"fleet,omitempty"`
	Host       string   `json:"host"`
	Roles      []string `json:"roles,omitempty"`
	Primary    bool     `json:"primary,omitempty"`
	Connection string   `json:"connection"` // name of a connection; "" is plain ssh as the operator's ~/.ssh/config has it
	Position   Position `json:"position"`
}

// KubernetesRoles are the roles that Kubernetes itself labels a node with (node-role.kubernetes.io/ROLE) and that
// upkeep takes from there. What else a node is, only a block says.
func KubernetesRoles() []string { return []string{"control-plane", "etcd"} }

// Fleet is a nodes block: members that Kubernetes names.
type Fleet struct {
	Name       string   `json:"name"`
	Expect     int      `json:"expect,omitempty"` // 0: no expectation
	Address    string   `json:"address"`          // Kubernetes address type: "InternalIP", "ExternalIP", "Hostname"
	Roles      []string `json:"roles,omitempty"`
	Connection string   `json:"connection"`
	Selector   string   `json:"selector"` // a Kubernetes label selector
	Position   Position `json:"position"`
}

// Selection is a set of nodes, resolved only when fleets are known.
type Selection struct {
	Roles  []string `json:"roles,omitempty"`
	Fleets []string `json:"fleets,omitempty"`
	Names  []string `json:"names,omitempty"`
}

// Has reports whether a node belongs to the selection.
func (s Selection) Has(n Node) bool {
	for _, role := range s.Roles {
		if slices.Contains(n.Roles, role) {
			return true
		}
	}
	if n.Fleet && slices.Contains(s.Fleets, n.Block) {
		return true
	}
	return slices.Contains(s.Names, n.Name)
}

// Position is where something was declared.
type Position struct {
	File string `json:"file,omitempty"` // relative to the configuration directory
	Line int    `json:"line,omitempty"`
}

// String returns file:line, or the empty string.
func (p Position) String() string {
	if p.File == "" {
		return ""
	}
	return p.File + ":" + strconv.Itoa(p.Line)
}
