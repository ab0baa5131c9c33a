package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/hashicorp/hcl/v2"
	"go.yaml.in/yaml/v3"
)

// The bounds of an inventory. A host takes some hundred bytes.
const (
	largestInventory = 4 << 20
	mostHosts        = 5000
	deepestGroup     = 16
)

// kubesprayRoles are the roles that kubespray's groups stand for. The names with a hyphen are those before v2.15.
var kubesprayRoles = []struct{ group, role string }{
	{"kube_control_plane", "control-plane"}, {"kube-master", "control-plane"},
	{"etcd", "etcd"},
	{"kube_node", "worker"}, {"kube-node", "worker"},
}

// inventoryHost is one host of an inventory.
type inventoryHost struct {
	Name, Address string
	Roles         []string
	Line          int
}

// misplaced is a mistake in an inventory, at a line of it; 0: it is about the file.
type misplaced struct {
	line int
	what string
}

func (m misplaced) Error() string { return m.what }

// parseInventory reads an inventory of Ansible in YAML as kubespray lays it out: hosts, and the groups that say what
// each is. Hosts are in the file's order. Of the variables of a host it takes the address alone.
func parseInventory(text []byte) ([]inventoryHost, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, misplaced{what: "the YAML cannot be parsed: " + strings.TrimPrefix(err.Error(), "yaml: ")}
	}
	if len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode {
		return nil, misplaced{what: "the file is no inventory: it has no groups"}
	}
	if key := twice(document.Content[0]); key != nil {
		return nil, misplaced{key.Line, fmt.Sprintf("%q stands twice in one place; Ansible takes the last one; remove one of the two", key.Value)}
	}
	inv := inventory{groups: map[string]*group{}, hosts: map[string]*inventoryHost{}}
	for _, g := range pairs(document.Content[0]) {
		if err := inv.group(g.key.Value, g.value, 0); err != nil {
			return nil, err
		}
	}
	for _, r := range kubesprayRoles {
		for _, name := range inv.members(r.group, nil) {
			if h := inv.hosts[name]; !slices.Contains(h.Roles, r.role) {
				h.Roles = append(h.Roles, r.role)
			}
		}
	}
	var out []inventoryHost
	for _, name := range inv.order {
		out = append(out, *inv.hosts[name])
	}
	if len(out) == 0 {
		return nil, misplaced{what: "the inventory names no host"}
	}
	return out, nil
}

type group struct{ hosts, children []string }

type inventory struct {
	groups map[string]*group
	hosts  map[string]*inventoryHost
	order  []string
}

type pair struct{ key, value *yaml.Node }

// pairs returns the entries of a mapping; none of anything else, an alias among it.
func pairs(n *yaml.Node) (out []pair) {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		out = append(out, pair{n.Content[i], n.Content[i+1]})
	}
	return out
}

// twice returns a key that stands in one mapping a second time; nil where there is none.
func twice(n *yaml.Node) *yaml.Node {
	seen := map[string]bool{}
	for _, p := range pairs(n) {
		if seen[p.key.Value] && p.key.Value != "<<" {
			return p.key
		}
		seen[p.key.Value] = true
	}
	for _, below := range n.Content {
		if key := twice(below); key != nil {
			return key
		}
	}
	return nil
}

