package config

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// largestFleet bounds expect; Kubernetes itself supports 5,000 nodes (kubernetes.io, Considerations for large
// clusters).
const largestFleet = 100000

// nodeNamePattern is what a node may be called: what can follow the @ of an address.
var nodeNamePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// rolePattern is what a role may be called.
var rolePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]*$`)

func nodeBlock() entry {
	return entry{refer: referToNode, check: checkNodes, BlockType: BlockType{
		Name:  "node",
		Label: "the name of the node; with `for_each`, of the group, and the keys are the nodes' names",
		Doc:   "Declares a node by its address. `role(\"ROLE\")`, `node.NAME` and `node.NAME[\"KEY\"]` are sets of nodes for other blocks.",
		Example: `node "cp" {
  for_each   = { cp1 = "10.0.0.11", cp2 = "10.0.0.12", cp3 = "10.0.0.13" }
  host       = each.value
  roles      = ["control-plane", "etcd"]
  primary    = each.key == "cp1"
  connection = connection.bastion
}
`,
		Schema: Schema{Attributes: []Attribute{
			{Name: "host", Type: cty.String, Required: true, Doc: "The address, DNS name or ssh alias to reach the node at."},
			{Name: "roles", Type: cty.List(cty.String), Doc: "What the node is: `control-plane`, `etcd`, or any word that blocks select by. `control-plane` and `etcd` are added where Kubernetes labels the node so (`node-role.kubernetes.io/ROLE`)."},
			{Name: "primary", Type: cty.Bool, Default: cty.False, Doc: "The first of the control planes: work begins there. At most one node."},
			{Name: "connection", Type: ConnectionType, Doc: "How to reach it: `connection.NAME`. Without it the one of the `defaults` block, else plain `ssh HOST`."},
		}},
		Decode: decodeNode,
	}}
}

func decodeNode(b Block) (any, hcl.Diagnostics) {
	name := nodeName(Reference{Name: b.Name, Key: b.Key})
	var diags hcl.Diagnostics
	if !nodeNamePattern.MatchString(name) {
		at := ""
		if b.Key != "" {
			at = "for_each"
		}
		diags = append(diags, b.Diagnose(at, "Invalid node name", "\""+name+"\" is not the name of a node. A name has only letters, digits, points, hyphens and underscores, and begins with a letter or digit."))
	}
	host := b.String("host")
	if !ValidHost(host) {
		diags = append(diags, b.Diagnose("host", "Invalid host", "\""+host+"\" is not an address or a host name. The user and the port belong into a connection block."))
	}
	roles, more := rolesOf(b)
	diags = append(diags, more...)
	if diags.HasErrors() {
		return nil, diags
	}
	return Node{
		Name: name, Block: b.Name, Host: host, Roles: roles, Primary: b.Bool("primary"),
		Connection: b.Connection("connection"), Position: PositionOf(b.DefRange, b.Directory),
	}, nil
}

func nodesBlock() entry {
	return entry{refer: referToNodes, check: checkFleets, BlockType: BlockType{
		Name:  "nodes",
		Label: "a name for this set of nodes",
		Doc:   "Declares nodes that Kubernetes knows, by a label selector. `nodes.NAME` is the set of them, known after discovery; it cannot be counted or iterated over in the configuration.",
		Example: `nodes "gpu" {
  selector   = "example.net/gpu=hopper"
  expect     = 40
  address    = "InternalIP"
  roles      = ["gpu"]
  connection = connection.bastion
}
`,
		Schema: Schema{
			Attributes: []Attribute{
				{Name: "expect", Type: cty.Number, Doc: "How many nodes there should be; another number is a finding."},
				{Name: "address", Type: cty.String, Default: cty.StringVal("InternalIP"), OneOf: []string{"InternalIP", "ExternalIP", "Hostname"}, Doc: "Which address of the Kubernetes node to reach it at."},
				{Name: "roles", Type: cty.List(cty.String), Doc: "What these nodes are, as for `node`."},
				{Name: "connection", Type: ConnectionType, Doc: "How to reach them: `connection.NAME`. Without it the one of the `defaults` block, else plain `ssh HOST`."},
				{Name: "from_kubespray", Type: cty.String,
					Doc: "The path of a kubespray inventory in YAML, relative to the configuration directory, in the place of `selector`: " +
						"its hosts are the nodes, also while the API does not answer. Group `kube_control_plane` gives the role `control-plane`, `etcd` gives `etcd`, `kube_node` gives `worker`."},
				{
					Name: "selector", Type: cty.String,
					Doc: "Which nodes: a label selector, as `kubectl get nodes -l` takes it. " +
						"Required, here or in a `from_kubernetes` block. " +
						"It may say what a node must not have: `!example.net/lab`, `example.net/pool!=lab`. " +
						"Labels that Akash's operator-inventory manages are an error, since it removes them when a node is cordoned.",
				},
			},
			Blocks: []NestedBlock{{
				Name: "from_kubernetes", Doc: "The longer spelling of `selector`.",
				Schema: Schema{Attributes: []Attribute{
					{Name: "selector", Type: cty.String, Required: true, Doc: "A label selector, as `kubectl get nodes -l` takes it."},
				}},
			}},
		},
		Decode: decodeNodes,
	}}
}

