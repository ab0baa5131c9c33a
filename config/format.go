package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// Syntax returns what keeps a file from being read at all, as Load reports it first.
func Syntax(src []byte, name string) hcl.Diagnostics {
	if found, over := tooMuch(src, name); over {
		return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: found.summary, Detail: found.detail, Subject: &found.at}}
	}
	_, diags := hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	return diags
}

// Format returns a file in the canonical layout: indentation, and equals signs of neighbouring arguments aligned. Only
// blanks change. A file with syntax errors is laid out as far as it can be; check it with Load.
func Format(src []byte) []byte { return hclwrite.Format(src) }
