package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// Block is one checked block (one instance of it, where for_each makes several), ready for BlockType.Decode.
type Block struct {
	Type, Name, Key string
	// Value is an object of the schema's shape; nested blocks are objects (null when absent) or lists of objects.
	Value cty.Value
	// DefRange is the block's header.
	DefRange hcl.Range
	// Ranges are the source ranges of its arguments by path: "renew_before", "keep.daily".
	Ranges map[string]hcl.Range
	// Directory is the configuration directory, against which relative paths are meant.
	Directory string
}

// String returns a string argument; the empty string where it is null.
func (b Block) String(name string) string {
	v := b.attribute(name)
	if v.IsNull() {
		return ""
	}
	return v.AsString()
}

// Bool returns a bool argument; false where it is null.
func (b Block) Bool(name string) bool {
	v := b.attribute(name)
	return !v.IsNull() && v.True()
}

// Int returns a number argument as an int; 0 where it is null.
func (b Block) Int(name string) int {
	v := b.attribute(name)
	if v.IsNull() {
		return 0
	}
	i, _ := v.AsBigFloat().Int64()
	return int(i)
}

// Strings returns a list or set of strings in its order; nil where it is null.
func (b Block) Strings(name string) []string {
	v := b.attribute(name)
	if v.IsNull() {
		return nil
	}
	var out []string
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		out = append(out, e.AsString())
	}
	return out
}

// Selection returns a set of nodes; empty where it is null.
func (b Block) Selection(name string) Selection {
	v := b.attribute(name)
	if v.IsNull() {
		return Selection{}
	}
	return *v.EncapsulatedValue().(*Selection)
}

// Duration returns a duration argument such as "30d"; the diagnostic, if any, points at it.
func (b Block) Duration(name string) (Duration, hcl.Diagnostics) {
	s := b.String(name)
	d, err := ParseDuration(s)
	if err != nil {
		return 0, hcl.Diagnostics{b.Diagnose(name, "Invalid duration", err.Error())}
	}
	return d, nil
}

// Position returns where an argument stands, else where the block does.
func (b Block) Position(name string) Position {
	r, ok := b.Ranges[name]
	if !ok {
		r = b.DefRange
	}
	return PositionOf(r, b.Directory)
}

// Diagnose returns an error about an argument, or about the block where the argument is not set.
func (b Block) Diagnose(name, summary, detail string) *hcl.Diagnostic {
	r, ok := b.Ranges[name]
	if !ok {
		r = b.DefRange
	}
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &r}
}

func (b Block) attribute(name string) cty.Value {
	v := b.Value.GetAttr(name)
	v, _ = v.Unmark()
	return v
}
