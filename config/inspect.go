package config

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// acceptNode enters a node, which must have a name of its own and be the only primary.
func (l *loader) acceptNode(b Block, n Node) {
	if l.nodes == nil {
		l.nodes = map[string]Node{}
	}
	if first, ok := l.nodes[n.Name]; ok {
		at := ""
		if b.Key != "" {
			at = "for_each"
		}
		l.report(b.Diagnose(at, "Duplicate node name", fmt.Sprintf("A node named %q is already declared at %s. Every node needs a name of its own.", n.Name, first.Position)))
		return
	}
	l.nodes[n.Name] = n
	index := len(l.desired.Nodes)
	l.desired.Nodes = append(l.desired.Nodes, n)
	l.later = append(l.later, func() { l.checkMachine(b, l.desired.Nodes[index]) })
	if !n.Primary {
		return
	}
	if l.primary == nil {
		l.primary = &n
		return
	}
	more := "Leave it to one of them."
	if b.Key != "" && l.primary.Block == n.Block {
		more = fmt.Sprintf("Write primary = each.key == %q.", l.primary.Name)
	}
	l.report(b.Diagnose("primary", "Two primary nodes", fmt.Sprintf("%s (%s) is the primary already, so %s cannot be. %s", l.primary.Name, l.primary.Position, n.Name, more)))
}

// checkMachine reports a node that is reached at the same place as another one: work on both would be work on one
// machine, twice at a time. Nodes behind one address differ by the port or the jump hosts of their connections.
func (l *loader) checkMachine(b Block, n Node) {
	var c Connection
	for _, declared := range l.desired.Connections {
		if declared.Name == n.Connection {
			c = declared
		}
	}
	host := strings.TrimSuffix(strings.ToLower(n.Host), ".")
	if address, err := netip.ParseAddr(host); err == nil {
		host = address.Unmap().String()
	}
	place := fmt.Sprintf("%s port %d by %s with %s", host, c.Port, c.ProxyJump, c.SSHConfig)
	if c.Port == 22 {
		place = fmt.Sprintf("%s port 0 by %s with %s", host, c.ProxyJump, c.SSHConfig)
	}
	if c.Transport == "local" {
		place = "this machine"
	}
	if l.machines == nil {
		l.machines = map[string]Node{}
	}
	first, taken := l.machines[place]
	if !taken {
		l.machines[place] = n
		return
	}
	l.report(b.Diagnose("host", "Two nodes on one machine", fmt.Sprintf("%s and %s (%s) are both reached at %s, so they are one machine. Correct the host of one of them, or remove it.", n.Name, first.Name, first.Position, n.Host)))
}

// own notes what a block has to itself, and reports what another block has already. The diagnostic shows both places:
// the later block as its subject, the earlier one in its text.
func (l *loader) own(d *declaration, b Block, value any) {
	if d.Owns == nil {
		return
	}
	if l.owners == nil {
		l.owners = map[string]owner{}
	}
	name := d.Name + "." + b.Name
	if b.Key != "" {
		name = fmt.Sprintf("%s[%q]", name, b.Key)
	}
	for _, thing := range d.Owns(value) {
		first, owned := l.owners[thing]
		if !owned {
			l.owners[thing] = owner{name, b.DefRange}
			continue
		}
		l.report(b.Diagnose("", "Two blocks for one thing", fmt.Sprintf("%s at %s and %s at %s are both for %s: they would undo each other's work. Remove one of them, or correct its name.",
			first.name, l.place(first.at), name, l.place(b.DefRange), thing)))
	}
}

// owner is the block that something belongs to.
type owner struct {
	name string
	at   hcl.Range
}

func (l *loader) declaredRoles() map[string]bool {
	roles := map[string]bool{}
	for _, n := range l.desired.Nodes {
		for _, role := range n.Roles {
			roles[role] = true
		}
	}
	for _, f := range l.desired.Fleets {
		for _, role := range f.Roles {
			roles[role] = true
		}
	}
	return roles
}

// checkEmpty reports optional arguments that are written as an empty text: mostly a variable that somebody forgot to
// set. Nearly everywhere "" reads as if the argument were absent, so that a limit, a digest or a key would be off
// without a word. An argument that may be left out under a condition is null.
func (l *loader) checkEmpty(s Schema, b Block) {
	for _, a := range s.Attributes {
		if _, set := b.Ranges[a.Name]; !set || a.Required || !a.Type.Equals(cty.String) || !b.Value.Type().HasAttribute(a.Name) {
			continue // what is required is its type's to judge, and meta-arguments are judged elsewhere
		}
		value, _ := b.attribute(a.Name).Unmark()
		if value.IsKnown() && !value.IsNull() && strings.TrimSpace(value.AsString()) == "" {
			l.report(b.Diagnose(a.Name, "Empty text", fmt.Sprintf("%q is empty. Write a value, or remove the argument; null is the same as no argument.", a.Name)))
		}
	}
	eachNested(s, b, l.checkEmpty)
}

