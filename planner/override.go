package planner

import (
	"fmt"
	"slices"
	"strings"

	"upkeep/planner/schedule"
	"upkeep/providers"
)

// Override is a safety rule that one run is told to lift, and the operator's reason.
//
// It stands outside the digest: the steps are the same due work with it and without. Who reviews a plan by its digest
// has not reviewed an override, so plan files never bring one; it is given to apply, or to approve, whose record in the
// state keeps it. It is in the plan as shown, in the journal, in the state's history and in the warnings of every plan
// and drift until the next apply.
type Override struct {
	Rule   string `json:"rule"`
	Node   string `json:"node,omitempty"` // empty: every node
	Reason string `json:"reason"`
	// By is the person who approved it with the plan (user@host); empty: it was given to apply.
	By string `json:"by,omitempty"`
}

// Recorded returns the override as journal and state keep it: with the person who approved it, who need not be the one
// who runs apply.
func (o Override) Recorded() string {
	if o.By == "" {
		return o.String()
	}
	return fmt.Sprintf("%s (approved by %s)", o, o.By)
}

// planRules are the rules of the planner itself that can be overridden, with what each demands.
var planRules = []providers.Consent{
	{Rule: "order", Demands: "control planes one at a time, the primary first"},
	{Rule: "max_unavailable", Demands: "never more nodes, or more nodes of one model, in progress than the configuration says"},
	{Rule: "window", Demands: "no disruptive step outside its maintenance window"},
}

// Rules returns the rules that can be overridden: those of the domains, then the planner's own.
func Rules(types []providers.Type) []providers.Consent {
	var out []providers.Consent
	for _, t := range types {
		for _, rule := range t.Rules {
			if !slices.ContainsFunc(out, func(c providers.Consent) bool { return c.Rule == rule.Rule }) {
				out = append(out, rule)
			}
		}
	}
	return append(out, planRules...)
}

// OverridableRules returns the names of the rules that can be overridden.
func OverridableRules(types []providers.Type) []string {
	var out []string
	for _, rule := range Rules(types) {
		out = append(out, rule.Rule)
	}
	return out
}

// ParseOverride reads RULE[@NODE]=REASON.
func ParseOverride(text string, types []providers.Type) (Override, error) {
	rules := OverridableRules(types)
	what, reason, found := strings.Cut(text, "=")
	rule, node, at := strings.Cut(what, "@")
	o := Override{Rule: rule, Node: node, Reason: strings.TrimSpace(reason)}
	switch {
	case !slices.Contains(rules, rule):
		return Override{}, fmt.Errorf("%q is not a rule that can be overridden; these can: %s", rule, strings.Join(rules, ", "))
	case at && node == "":
		return Override{}, fmt.Errorf("%q names no node after the @; write %s=REASON for all nodes, or %s@NODE=REASON", what, rule, rule)
	case !found || o.Reason == "":
		return Override{}, fmt.Errorf("the override of rule %s has no reason; write -override='%s=WHY IT IS SAFE THIS TIME'; it goes to the journal and the state", rule, what)
	}
	return o, nil
}

// String returns the override as the user writes it.
func (o Override) String() string {
	what := o.Rule
	if o.Node != "" {
		what += "@" + o.Node
	}
	return what + "=" + o.Reason
}

// lifts returns the override that lifts a rule for a step, and whether there is one.
func lifts(overrides []Override, rule string, step providers.Step) (Override, bool) {
	for _, o := range overrides {
		if o.Rule == rule && (o.Node == "" || o.Node == step.Node) {
			return o, true
		}
	}
	return Override{}, false
}

// overriding says what the overrides of a request mean: each is shown, and one that lifts nothing says so. A node that
// does not exist is a refusal: the override was meant for another.
func (d domains) overriding(r Request, in providers.Input, lifted []Override) (warnings, refusals []string) {
	for _, o := range r.Overrides {
		if _, known := in.Inventory.Node(o.Node); o.Node != "" && !known {
			refusals = append(refusals, fmt.Sprintf("-override=%s names no node of this configuration; correct its name", o))
			continue
		}
		where := "on every node"
		if o.Node != "" {
			where = "on " + o.Node
		}
		effect := ""
		if !slices.Contains(lifted, o) {
			effect = "; nothing in this plan was held back by it"
		}
		if o.By != "" {
			where += ", approved by " + o.By
		}
		warnings = append(warnings, fmt.Sprintf("OVERRIDE for this run: rule %q (%s) does not hold %s: %s%s", o.Rule, d.rules[o.Rule], where, o.Reason, effect))
	}
	for _, used := range r.Memory.Overrides {
		warnings = append(warnings, fmt.Sprintf("the last apply (plan %s, %s, begun %s) went with the override %s",
			used.Plan, used.Who, used.At.UTC().Format("2006-01-02 15:04:05 MST"), used.Text))
	}
	return warnings, refusals
}

// lifted are the rules of the schedule that the request's overrides lift.
func (r Request) lifted() []schedule.Lifted {
	var out []schedule.Lifted
	for _, o := range r.Overrides {
		switch o.Rule {
		case schedule.RuleOrder, schedule.RuleUnavailable, schedule.RuleWindow:
			out = append(out, schedule.Lifted{Rule: o.Rule, Node: o.Node})
		}
	}
	return out
}

// Scheduled is the plan as the schedule reads it.
func (p Plan) Scheduled() schedule.Plan {
	out := schedule.Plan{Steps: p.Steps, Brackets: p.Brackets, Lifted: p.Request.lifted(), Openings: p.openings()}
	out.Stretch = p.whole(out)
	return out
}
