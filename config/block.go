package config

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"

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
	// Ranges are the source ranges of its arguments by path: "renew_before", "keep.daily"; of nested blocks that may be
	// repeated with their number, from 0: "store.0.bucket"; of what is written out as an object, its items, too: "gpu.a100".
	Ranges map[string]hcl.Range
	// Directory is the configuration directory, against which relative paths are meant.
	Directory string
	reach     reach
	// meta are the values of the meta-arguments, which are not the type's to read.
	meta cty.Value
}

// Instance returns the name of the block, with its key where it has for_each: `nights["eu"]`.
func (b Block) Instance() string { return Reference{Name: b.Name, Key: b.Key}.instance() }

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

// Given reports whether an argument has a value: one that is left out, or null, has none.
func (b Block) Given(name string) bool { return !b.attribute(name).IsNull() }

// Int returns a number argument as an int; 0 where it is null.
func (b Block) Int(name string) int {
	v := b.attribute(name)
	if v.IsNull() {
		return 0
	}
	i, _ := v.AsBigFloat().Int64()
	return int(i)
}

// Strings returns a list or set of strings in its order, without the elements that are null; nil where it is null.
func (b Block) Strings(name string) []string {
	var out []string
	for it := b.elements(name); it != nil && it.Next(); {
		if _, e := it.Element(); !e.IsNull() {
			out = append(out, e.AsString())
		}
	}
	return out
}

// elements iterates over a list or set argument; nil where it is null.
func (b Block) elements(name string) cty.ElementIterator {
	v := b.attribute(name)
	if v.IsNull() {
		return nil
	}
	return v.ElementIterator()
}

// Selection returns a set of nodes; empty where it is null.
func (b Block) Selection(name string) Selection {
	v := b.attribute(name)
	if v.IsNull() {
		return Selection{}
	}
	return *v.EncapsulatedValue().(*Selection)
}

// Connection returns the name of the connection an argument refers to; empty where it is null.
func (b Block) Connection(name string) string { return b.Reference(name).instance() }

// Reference returns the block an argument of ReferenceType or ConnectionType refers to; the zero value where it is null.
func (b Block) Reference(name string) Reference {
	v := b.attribute(name)
	if v.IsNull() {
		return Reference{}
	}
	return *v.EncapsulatedValue().(*Reference)
}

// Secret returns a sensitive string argument; an empty secret where it is null.
func (b Block) Secret(name string) Secret {
	return secretOf(b.attribute(name))
}

// Nested returns a nested block as a Block of its own, so that the accessors and Diagnose work inside it; false where it
// is absent. For a block that may be repeated the name carries its number: "store.0".
func (b Block) Nested(name string) (Block, bool) {
	inner := Block{Type: b.Type, Name: b.Name, Key: b.Key, Directory: b.Directory, reach: b.reach, Ranges: map[string]hcl.Range{}}
	word, number, repeated := strings.Cut(name, ".")
	v := b.attribute(word)
	if v.IsNull() {
		return Block{}, false
	}
	if repeated {
		i, err := strconv.Atoi(number)
		if err != nil || i < 0 || i >= v.LengthInt() {
			return Block{}, false
		}
		v = v.Index(cty.NumberIntVal(int64(i)))
	}
	inner.Value = v
	inner.DefRange = b.DefRange
	if r, ok := b.Ranges[name]; ok {
		inner.DefRange = r
	}
	for path, r := range b.Ranges {
		if rest, ok := strings.CutPrefix(path, name+"."); ok {
			inner.Ranges[rest] = r
		}
	}
	return inner, true
}

// Integer returns a number argument that must be an integer from min to max; 0 where it is null.
func (b Block) Integer(name string, min, max int) (int, hcl.Diagnostics) {
	v := b.attribute(name)
	if v.IsNull() {
		return 0, nil
	}
	f := v.AsBigFloat()
	i, accuracy := f.Int64()
	if accuracy != big.Exact || i < int64(min) || i > int64(max) {
		return 0, hcl.Diagnostics{b.Diagnose(name, "Invalid number", fmt.Sprintf("%q must be an integer from %d to %d.", name, min, max))}
	}
	return int(i), nil
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

// DurationWithin is Duration for an argument that has a shortest and a longest value.
func (b Block) DurationWithin(name string, shortest, longest Duration) (Duration, hcl.Diagnostics) {
	d, diags := b.Duration(name)
	if !diags.HasErrors() && (d < shortest || d > longest) {
		diags = append(diags, b.Diagnose(name, "Invalid duration", fmt.Sprintf("%s is out of range: write a duration from %s to %s.", d, shortest, longest)))
	}
	return d, diags
}

// Position returns where an argument stands, else where the block does.
func (b Block) Position(name string) Position {
	r, ok := b.Ranges[name]
	if !ok {
		r = b.DefRange
	}
	return PositionOf(r, b.Directory)
}

// Item returns the path of an item of an argument; where the text does not write the item out, that of the argument.
func (b Block) Item(argument, key string) string {
	if _, ok := b.Ranges[argument+"."+key]; ok {
		return argument + "." + key
	}
	return argument
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
	return b.Value.GetAttr(name)
}
