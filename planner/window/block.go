package window

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"upkeep/config"
)

// Type is the word that opens the block.
const Type = config.WindowType

// Block describes the block to the language.
func Block() config.BlockType {
	return config.BlockType{
		Name:  Type,
		Label: "a name for the window",
		Doc: "Says when disruptive steps may begin. A block names it by `window = maintenance_window.NAME`. " +
			"A window with `kind = \"deny\"` keeps everything from beginning, also blocks with `window = \"always\"`. " +
			"It opens by `cron` and `duration`, or from one date until another. Times are local times in `timezone`. " +
			"When clocks go forward, a skipped time is the moment of the change. When clocks go back, a repeated time is the first of the two. " +
			"A window is open from its first instant until just before its last.",
		Example: `maintenance_window "weekly" {
  cron     = "0 2 * * SUN"
  duration = "4h"
  timezone = "Europe/Berlin"
}

maintenance_window "christmas" {
  kind     = "deny"
  from     = "12-18"
  until    = "01-07"
  timezone = "Europe/Berlin"
}
`,
		Schema: config.Schema{
			Attributes: []config.Attribute{
				{Name: "kind", Type: cty.String, Default: cty.StringVal("allow"), OneOf: []string{"allow", "deny"}, Doc: "`allow`: steps may begin in it. `deny`: none may, whatever else is open."},
				{Name: "cron", Type: cty.String, Doc: "When it opens: minute, hour, day of month, month, day of week. `*`, numbers, ranges, lists and steps; `JAN` to `DEC` and `SUN` to `SAT`. Where both days are bound, either is enough."},
				{Name: "duration", Type: cty.String, Doc: "How long it stays open once `cron` opened it, such as `\"4h\"`. It is time that passes, also in the night when clocks change."},
				{Name: "from", Type: cty.String, Doc: "The first day, `\"2026-12-18\"`, or `\"12-18\"` for every year. With ` 18:00` behind it, from that time on."},
				{Name: "until", Type: cty.String, Doc: "The last day, like `from`. With ` 18:00` behind it, until just before that time."},
				{Name: "timezone", Type: cty.String, Required: true, Doc: "A zone of the IANA database, such as `\"Europe/Berlin\"` or `\"UTC\"`. Abbreviations such as `EST` are refused."},
				{Name: "overrun", Type: cty.String, Default: cty.StringVal(OverrunNode), OneOf: []string{OverrunNode, OverrunPlan}, Doc: "What may go on past the end. `node`: the steps of a node that have begun, up to where it can be left. `plan`: the plan that has begun."},
				{Name: "max_nodes", Type: cty.Number, Doc: "How many nodes may be in progress at a time in this window, over all blocks that use it."},
			},
			Blocks: []config.NestedBlock{{
				Name: "applies_to",
				Doc:  "What the window holds for without being named there. A `deny` window without this block holds for everything.",
				Schema: config.Schema{Attributes: []config.Attribute{
					{Name: "types", Type: cty.List(cty.String), Doc: "Types of blocks, such as `\"certificates\"`."},
					{Name: "blocks", Type: cty.List(cty.String), Doc: "Addresses of blocks, such as `\"certificates.control_plane\"`."},
					{Name: "operations", Type: cty.List(cty.String), Doc: "Operations of steps, such as " +
						"`\"certificates.restart\"`: they say what is interrupted. `upkeep show -json` has the one of each step."},
					{Name: "labels", Type: cty.Map(cty.String), Doc: "Labels of Kubernetes nodes, such as " +
						"`{ \"topology.kubernetes.io/zone\" = \"a\" }`. The window holds for steps on nodes that have all of them. " +
						"Where labels are unknown, a window that denies holds for every node. One that allows opens only what others " +
						"open, too. When a block is due is not judged by such a window."},
				}},
			}},
		},
		Decode:  decode,
		Restore: Restore,
		NoSteps: true,
	}
}

func decode(b config.Block) (any, hcl.Diagnostics) {
	w := Window{
		Name: b.Instance(), Deny: b.String("kind") == "deny", Timezone: b.String("timezone"), Cron: b.String("cron"), From: b.String("from"),
		Until: b.String("until"), Overrun: b.String("overrun"), Position: config.PositionOf(b.DefRange, b.Directory),
	}
	var diags hcl.Diagnostics
	w.MaxNodes, diags = b.Integer("max_nodes", 1, mostNodes)
	if text := b.String("duration"); text != "" {
		d, err := config.ParseDuration(text)
		if err != nil {
			return nil, hcl.Diagnostics{b.Diagnose("duration", summary, err.Error()+".")}
		}
		w.Duration = d
	}
	if nested, ok := b.Nested("applies_to"); ok {
		w.AppliesTo = Selector{Types: nested.Strings("types"), Blocks: nested.Strings("blocks"),
			Operations: nested.Strings("operations"),
			Labels:     nested.StringMap("labels")}
		if w.AppliesTo.Empty() {
			diags = append(diags, nested.Diagnose("", summary,
				"\"applies_to\" chooses nothing. Name types, blocks, operations or labels, or remove it."))
		}
	}
	out, problems := New(w)
	for _, p := range problems {
		diags = append(diags, b.Diagnose(p.Argument, summary, p.Err.Error()+"."))
	}
	if diags.HasErrors() {
		return nil, diags
	}
	return out, diags
}

// mostNodes bounds max_nodes; Kubernetes itself is made for 5,000 nodes.
const mostNodes = 10_000

const summary = "Invalid maintenance window"
