package config

import "github.com/hashicorp/hcl/v2/hclwrite"

// Format returns a file in the canonical layout: indentation, and equals signs of neighbouring arguments aligned. Only
// blanks change. A file with syntax errors is laid out as far as it can be; check it with Load.
func Format(src []byte) []byte { return hclwrite.Format(src) }