// group takes in one group. The same group may stand in several places, as in Ansible.
func (v *inventory) group(name string, n *yaml.Node, depth int) error {
	if depth > deepestGroup {
		return misplaced{n.Line, fmt.Sprintf("groups are nested more than %d deep", deepestGroup)}
	}
	g := v.groups[name]
	if g == nil {
		g = &group{}
		v.groups[name] = g
	}
	for _, part := range pairs(n) {
		switch part.key.Value {
		case "hosts":
			for _, h := range pairs(part.value) {
				if err := v.host(h); err != nil {
					return err
				}
				g.hosts = append(g.hosts, h.key.Value)
			}
		case "children":
			for _, c := range pairs(part.value) {
				g.children = append(g.children, c.key.Value)
				if err := v.group(c.key.Value, c.value, depth+1); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// host takes in one host. Its address may stand where the host is named again.
func (v *inventory) host(h pair) error {
	name := h.key.Value
	if !nodeNamePattern.MatchString(name) {
		return misplaced{h.key.Line, fmt.Sprintf("%q is not the name of a host; ranges such as node[1:3] are not read", name)}
	}
	found := v.hosts[name]
	if found == nil {
		if len(v.hosts) == mostHosts {
			return misplaced{h.key.Line, fmt.Sprintf("the inventory has more than %d hosts", mostHosts)}
		}
		found = &inventoryHost{Name: name, Line: h.key.Line}
		v.hosts[name], v.order = found, append(v.order, name)
	}
	for _, key := range []string{"ip", "access_ip", "ansible_host"} { // the last one counts
		for _, p := range pairs(h.value) {
			if p.key.Value != key || p.value.Kind != yaml.ScalarNode || p.value.Value == "" {
				continue
			}
			if !ValidHost(p.value.Value) {
				return misplaced{p.value.Line, fmt.Sprintf("%s of %s is %q, which is neither an address nor a host name",
					key, name, p.value.Value)}
			}
			found.Address, found.Line = p.value.Value, h.key.Line
		}
	}
	return nil
}

// members are the hosts of a group and of the groups in it.
func (v *inventory) members(name string, seen []string) []string {
	g := v.groups[name]
	if g == nil || slices.Contains(seen, name) {
		return nil
	}
	out, seen := slices.Clone(g.hosts), append(seen, name)
	for _, child := range g.children {
		out = append(out, v.members(child, seen)...)
	}
	return out
}

// fromKubespray is a nodes block whose members an inventory of kubespray names.
type fromKubespray struct {
	name, path, connection string
	roles                  []string
	position               Position
}

// enter reads the inventory and declares its hosts as nodes of the block.
func (f fromKubespray) enter(l *loader, b Block) {
	shown := filepath.ToSlash(l.reach.shown(f.path))
	fail := func(detail string) { l.report(b.Diagnose("from_kubespray", "Invalid inventory", detail)) }
	text, err := l.reach.read(f.path, largestInventory)
	switch {
	case errors.Is(err, errOutside) && l.reach.trust == Unread:
		l.reach.left(fmt.Sprintf("from_kubespray = %q", f.path))
		return
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOENT) || errors.Is(err, errNotRegular):
		fail("There is no file " + shown + ". Name kubespray's inventory in YAML, such as \"../inventory/mycluster/hosts.yaml\".")
		return
	case err != nil:
		fail(fmt.Sprintf("%s: %v.", shown, reason(err)))
		return
	}
	hosts, err := parseInventory(text)
	if err != nil {
		place := shown
		if m := (misplaced{}); errors.As(err, &m) && m.line > 0 {
			place = fmt.Sprintf("%s:%d", shown, m.line)
		}
		fail(fmt.Sprintf("%s: %v.", place, err))
		return
	}
	for _, h := range hosts {
		n := Node{
			Name: h.Name, Block: f.name, Fleet: true, Host: h.Address, Connection: f.connection, Position: f.position,
			Roles: slices.Clone(h.Roles),
		}
		if n.Host == "" {
			n.Host = h.Name
		}
		for _, role := range f.roles {
			if !slices.Contains(n.Roles, role) {
				n.Roles = append(n.Roles, role)
			}
		}
		l.acceptNode(b, n)
	}
}

// decodeKubespray decodes a nodes block that names an inventory.
func decodeKubespray(b Block) (any, hcl.Diagnostics) {
	for _, other := range []string{"selector", "expect"} {
		if _, set := b.Ranges[other]; set {
			return nil, hcl.Diagnostics{b.Diagnose(other, "Two sources",
				"\""+other+"\" is for nodes that Kubernetes names, and from_kubespray names them already. Remove one of the two.")}
		}
	}
	if _, nested := b.Nested("from_kubernetes"); nested {
		return nil, hcl.Diagnostics{b.Diagnose("from_kubernetes", "Two sources",
			"from_kubespray names the nodes already. Remove one of the two.")}
	}
	roles, diags := rolesOf(b)
	if diags.HasErrors() {
		return nil, diags
	}
	return fromKubespray{
		name: Reference{Name: b.Name, Key: b.Key}.instance(), path: b.String("from_kubespray"),
		connection: b.Connection("connection"),
		roles:      roles, position: PositionOf(b.DefRange, b.Directory),
	}, nil
}
