package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// backendLabel documents the label of a state block.
const backendLabel = "where the state is kept: \"local\""

// language returns the block types of the language itself. A new one is a file of its own, a line here, and a field of
// Desired where it leaves something there.
func language() []entry {
	return []entry{
		upkeepBlock(),
		includeBlock(),
		stateBlock(),
		variableBlock(),
		localsBlock(),
		clusterBlock(),
		defaultsBlock(),
		connectionBlock(),
		nodeBlock(),
		nodesBlock(),
		outBlock(),
		ignoreBlock(),
	}
}

// Language returns the block types of the language itself, for schemas and reference pages in addition to the
// registered ones.
func Language() []BlockType {
	var types []BlockType
	for _, e := range language() {
		types = append(types, e.BlockType)
	}
	return types
}

// requiredVersion is what an upkeep block decodes to.
type requiredVersion string

func upkeepBlock() entry {
	return entry{single: true, plain: true, BlockType: BlockType{
		Name: "upkeep",
		Doc:  "Says what this configuration expects of upkeep itself. At most one such block.",
		Example: `upkeep {
  required_version = ">= 0.1"
}
`,
		Schema: Schema{Attributes: []Attribute{{
			Name: "required_version", Type: cty.String,
			Doc: "Versions of upkeep that may read this configuration, such as `\">= 0.1\"`, `\"~> 1.2\"` (1.2 or later, before 2.0) or `\">= 1.2, < 1.5\"`. Any version where it is not set.",
		}}},
		Decode: func(b Block) (any, hcl.Diagnostics) {
			if err := checkConstraint(b.String("required_version")); err != nil {
				return nil, hcl.Diagnostics{b.Diagnose("required_version", "Invalid version constraint", err.Error())}
			}
			return requiredVersion(b.String("required_version")), nil
		},
	}}
}

func (v requiredVersion) enter(l *loader, b Block) {
	l.desired.RequiredVersion = string(v)
	l.checkVersion(b, string(v))
}

func includeBlock() entry {
	return entry{plain: true, declare: func(*loader, *declaration) {}, BlockType: BlockType{
		Name: "include",
		Doc:  "Reads further configuration files, from other directories as a rule: all files of the configuration directory are read anyway. A file is read once, however often it is named.",
		Example: `include {
  files = ["gpu/*.upkeep.hcl", "../shared/connections.upkeep.hcl"]
}
`,
		Schema: Schema{Attributes: []Attribute{{
			Name: "files", Type: cty.List(cty.String), Required: true,
			Doc: "Paths, relative to the file that has this block; `*` matches any part of a name. Each must end in `.upkeep.hcl` and match a file. Constants only.",
		}}},
	}}
}

func variableBlock() entry {
	return entry{plain: true, unnamed: true, declare: (*loader).declareVariable, BlockType: BlockType{
		Name:  "variable",
		Label: "the name of the variable",
		Doc:   "Declares a value that is given from outside: by `-var NAME=VALUE`, by `-var-file`, by a file that ends in `.auto.upkeepvars`, or by the environment variable `UPKEEP_VAR_NAME`. It is used as `var.NAME`.",
		Example: `variable "gpu_prices" {
  type        = map(number)
  description = "USD per GPU and month"
  default     = { v100 = 95, "h100.80Gi.sxm" = 1060 }

  validation {
    condition     = min(values(var.gpu_prices)...) > 0
    error_message = "Prices are above zero."
  }
}
`,
		Schema: Schema{
			Attributes: []Attribute{
				{Name: "type", Type: cty.DynamicPseudoType, word: "type", Doc: "What values are allowed: `string`, `number`, `bool`, `any`, `list(T)`, `set(T)`, `map(T)`, `tuple([T, ...])`, `object({ NAME = T, NAME = optional(T, DEFAULT) })`. Without it a value given from outside is a string."},
				{Name: "default", Type: cty.DynamicPseudoType, Doc: "The value where none is given. Without it a value must be given."},
				{Name: "description", Type: cty.String, Lines: true, Doc: "What the variable is for."},
				{Name: "sensitive", Type: cty.Bool, Default: cty.False, Doc: "Never show the value; only arguments that take secrets accept it."},
				{Name: "nullable", Type: cty.Bool, Default: cty.True, Doc: "Whether `null` is a value. Where it is not, `null` means the default."},
			},
			Blocks: []NestedBlock{{
				Name: "validation", Repeatable: true, Doc: "A condition that the value must meet.",
				Schema: Schema{Attributes: []Attribute{
					{Name: "condition", Type: cty.Bool, Required: true, Doc: "True where the value is right."},
					{Name: "error_message", Type: cty.String, Required: true, Lines: true, Doc: "What to say where it is not."},
				}},
			}},
		},
	}}
}

func localsBlock() entry {
	return entry{plain: true, declare: (*loader).declareLocals, BlockType: BlockType{
		Name: "locals",
		Doc:  "Gives names to values, to be used as `local.NAME`. They may refer to variables and to one another, in any order.",
		Example: `locals {
  control_planes = { cp1 = "10.0.0.11", cp2 = "10.0.0.12", cp3 = "10.0.0.13" }
}
`,
		Schema: Schema{AnyName: true},
	}}
}

func clusterBlock() entry {
	return entry{single: true, plain: true, BlockType: BlockType{
		Name: "cluster",
		Doc:  "Says how to reach the Kubernetes API. At most one such block.",
		Example: `cluster {
  kubeconfig = "~/.kube/config"
}
`,
		Schema: Schema{Attributes: []Attribute{
			{Name: "kubeconfig", Type: cty.String, Required: true, Doc: "The kubeconfig file, relative to the configuration directory; a leading `~` is the home directory."},
			{Name: "context", Type: cty.String, Doc: "The context of the kubeconfig to use; its current one where it is not set."},
		}},
		Decode: func(b Block) (any, hcl.Diagnostics) {
			if b.String("kubeconfig") == "" {
				return nil, hcl.Diagnostics{b.Diagnose("kubeconfig", "Invalid path", "\"kubeconfig\" is empty. Name the kubeconfig file, such as \"~/.kube/config\".")}
			}
			return Cluster{Kubeconfig: b.String("kubeconfig"), Context: b.String("context"), Position: PositionOf(b.DefRange, b.Directory)}, nil
		},
	}}
}

func (c Cluster) enter(l *loader, _ Block) {
	c.Kubeconfig = expandHome(c.Kubeconfig, l.options.Environ)
	l.desired.Cluster = &c
}
