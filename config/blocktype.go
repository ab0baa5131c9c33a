package config

import (
	"encoding/json"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// BlockType describes one type of block to the language.
type BlockType struct {
	// Name is the word that opens the block: "certificates".
	Name string
	// Label documents the block's one label; empty for a block without a label.
	Label string
	// Doc is what the block means, in one paragraph of Markdown; the reference page and `schema -json` show it.
	Doc string
	// Example is a complete block in HCL for the reference page.
	Example string
	Schema  Schema
	// NoSteps: blocks of this type plan nothing, so they have none of the arguments that are about steps.
	NoSteps bool
	// Guards are the names of the guards that steps of this type may need: what `without` may name.
	Guards []string
	// Decode turns a checked block into the domain's plain data. Its diagnostics point into the block (Block.Diagnose).
	Decode func(Block) (any, hcl.Diagnostics)
	// Owns names what a decoded block has to itself ("release akash-services/akash-provider"): two blocks that own the
	// same thing are an error, whatever their types. Nil: nothing.
	Owns func(any) []string
	// Restore reads back the JSON of what Decode returned.
	Restore func(json.RawMessage) (any, error)
}

// Schema describes the body of a block.
type Schema struct {
	Attributes []Attribute
	Blocks     []NestedBlock
	// AnyName allows arguments of any name in addition to those listed; their values stay as written.
	AnyName bool
}

// Attribute is one argument.
type Attribute struct {
	Name string
	// Type is the cty type, or SelectionType for a set of nodes, ConnectionType for a connection, ReferenceType for
	// another block.
	Type     cty.Type
	Required bool
	// Default stands for an argument that is not set; cty.NilVal for null.
	Default cty.Value
	// OneOf lists the only strings allowed.
	OneOf []string
	// Sensitive allows a sensitive value here. The value of such an argument is always marked: read it with
	// Block.Secret; the other accessors panic on it.
	Sensitive bool
	// Lines allows a text of several lines: a reason, a message. Anything else is one line.
	Lines bool
	// Node: it names nodes, which must be declared. With discovered nodes any name is possible.
	Node bool
	Doc  string

	// window: it names maintenance windows.
	window bool
	// word replaces the name of the type in schemas and on reference pages, where the argument is not a value.
	word string
}

// NestedBlock is a block inside a block.
type NestedBlock struct {
	Name string
	// Label documents its one label; empty for none. The label is the value's attribute "label".
	Label  string
	Doc    string
	Schema Schema
	// Required and Repeatable: exactly one, or any number. Neither: none or one.
	Required, Repeatable bool
}
