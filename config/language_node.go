package config

import (
	"regexp"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// largestFleet bounds expect; Kubernetes itself supports 5,000 nodes (kubernetes.io, Considerations for large clusters).
const largestFleet = 100000

// nodeNamePattern is what a node may be called: what can follow the @ of an address.
var nodeNamePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// rolePattern is what a role may be called.
var rolePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]*$`)

func nodeBlock() BlockType {
	return BlockType{
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
			{Name: "roles", Type: cty.List(cty.String), Doc: "What the node is: `control-plane`, `etcd`, or any word that blocks select by."},
			{Name: "primary", Type: cty.Bool, Default: cty.False, Doc: "The first of the control planes: work begins there. At most one node."},
			{Name: "connection", Type: ConnectionType, Doc: "How to reach it: `connection.NAME`. Plain `ssh HOST` where it is not set."},
		}},
		Decode: decodeNode,
	}
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
	if !hostPattern.MatchString(host) {
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

func nodesBlock() BlockType {
	return BlockType{
		Name:  "nodes",
		Label: "a name for this set of nodes",
		Doc:   "Declares nodes that Kubernetes knows, by a label selector. `nodes.NAME` is the set of them, known after discovery; it cannot be counted or iterated over in the configuration.",
		Example: `nodes "gpu" {
  expect     = 40
  address    = "InternalIP"
  roles      = ["gpu"]
  connection = connection.bastion

  from_kubernetes {
    selector = "example.net/gpu=hopper"
  }
}
`,
		Schema: Schema{
			Attributes: []Attribute{
				{Name: "expect", Type: cty.Number, Doc: "How many nodes there should be; another number is a finding."},
				{Name: "address", Type: cty.String, Default: cty.StringVal("InternalIP"), OneOf: []string{"InternalIP", "ExternalIP", "Hostname"}, Doc: "Which address of the Kubernetes node to reach it at."},
				{Name: "roles", Type: cty.List(cty.String), Doc: "What these nodes are, as for `node`."},
				{Name: "connection", Type: ConnectionType, Doc: "How to reach them: `connection.NAME`."},
			},
			Blocks: []NestedBlock{{
				Name: "from_kubernetes", Required: true, Doc: "Takes the nodes from the Kubernetes API.",
				Schema: Schema{Attributes: []Attribute{
					{Name: "selector", Type: cty.String, Required: true, Doc: "A label selector, as `kubectl get nodes -l` takes it."},
				}},
			}},
		},
		Decode: decodeNodes,
	}
}

func decodeNodes(b Block) (any, hcl.Diagnostics) {
	expect, diags := b.Whole("expect", 1, largestFleet)
	roles, more := rolesOf(b)
	diags = append(diags, more...)
	source, _ := b.Nested("from_kubernetes")
	if source.String("selector") == "" {
		diags = append(diags, source.Diagnose("selector", "Invalid selector", "An empty selector would take every node. Name a label, such as \"example.net/gpu=hopper\"."))
	}
	if diags.HasErrors() {
		return nil, diags
	}
	return Fleet{
		Name: Reference{Name: b.Name, Key: b.Key}.instance(), Expect: expect, Address: b.String("address"), Roles: roles,
		Connection: b.Connection("connection"), Selector: source.String("selector"), Position: PositionOf(b.DefRange, b.Directory),
	}, nil
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
