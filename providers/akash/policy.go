package akash

import (
	"fmt"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/akash/price"
	"upkeep/providers/akash/script"
)

// policyAttributes are the arguments of price_targets that are compiled into the script.
func policyAttributes() []config.Attribute {
	const names = "Accounts of tenants (`akash1...`) and GPU models (`a100`, `\"a100.80Gi\"`, `\"a100.80Gi.sxm\"`). "
	return []config.Attribute{
		{
			Name: "minimum", Type: cty.Number,
			Doc: "The least that an order costs, in USD a month. A cheaper order is priced at the minimum. `minimum`, `gpu_only`, `deny` and `allow` are a policy: " +
				"upkeep writes it before the published script of `bid_script`. The text of that script is unchanged.",
		},
		{Name: "gpu_only", Type: cty.Bool, Doc: "Bid on no order without a GPU."},
		{Name: "deny", Type: cty.List(cty.String),
			Doc: names + "An order of such an account, or for such a model, gets no bid. `deny` beats `allow`."},
		{Name: "allow", Type: cty.List(cty.String),
			Doc: names + "Where it names accounts, no other account gets a bid; where it names models, no order for another GPU model does."},
	}
}

// mostNames are as many as the chart's values have room for beside everything else: Kubernetes keeps them in a Secret
// of 1 MiB.
const mostNames = 2000

// policy reads the arguments of a policy.
func (r *reading) policy(b config.Block) {
	for _, argument := range []string{"minimum", "gpu_only", "deny", "allow"} {
		r.at(b, argument, "price_targets."+argument)
	}
	p := price.Policy{GPUOnly: b.Bool("gpu_only"), Deny: r.names(b, "deny"), Allow: r.names(b, "allow")}
	if b.Given("minimum") {
		text, exact := b.Number("minimum")
		switch {
		case !exact:
			r.fail(b, "minimum", "Not a decimal", "The minimum is no decimal number of at most 18 digits after the point. Round it.")
		case tooLarge(text):
			r.fail(b, "minimum", "Price too large", "%s", tooLargeText)
		case strings.HasPrefix(text, "-"):
			r.fail(b, "minimum", "Negative price", "The minimum is below zero. Write the least that an order costs, in USD a month.")
		case text != "0":
			p.Minimum = text
		}
	}
	if p.Empty() {
		return
	}
	if p.Served() == "" {
		r.fail(b, "deny", "Nobody is served", "deny names every account that allow names, and deny beats allow. Remove an account from deny.")
	}
	if err := p.Check(); err != nil {
		r.fail(b, "minimum", "Invalid policy", "%v.", err)
		return
	}
	r.spec.Policy = &p
	r.carrier(b)
}

// names reads one list of a policy.
func (r *reading) names(b config.Block, argument string) price.Names {
	if !b.Given(argument) {
		return price.Names{}
	}
	list := b.Strings(argument)
	names, bad := price.NamesOf(list)
	switch {
	case len(bad) > 0:
		hints := make([]string, len(bad))
		for i, name := range bad {
			hints[i] = nameHint(name)
		}
		r.fail(b, argument, "Invalid name", "%s", strings.Join(hints, "\n\n"))
	case argument == "allow" && names.Empty():
		r.fail(b, argument, "Nobody is served", "allow is empty, so no order would get a bid. Name accounts or models, or remove allow.")
	case len(list) > mostNames:
		r.fail(b, argument, "Too many names", "%s has %d names. At most %d fit into a bid script.", argument, len(list),
			mostNames)
	}
	return names
}

func nameHint(name string) string {
	if strings.HasPrefix(strings.ToLower(strings.TrimSpace(name)), "akash") {
		return fmt.Sprintf("%q is no account: an account is akash1 and 38 lower-case letters and digits.", name)
	}
	return strings.Replace(modelHint(name), "is no model that the script can match",
		"is neither an account nor a GPU model", 1)
}

// carrier checks that the policy has a published script to stand before.
func (r *reading) carrier(b config.Block) {
	const write = "Write bid_script { published = \"" + string(price.Newest) + "\" }."
	s := r.spec.Script
	if s == nil {
		r.fail(b, "", "A policy without a script",
			"minimum, gpu_only, deny and allow are written before a published bid script, and the block names none. %s", write)
		return
	}
	if s.SHA256 == "" {
		return // the block bid_script is wrong, which was reported
	}
	published, ok := script.PublishedWith(s.SHA256)
	switch {
	case !ok:
		r.fail(b, "", "A policy before a customised script",
			"The script of bid_script, sha256 %.12s, is no published one, so what it does with a policy is not known. %s", s.SHA256, write)
	case !script.TakesPolicy(published.Version):
		r.fail(b, "", "A policy before an old script", "The script %s reads no price targets. %s", published.Version, write)
	}
}

// minimumChange is how the least that an order costs changes.
func minimumChange(was, will *price.Policy) (price.Change, error) {
	of := func(p *price.Policy) (price.USD, error) {
		if p == nil || p.Minimum == "" {
			return price.USD{}, nil
		}
		return price.ParseUSD(p.Minimum)
	}
	before, err := of(was)
	if err != nil {
		return price.Change{}, err
	}
	after, err := of(will)
	if err != nil {
		return price.Change{}, err
	}
	c := price.Change{What: "minimum", Unit: "order", Before: &before, After: &after}
	c.Percent, _ = after.Percent(before)
	return c, nil
}

// policyChanges says whom a policy refuses that was not refused before, and the other way round.
func policyChanges(was, will *price.Policy) []providers.Change {
	before, after := price.Policy{}, price.Policy{}
	if was != nil {
		before = *was
	}
	if will != nil {
		after = *will
	}
	var out []providers.Change
	add := func(what, before, after string) {
		if before != after {
			out = append(out, providers.Change{What: what, Before: before, After: after, Always: true})
		}
	}
	orders := func(p price.Policy) string {
		if p.GPUOnly {
			return "no bid"
		}
		return "bid"
	}
	add("orders without a GPU", orders(before), orders(after))
	add("deny", namesText(before.Deny, "nobody"), namesText(after.Deny, "nobody"))
	add("allow", namesText(before.Allow, "everybody"), namesText(after.Allow, "everybody"))
	return out
}

// namesText lists names, and of many their number beside the first ones; all their digest would not fit on a line.
func namesText(n price.Names, none string) string {
	all := slices.Concat(n.Accounts, n.Models)
	const most = 4
	switch {
	case len(all) == 0:
		return none
	case len(all) > most:
		return fmt.Sprintf("%s and %d more (%.12s)", strings.Join(all[:most], ", "), len(all)-most,
			digest([]byte(strings.Join(all, "\n"))))
	}
	return strings.Join(all, ", ")
}

// meant asks whether a word is a near one; nothing where none is near.
func meant(word string, candidates []string) string {
	if near := config.Suggest(word, candidates); near != "" {
		return fmt.Sprintf(" Did you mean %q?", near)
	}
	return ""
}
