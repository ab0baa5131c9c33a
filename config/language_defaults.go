package config

import (
	"github.com/hashicorp/hcl/v2"
)

// defaults is what a defaults block decodes to. It is entered into what it is the default of, so a desired state does not
// keep it.
type defaults struct {
	connection string
	windows    []string
}

func defaultsBlock() entry {
	window := windowArgument()
	window.Doc += " For every block that does not set `window`."
	return entry{single: true, plain: true, BlockType: BlockType{
		Name: "defaults",
		Doc:  "Says once what most blocks would say. A block that says otherwise has its own way. At most one such block.",
		Example: `defaults {
  connection = connection.bastion
  window     = "always"
}
`,
		Schema: Schema{Attributes: []Attribute{
			{Name: "connection", Type: ConnectionType, Doc: "How to reach the nodes of every `node` and `nodes` block that does not set `connection`."},
			window,
		}},
		Decode: func(b Block) (any, hcl.Diagnostics) {
			return defaults{connection: b.Connection("connection"), windows: b.Strings(windowAttribute)}, nil
		},
	}}
}

func (v defaults) enter(l *loader, _ Block) { l.defaults = v }

// settleDefaults gives nodes what they do not say themselves. Blocks stand in any order, so this comes after all of them.
func (l *loader) settleDefaults() {
	for i := range l.desired.Nodes {
		if n := &l.desired.Nodes[i]; n.Connection == "" {
			n.Connection = l.defaults.connection
		}
	}
	for i := range l.desired.Fleets {
		if f := &l.desired.Fleets[i]; f.Connection == "" {
			f.Connection = l.defaults.connection
		}
	}
}