func decodeNodes(b Block) (any, hcl.Diagnostics) {
	if _, set := b.Ranges["from_kubespray"]; set {
		return decodeKubespray(b)
	}
	expect, diags := b.Integer("expect", 1, largestFleet)
	roles, more := rolesOf(b)
	diags = append(diags, more...)
	selector, more := selectorOf(b)
	diags = append(diags, more...)
	if diags.HasErrors() {
		return nil, diags
	}
	return Fleet{
		Name: Reference{Name: b.Name, Key: b.Key}.instance(), Expect: expect, Address: b.String("address"), Roles: roles,
		Connection: b.Connection("connection"), Selector: selector, Position: PositionOf(b.DefRange, b.Directory),
	}, nil
}

// selectorOf returns the selector of a nodes block, which stands in the block itself or in its from_kubernetes block.
func selectorOf(b Block) (string, hcl.Diagnostics) {
	source, nested := b.Nested("from_kubernetes")
	_, direct := b.Ranges["selector"]
	switch {
	case direct && nested:
		return "", hcl.Diagnostics{b.Diagnose("from_kubernetes", "Two selectors", "\"selector\" is set, so the from_kubernetes block is not needed. Remove one of them.")}
	case !direct && !nested:
		return "", hcl.Diagnostics{b.Diagnose("", "Missing argument", "A nodes block needs \"selector\", which is not set. Write for example selector = \"example.net/gpu=hopper\".")}
	case direct:
		source = b
	}
	if strings.TrimSpace(source.String("selector")) == "" {
		return "", hcl.Diagnostics{source.Diagnose("selector", "Invalid selector", "An empty selector would take every node. Name a label, such as \"example.net/gpu=hopper\".")}
	}
	return source.String("selector"), nil
}

// rolesOf returns the roles of a node or nodes block, each once, in their order.
func rolesOf(b Block) ([]string, hcl.Diagnostics) {
	var roles []string
	for it := b.elements("roles"); it != nil && it.Next(); {
		_, v := it.Element()
		if v.IsNull() || !rolePattern.MatchString(v.AsString()) {
			return nil, hcl.Diagnostics{b.Diagnose("roles", "Invalid role", "A role is a word of letters, digits, points, hyphens and slashes, such as \"control-plane\".")}
		}
		if !slices.Contains(roles, v.AsString()) {
			roles = append(roles, v.AsString())
		}
	}
	return roles, nil
}

func (n Node) enter(l *loader, b Block) { l.acceptNode(b, n) }

func (f Fleet) enter(l *loader, b Block) {
	if l.options.Selector != nil {
		if err := l.options.Selector(f.Selector); err != nil {
			at := "selector"
			if _, direct := b.Ranges[at]; !direct {
				at = "from_kubernetes.selector"
			}
			var known interface {
				Diagnosis() (summary, detail string)
			}
			if errors.As(err, &known) {
				summary, detail := known.Diagnosis()
				l.report(b.Diagnose(at, summary, detail))
				return
			}
			l.report(b.Diagnose(at, "Invalid selector", fmt.Sprintf("%q is not a label selector: %v. Write it as `kubectl get nodes -l` takes it, such as \"example.net/gpu=hopper\".", f.Selector, err)))
			return
		}
	}
	l.desired.Fleets = append(l.desired.Fleets, f)
}

func referToNode(r Reference) cty.Value {
	return cty.CapsuleVal(SelectionType, &Selection{Names: []string{nodeName(r)}})
}

func referToNodes(r Reference) cty.Value {
	return cty.CapsuleVal(SelectionType, &Selection{Fleets: []string{r.instance()}})
}

// ValidHost reports whether a word is an address, or a name that ssh resolves. A colon is part of an IPv6 address
// alone, and what has only digits and points in it is an IPv4 address or a mistake.
func ValidHost(host string) bool {
	if !hostPattern.MatchString(host) {
		return false
	}
	if strings.Contains(host, ":") || strings.Contains(host, ".") && strings.Trim(host, "0123456789.") == "" {
		_, err := netip.ParseAddr(host)
		return err == nil
	}
	return !strings.Contains(host, "..")
}

// checkNodes reports what must not reach ssh, names that occur twice and a second primary.
func checkNodes(d Desired) error {
	names, primaries := map[string]bool{}, 0
	for _, n := range d.Nodes {
		switch {
		case !nodeNamePattern.MatchString(n.Name) || names[n.Name]:
			return fmt.Errorf("node %q: this is not a name, or it occurs twice", n.Name)
		case !ValidHost(n.Host):
			return fmt.Errorf("node %q: %q is not a host", n.Name, n.Host)
		case !d.connects(n.Connection):
			return fmt.Errorf("node %q: there is no connection %q", n.Name, n.Connection)
		}
		names[n.Name] = true
		if n.Primary {
			primaries++
		}
	}
	if primaries > 1 {
		return errors.New("more than one node is primary")
	}
	return nil
}

func checkFleets(d Desired) error {
	names := map[string]bool{"": true}
	for _, f := range d.Fleets {
		switch {
		case names[f.Name]:
			return fmt.Errorf("nodes %q: the name is empty or occurs twice", f.Name)
		case !d.connects(f.Connection):
			return fmt.Errorf("nodes %q: there is no connection %q", f.Name, f.Connection)
		case strings.TrimSpace(f.Selector) == "":
			return fmt.Errorf("nodes %q: the selector is empty", f.Name)
		}
		names[f.Name] = true
	}
	return nil
}
