package config

import (
	"encoding/json"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// SchemaFormatVersion is the version of what SchemaJSON writes. A reader refuses another major version.
const SchemaFormatVersion = "1.0"

type schemaFile struct {
	FormatVersion string                    `json:"format_version"`
	BlockTypes    map[string]blockSchema    `json:"block_types"`
	Functions     map[string]functionSchema `json:"functions"`
}

type blockSchema struct {
	Label       string     `json:"label,omitempty"`
	Description string     `json:"description,omitempty"`
	Example     string     `json:"example,omitempty"`
	ForEach     bool       `json:"for_each,omitempty"`
	Required    bool       `json:"required,omitempty"`
	MaxItems    int        `json:"max_items,omitempty"`
	Block       bodySchema `json:"block"`
}

type bodySchema struct {
	Attributes   map[string]attributeSchema `json:"attributes,omitempty"`
	BlockTypes   map[string]blockSchema     `json:"block_types,omitempty"`
	AnyAttribute bool                       `json:"any_attribute,omitempty"`
}

type attributeSchema struct {
	Type        string          `json:"type"`
	Description string          `json:"description,omitempty"`
	Required    bool            `json:"required,omitempty"`
	Optional    bool            `json:"optional,omitempty"`
	Sensitive   bool            `json:"sensitive,omitempty"`
	Default     json.RawMessage `json:"default,omitempty"`
	OneOf       []string        `json:"one_of,omitempty"`
}

type functionSchema struct {
	Description       string            `json:"description,omitempty"`
	Parameters        []parameterSchema `json:"parameters,omitempty"`
	VariadicParameter *parameterSchema  `json:"variadic_parameter,omitempty"`
}

type parameterSchema struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	Description string `json:"description,omitempty"`
}

// SchemaJSON describes every block type, the language's own and the given ones, and every function, for editors and
// other programs (`upkeep schema -json`).
func SchemaJSON(types []BlockType) ([]byte, error) {
	file := schemaFile{FormatVersion: SchemaFormatVersion, BlockTypes: map[string]blockSchema{}, Functions: map[string]functionSchema{}}
	for _, e := range entriesOf(types) {
		b := blockSchema{Label: e.Label, Description: e.Doc, Example: e.Example, ForEach: !e.plain, Block: bodySchemaOf(e.Schema)}
		if e.single {
			b.MaxItems = 1
		}
		file.BlockTypes[e.Name] = b
	}
	for name, f := range functions(reach{}) {
		file.Functions[name] = functionSchemaOf(f)
	}
	data, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(data, '\n'), nil
}

// entriesOf returns the language's own block types, then the given ones.
func entriesOf(types []BlockType) []entry {
	entries := language()
	for _, t := range types {
		entries = append(entries, registeredEntry(t))
	}
	return entries
}

func bodySchemaOf(s Schema) bodySchema {
	out := bodySchema{AnyAttribute: s.AnyName}
	for _, a := range s.Attributes {
		if out.Attributes == nil {
			out.Attributes = map[string]attributeSchema{}
		}
		out.Attributes[a.Name] = attributeSchema{
			Type: a.typeWord(), Description: a.Doc, Required: a.Required, Optional: !a.Required,
			Sensitive: a.Sensitive, Default: a.defaultJSON(), OneOf: a.OneOf,
		}
	}
	for _, b := range s.Blocks {
		if out.BlockTypes == nil {
			out.BlockTypes = map[string]blockSchema{}
		}
		inner := blockSchema{Label: b.Label, Description: b.Doc, Required: b.Required, Block: bodySchemaOf(b.Schema)}
		if !b.Repeatable {
			inner.MaxItems = 1
		}
		out.BlockTypes[b.Name] = inner
	}
	return out
}

// typeWord returns the argument's type as documents name it.
func (a Attribute) typeWord() string {
	if a.word != "" {
		return a.word
	}
	return TypeName(a.Type)
}

// defaultJSON returns the default as JSON; nil where there is none, or none that can be written.
func (a Attribute) defaultJSON() json.RawMessage {
	if a.Default == cty.NilVal || a.Default.IsNull() || a.Default.Type().IsCapsuleType() {
		return nil
	}
	data, err := ctyjson.Marshal(a.Default, a.Default.Type())
	if err != nil {
		return nil
	}
	return data
}

func functionSchemaOf(f function.Function) functionSchema {
	out := functionSchema{Description: f.Description()}
	for _, p := range f.Params() {
		out.Parameters = append(out.Parameters, parameterSchemaOf(p))
	}
	if p := f.VarParam(); p != nil {
		variadic := parameterSchemaOf(*p)
		out.VariadicParameter = &variadic
	}
	return out
}

func parameterSchemaOf(p function.Parameter) parameterSchema {
	word := TypeName(p.Type)
	if p.Type.IsCapsuleType() {
		word = "expression" // of try and can, which evaluate their arguments themselves
	}
	return parameterSchema{Name: p.Name, Type: word, Description: p.Description}
}
