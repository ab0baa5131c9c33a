package planner

import (
	"fmt"
	"slices"
	"strings"

	"upkeep/providers"
)

// Override is a safety rule that one run is told to go without, and the operator's reason.
//
// It stands outside the digest: the steps are the same due work with it and without. Who reviews a plan by its digest
// has not reviewed an override, so plan files never bring one; it is given to apply, and stands in the plan as shown, in
// the journal, in the state's history and in the warnings of every plan and drift until the next apply.
type Override struct {
	Rule   string `json:"rule"`
	Node   string `json:"node,omitempty"` // empty: every node
	Reason string `json:"reason"`
}

// The rules that can be overridden, with what each one demands.
var overridable = []struct{ rule, demands string }{
	{"backup", "no disruptive step without a proved backup"},
	{"order", "control planes one at a time, the primary first"},
	{"max_unavailable", "never more nodes, or more of one model, under way than the configuration says"},
	{"leases", "no work that could close a tenant's lease"},
	{"window", "no disruptive step outside its maintenance window"},
	{"max_change", "no price changed by more than max_change"},
}

// OverridableRules returns the names of the rules that can be overridden.
func OverridableRules() []string {
	var out []string
	for _, o := range overridable {
		out = append(out, o.rule)
	}
	return out
}

// ParseOverride reads RULE[@NODE]=REASON.
func ParseOverride(text string) (Override, error) {
	what, reason, found := strings.Cut(text, "=")
	rule, node, at := strings.Cut(what, "@")
	o := Override{Rule: rule, Node: node, Reason: strings.TrimSpace(reason)}
	switch {
	case !slices.Contains(OverridableRules(), rule):
		return Override{}, fmt.Errorf("%q is not a rule that can be overridden; these can: %s", rule, strings.Join(OverridableRules(), ", "))
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

// guardRules are the guards that a rule which can be overridden demands; the rule has the guard's name.
var guardRules = []string{"backup", "leases", "max_change"}

// consents are the rules that nothing but a person's word can lift: no block provides a guard of that name.
var consents = []string{"max_change"}

// consent returns what such a rule demands.
func consent(guard string) (string, bool) {
	if !slices.Contains(consents, guard) {
		return "", false
	}
	for _, o := range overridable {
		if o.rule == guard {
			return o.demands, true
		}
	}
	return "", true
}

// overriding says what the overrides of a request mean: each is shown, and one that lifts nothing says so. A node that
// does not exist is a refusal: the override was meant for another.
func overriding(r Request, in providers.Input, lifted []Override) (warnings, refusals []string) {
	for _, o := range r.Overrides {
		if _, known := in.Inventory.Node(o.Node); o.Node != "" && !known {
			refusals = append(refusals, fmt.Sprintf("-override=%s names no node of this configuration; correct its name", o))
			continue
		}
		where := "on every node"
		if o.Node != "" {
			where = "on " + o.Node
		}
		demands := ""
		for _, rule := range overridable {
			if rule.rule == o.Rule {
				demands = rule.demands
			}
		}
		effect := ""
		if !slices.Contains(lifted, o) {
			effect = "; nothing in this plan was held back by it"
		}
		warnings = append(warnings, fmt.Sprintf("OVERRIDE for this run: rule %q (%s) does not hold %s: %s%s", o.Rule, demands, where, o.Reason, effect))
	}
	for _, used := range r.Memory.Overrides {
		warnings = append(warnings, fmt.Sprintf("the last apply (plan %s, %s, begun %s) went with the override %s",
			used.Plan, used.Who, used.At.UTC().Format("2006-01-02 15:04:05 MST"), used.Text))
	}
	return warnings, refusals
}