// eachNested calls visit for the blocks in a block.
func eachNested(s Schema, b Block, visit func(Schema, Block)) {
	for _, nested := range s.Blocks {
		if !nested.Repeatable {
			if inner, ok := b.Nested(nested.Name); ok {
				visit(nested.Schema, inner)
			}
			continue
		}
		for i := 0; ; i++ {
			inner, ok := b.Nested(fmt.Sprintf("%s.%d", nested.Name, i))
			if !ok {
				break
			}
			visit(nested.Schema, inner)
		}
	}
}

// checkSelections reports sets of nodes that are certainly empty, and roles that no node has.
func (l *loader) checkSelections(s Schema, b Block) {
	if l.failedNodes() {
		return // a node that is wrong itself would make every set that needs it look empty
	}
	for _, a := range s.Attributes {
		if _, set := b.Ranges[a.Name]; !set || !a.Type.Equals(SelectionType) || b.attribute(a.Name).IsNull() {
			continue
		}
		selection := b.Selection(a.Name)
		for _, role := range selection.Roles {
			if !l.roles[role] && !l.mayBeLabelled(role) {
				l.report(b.Diagnose(a.Name, "Role that no node has", fmt.Sprintf("No node has the role %q.%s", role, hint(role, sortedKeys(l.roles), "Roles are"))))
			}
		}
		if len(selection.Roles)+len(selection.Fleets)+len(selection.Names) == 0 {
			l.report(b.Diagnose(a.Name, "Empty set of nodes", "There is no node in this set, so the block would do nothing. Name some nodes, or remove the block."))
		}
	}
	eachNested(s, b, l.checkSelections)
}

// mayBeLabelled reports whether Kubernetes may say of a node that it has a role: of a discovered one, and of one that
// does not say what it is.
func (l *loader) mayBeLabelled(role string) bool {
	return slices.Contains(KubernetesRoles(), role) && (len(l.desired.Fleets) > 0 ||
		l.desired.Cluster != nil && slices.ContainsFunc(l.desired.Nodes, func(n Node) bool { return len(n.Roles) == 0 }))
}

// failedNodes reports whether any node or nodes block was not accepted.
func (l *loader) failedNodes() bool {
	if l.nodesKnown {
		return l.nodesFailed
	}
	l.nodesKnown, l.nodesFailed = true, l.partial
	want := 0
	for _, d := range l.declarations {
		if d.Name == "node" || d.Name == "nodes" {
			l.nodesFailed = l.nodesFailed || d.failed || !d.sound
			want += len(d.instances)
		}
	}
	l.nodesFailed = l.nodesFailed || want != len(l.desired.Nodes)+len(l.desired.Fleets)
	return l.nodesFailed
}

func sortedKeys(set map[string]bool) []string {
	return slices.Sorted(maps.Keys(set))
}

// readsSecrets reports whether an expression reads a sensitive value. HCL takes the mark off what it iterates over, so
// that what a part of the expression reads says too little.
func readsSecrets(expr hclsyntax.Expression, ctx *hcl.EvalContext) bool {
	return slices.ContainsFunc(expr.Variables(), func(t hcl.Traversal) bool {
		for ; len(t) > 0; t = t[:len(t)-1] {
			if v, ok := lookUp(t, ctx); ok {
				return isSensitive(v)
			}
		}
		return false
	})
}

// withoutValues returns HCL's diagnostics about an expression that reads a sensitive value, without any value: HCL
// quotes them in its messages, and what a reference stands for is shown beside a diagnostic: ctx is the context outside
// of the expression, whose sensitive values are marked.
func withoutValues(diags hcl.Diagnostics, ctx *hcl.EvalContext) hcl.Diagnostics {
	out := make(hcl.Diagnostics, len(diags))
	for i, d := range diags {
		copied := *withoutSecrets(d)
		extra, called := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](d)
		names := called && extra.FunctionCallError() == nil // what is quoted then is the function's and its parameter's name
		if copied.Detail == d.Detail && strings.Contains(d.Detail, `"`) && !names {
			copied.Detail = "The reason is not shown, since it may hold a sensitive value."
		}
		copied.EvalContext = ctx
		out[i] = &copied
	}
	return out
}

// withoutSecrets returns the diagnostic, its detail replaced where it may repeat a sensitive value: the error of a
// function may quote what the function was given.
func withoutSecrets(d *hcl.Diagnostic) *hcl.Diagnostic {
	extra, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](d)
	if !ok || extra.FunctionCallError() == nil || d.Expression == nil {
		return d
	}
	if !slices.ContainsFunc(d.Expression.Variables(), func(t hcl.Traversal) bool {
		v, ok := lookUp(t, d.EvalContext)
		return ok && isSensitive(v)
	}) {
		return d
	}
	out := *d
	out.Detail = "The function failed. The reason is not shown, since it may hold a sensitive value."
	return &out
}
