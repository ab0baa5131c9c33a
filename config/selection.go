package config

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// SelectionType is the type of an argument that names a set of nodes: role("etcd"), node.cp, node.cp["cp1"], nodes.gpu,
// or a list of these, which unite.
var SelectionType = cty.CapsuleWithOps("set of nodes", reflect.TypeFor[Selection](), &cty.CapsuleOps{
	GoString:     func(v any) string { return "set of nodes " + v.(*Selection).key() },
	TypeGoString: func(reflect.Type) string { return "config.SelectionType" },
	Equals:       func(a, b any) cty.Value { return cty.BoolVal(a.(*Selection).key() == b.(*Selection).key()) },
	RawEquals:    func(a, b any) bool { return a.(*Selection).key() == b.(*Selection).key() },
	HashKey:      func(v any) string { return v.(*Selection).key() },
})

// ConnectionType is the type of an argument that names a connection: connection.bastion.
var ConnectionType = referenceType("connection", "config.ConnectionType")

// ReferenceType is the type of an argument that names another block of a registered type: etcd_backup.daily.
var ReferenceType = referenceType("reference to a block", "config.ReferenceType")

func referenceType(name, goName string) cty.Type {
	return cty.CapsuleWithOps(name, reflect.TypeFor[Reference](), &cty.CapsuleOps{
		GoString:     func(v any) string { return v.(*Reference).String() },
		TypeGoString: func(reflect.Type) string { return goName },
		Equals:       func(a, b any) cty.Value { return cty.BoolVal(*a.(*Reference) == *b.(*Reference)) },
		RawEquals:    func(a, b any) bool { return *a.(*Reference) == *b.(*Reference) },
		HashKey:      func(v any) string { return v.(*Reference).String() },
	})
}

// Reference names a block, or one instance of a block with for_each.
type Reference struct {
	Type, Name, Key string
}

// String returns the reference as written: TYPE.NAME or TYPE.NAME["KEY"].
func (r Reference) String() string { return r.Type + "." + r.instance() }

// instance returns the reference without its type.
func (r Reference) instance() string {
	if r.Key == "" {
		return r.Name
	}
	return r.Name + "[" + strconv.Quote(r.Key) + "]"
}

// Matcher returns Has for many nodes: after one pass over the selection each question costs the same however many names
// the selection lists.
func (s Selection) Matcher() func(Node) bool {
	names := make(map[string]bool, len(s.Names))
	for _, name := range s.Names {
		names[name] = true
	}
	few := Selection{Roles: s.Roles, Fleets: s.Fleets}
	return func(n Node) bool { return names[n.Name] || few.Has(n) }
}

// key is the same for selections that list the same parts.
func (s Selection) key() string {
	s = unite(s)
	quote := func(words []string) string {
		quoted := make([]string, len(words))
		for i, w := range words {
			quoted[i] = strconv.Quote(w)
		}
		return "[" + strings.Join(quoted, " ") + "]"
	}
	return "roles" + quote(s.Roles) + " fleets" + quote(s.Fleets) + " names" + quote(s.Names)
}

// unite returns the union, each part sorted and without repetition.
func unite(selections ...Selection) Selection {
	var out Selection
	for _, s := range selections {
		out.Roles = append(out.Roles, s.Roles...)
		out.Fleets = append(out.Fleets, s.Fleets...)
		out.Names = append(out.Names, s.Names...)
	}
	for _, part := range []*[]string{&out.Roles, &out.Fleets, &out.Names} {
		slices.Sort(*part)
		*part = slices.Compact(*part)
	}
	return out
}

// selectionIn returns the union of the selections in a value: one selection, or a list, set or map of them at any depth.
// It is false where the value holds anything else.
func selectionIn(v cty.Value) (Selection, bool) {
	if v.IsNull() || !v.IsKnown() {
		return Selection{}, false
	}
	if v.Type().Equals(SelectionType) {
		return unite(*v.EncapsulatedValue().(*Selection)), true
	}
	if !v.CanIterateElements() {
		return Selection{}, false
	}
	var parts []Selection
	for it := v.ElementIterator(); it.Next(); {
		_, element := it.Element()
		part, ok := selectionIn(element)
		if !ok {
			return Selection{}, false
		}
		parts = append(parts, part)
	}
	return unite(parts...), true
}
