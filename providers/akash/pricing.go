package akash

import (
	"fmt"
	"slices"
	"strings"

	"upkeep/providers"
	"upkeep/providers/akash/price"
	"upkeep/providers/akash/script"
)

// bidding is how a provider prices: a version of the script, and the targets that it finds.
type bidding struct {
	setting     price.Setting
	recognition script.Recognition
	body        string
	values      map[string]any
	// scripted: there is a script. Without one the provider prices by scale, where GPUs are free.
	scripted bool
}

// biddingOf reads how a release's values price; other is what is known of another one, whose script may be the same.
func biddingOf(values map[string]any, other *bidding) bidding {
	body, ok := scriptOf(values)
	b := bidding{scripted: ok, values: values, setting: price.Setting{Targets: price.TargetsOf(values)}}
	if !ok {
		return b
	}
	if other != nil && other.body == body {
		b.recognition = other.recognition
	} else {
		b.recognition = script.Recognise([]byte(body))
	}
	b.body = body
	b.setting.Version, b.setting.Policy = b.recognition.Version, b.recognition.Policy
	if b.alike() {
		b.setting.Targets = b.recognition.InForce(b.setting.Targets)
	}
	return b
}

// known reports whether what the script makes of an order is known without running it: it is a published one.
func (b bidding) known() bool { return b.alike() && b.recognition.Known }

// alike reports whether the script looks like a published one.
func (b bidding) alike() bool {
	_, ok := b.setting.Version.Traits()
	return b.scripted && ok
}

// same reports whether two biddings are of one script with one setting: no price changes from one to the other,
// whatever the script does.
func (b bidding) same(other bidding) bool {
	return b.scripted == other.scripted && b.body == other.body && b.setting.Targets == other.setting.Targets
}

// models are the kinds of GPUs as package price knows them.
func models(kinds []gpu) []price.FleetGPU {
	out := make([]price.FleetGPU, 0, len(kinds))
	for _, g := range kinds {
		out = append(out, price.FleetGPU{Vendor: g.Vendor, Model: g.Model, RAM: g.RAM, Interface: g.Interface})
	}
	return out
}

// scriptText names a script for people: its version and the beginning of its digest.
func (r *review) scriptText(body string) string {
	for _, b := range []bidding{r.was, r.will} {
		if b.scripted && b.body == body {
			return b.recognition.String()
		}
	}
	return script.Recognise([]byte(body)).String()
}

// reviewPrices judges what the provider charges after this plan, and the script that does it. Where no upgrade can be
// planned it judges what is charged now.
func (r *review) reviewPrices() {
	priced, tree := r.will, r.after
	if len(r.blocked) > 0 || r.spec.Chart == nil {
		priced, tree = r.was, r.release.Values
	}
	k := r.in.World.Kubernetes
	var fleet []price.FleetGPU
	if k.Unknown == "" {
		fleet = models(r.kinds)
	} else {
		r.add(providers.Finding{
			ID: "FLEET_GPUS_UNKNOWN", Severity: providers.SeverityError, Unknown: true, Summary: "the GPUs of the nodes are not known, so it cannot be told what is unpriced: " + k.Unknown,
		})
	}
	setting := priced.setting
	setting.Targets = price.TargetsOf(tree) // the literals of an old script are not the release's
	for _, p := range price.LintSetting(setting, fleet) {
		r.problem(p)
	}
	if !priced.scripted {
		return
	}
	if !priced.known() {
		r.reviewUnpublished(priced)
	}
	if !priced.alike() {
		return
	}
	for _, target := range price.NumericTargets() {
		word, _ := priced.setting.Targets.Get(target.Key)
		for _, p := range price.LintWord(target.Key, word) {
			r.problem(p)
		}
		if value, has := tree[target.Key]; has {
			for _, p := range price.LintValue(target.Key, value) {
				if p.Kind == price.ZeroDropped || p.Kind == price.EmptyIsDefault {
					r.problem(p)
				}
			}
		}
	}
	for _, p := range price.LintMappings(priced.setting.Targets.GPUMappings, priced.setting.Version, fleet) {
		r.problem(p)
	}
}

// reviewBody compares the script that the release has with the one that is wanted.
func (r *review) reviewBody() {
	has, scripted := scriptOf(r.release.Values)
	customised := scripted && r.was.recognition.Customised()
	if r.known && !r.hasScript() {
		old := "none"
		if scripted {
			old = r.was.recognition.String()
		}
		summary := fmt.Sprintf("bid script: %s -> %s", old, r.scriptText(r.script))
		hint := ""
		if traits, known := r.was.setting.Version.Traits(); scripted && known && !traits.Parameterised {
			hint = "the new script does not read the prices in the old one's text; `upkeep price migrate` writes the price_targets that keep them"
		}
		r.add(providers.Finding{ID: "BID_SCRIPT_DIFFERS", Severity: providers.SeverityError, Object: valueScript,
			Summary: summary, Hint: hint}, "bid_script.file")
		r.due = append(r.due, fmt.Sprintf("%s (%s)", summary, r.spec.where("bid_script.file")))
		if customised && r.was.recognition.Unusable != "" {
			r.reviewText(has, r.was.recognition) // nothing is lost with a text that no provider can run
			return
		}
		if customised && !r.spec.Script.ReplaceCustomised {
			r.reviewText(has, r.was.recognition)
			r.reported["customised "+has] = true
			r.add(providers.Finding{
				ID: "BID_SCRIPT_CUSTOMISED", Severity: providers.SeverityError, Object: valueScript,
				Summary: fmt.Sprintf("somebody changed the script of the release (%s): %s", r.was.recognition, differences(has)),
				Hint:    "read the differences; to replace the script, set replace_customised = true",
			}, "bid_script.file")
			r.block("somebody changed the script of the release, and replace_customised is not set")
		}
		return
	}
	if scripted && r.was.known() && r.was.setting.Version != price.Newest {
		r.add(providers.Finding{
			ID: "BID_SCRIPT_OUTDATED", Severity: providers.SeverityNote, Object: valueScript,
			Summary: fmt.Sprintf("the script is version %s; %s is the newest that upkeep knows", r.was.setting.Version,
				price.Newest),
		}, "bid_script.file")
	}
}

func lines(text string) string { return plural(strings.Count(text, "\n"), "line") }

// problemIDs are the findings for what package price finds.
func problemID(kind price.Kind) string {
	switch kind {
	case price.Unpriced:
		return "PRICE_MODEL_UNPRICED"
	case price.Absent:
		return "PRICE_MODEL_ABSENT"
	case price.Star:
		return "PRICE_WILDCARD"
	case price.Floor:
		return "PRICE_FLOOR"
	case price.RAMTooNew, price.InterfaceTooNew, price.DecimalsTooNew, price.ModelsTooNew:
		return "BID_SCRIPT_TOO_OLD"
	case price.DebugOn:
		return "BID_SCRIPT_DEBUG"
	case price.NoACT:
		return "BID_SCRIPT_NO_UACT"
	case price.NoScript:
		return "BID_SCRIPT_MISSING"
	}
	return "PRICE_UNREADABLE"
}

// problem reports what package price finds wrong with the prices as they are after this plan.
func (r *review) problem(p price.Problem) {
	severity := providers.SeverityWarning
	switch {
	case p.Breaks:
		severity = providers.SeverityError
	case p.Kind == price.Absent || p.Kind == price.Star:
		severity = providers.SeverityNote // nodes that are cordoned or not ready offer nothing for a while
	}
	object := p.Item
	if object == "" {
		object = p.Key
	}
	argument := "price_targets." + strings.TrimPrefix(p.Key, "price_target_")
	switch p.Key {
	case price.MappingsKey:
		argument = "price_targets.gpu"
	case price.ScriptKey:
		argument = "bid_script.file"
	case price.DebugKey:
		argument = "values"
	}
	if p.Kind == price.Unpriced {
		p.Message += r.onNodes(p.Item)
	}
	r.add(providers.Finding{ID: problemID(p.Kind), Severity: severity, Object: object, Summary: p.Message, Hint: p.Fix},
		argument)
}

// onNodes names the nodes that have a model.
func (r *review) onNodes(item string) string {
	var names []string
	for _, kind := range r.kinds {
		if kind.String() == item || kind.Model == item {
			for _, node := range r.where[kind] {
				if !slices.Contains(names, node) {
					names = append(names, node)
				}
			}
		}
	}
	switch {
	case len(names) == 0:
		return ""
	case len(names) > 3:
		return fmt.Sprintf(" (%s and %d more nodes)", strings.Join(names[:3], ", "), len(names)-3)
	}
	return " (" + strings.Join(names, ", ") + ")"
}

// pricesChange returns how each price changes, and why that cannot be told.
func (r *review) pricesChange() ([]price.Change, string) {
	switch {
	case !r.was.scripted && !r.will.scripted:
		return nil, ""
	case !r.was.scripted:
		return nil, "the provider priced by scale until now, without a script"
	case !r.will.scripted:
		return nil, "the provider prices by scale from now on, without a script"
	case r.was.same(r.will):
		return nil, ""
	case !r.was.known() || !r.will.known():
		return r.measuredChanges()
	}
	changes, err := price.Changes(models(r.kinds), r.was.setting, r.will.setting)
	if err != nil {
		return nil, err.Error()
	}
	minimum, err := minimumChange(r.was.setting.Policy, r.will.setting.Policy)
	if err != nil {
		return nil, err.Error()
	}
	return append(changes, minimum), ""
}

// priceChanges are the effective prices before and after: of every GPU of the fleet by each way of asking for it that
// has a price of its own, changed or not, and of everything else that changes.
func (r *review) priceChanges() []providers.Change {
	changes, unknown := r.pricesChange()
	if unknown != "" {
		return []providers.Change{{What: "effective prices", Before: "unknown", After: "unknown: " + unknown, Always: true}}
	}
	var out []providers.Change
	plain := map[string]price.Change{}
	for _, c := range changes {
		if c.Unit != "GPU" && !c.Changed() {
			continue
		}
		if c.Unit == "GPU" {
			model, _, detailed := strings.Cut(c.What, ".")
			base, known := plain[model]
			if detailed && known && usd(base.Before) == usd(c.Before) && usd(base.After) == usd(c.After) {
				continue
			}
			if !detailed {
				plain[model] = c
			}
			out = append(out, providers.Change{What: "GPU " + c.What + ", USD a month", Before: usd(c.Before),
				After: usd(c.After) + percent(c), Always: true})
			continue
		}
		if c.Unit == script.Order {
			out = append(out, providers.Change{What: "order, USD a month: " + c.What, Before: usd(c.Before),
				After: usd(c.After) + percent(c), Always: true})
			continue
		}
		out = append(out, providers.Change{What: c.What + ", USD per " + c.Unit + " and month", Before: usd(c.Before),
			After: usd(c.After) + percent(c), Always: true})
	}
	return out
}

// money is how an upgrade changes prices, as data: those that change, the limit of one plan, and why that is not known.
func (r *review) money() *providers.Money {
	changes, unknown := r.pricesChange()
	m := &providers.Money{Prices: []providers.PriceChange{}, Allowed: r.spec.MaxChange, Unknown: unknown}
	if unknown != "" {
		return m
	}
	told := map[string]price.Change{}
	for _, c := range changes {
		if !c.Changed() {
			continue
		}
		if model, _, detailed := strings.Cut(c.What, "."); c.Unit == "GPU" {
			if base, known := told[model]; detailed && known && usd(base.Before) == usd(c.Before) && usd(base.After) == usd(c.After) {
				continue // the model's own price says that already
			}
			told[c.What] = c
		}
		p := providers.PriceChange{What: c.What, Unit: c.Unit, Before: priced(c.Before), After: priced(c.After),
			Percent: c.Percent}
		if c.Unit == script.Order {
			p.Unit = providers.UnitOrder
		}
		if p.Percent != "" && !strings.HasPrefix(p.Percent, "-") {
			p.Percent = "+" + p.Percent
		}
		m.Prices = append(m.Prices, p)
	}
	return m
}

func priced(u *price.USD) *providers.Price {
	if u == nil {
		return nil
	}
	return &providers.Price{Month: u.String(), Hour: u.Hourly()}
}

func usd(u *price.USD) string {
	if u == nil {
		return "no bids"
	}
	return u.String() + " (" + u.Hourly() + "/h)"
}

func percent(c price.Change) string {
	if !c.Changed() || c.Percent == "" {
		return ""
	}
	sign := "+"
	if strings.HasPrefix(c.Percent, "-") {
		sign = ""
	}
	return " (" + sign + c.Percent + "%)"
}

// holdPrices lets an upgrade which changes a price by more than max_change wait for a person's word that it is meant.
func (r *review) holdPrices(s *providers.Step) {
	if r.spec.MaxChange == "" {
		return
	}
	most, err := price.ParseUSD(r.spec.MaxChange)
	if err != nil {
		return // decode has checked it
	}
	changes, unknown := r.pricesChange()
	var beyond []string
	for _, c := range changes {
		if c.Beyond(most) {
			beyond = append(beyond, fmt.Sprintf("%s from %s to %s%s", c.What, usd(c.Before), usd(c.After), percent(c)))
		}
	}
	if unknown != "" {
		beyond = append(beyond, "by how much prices change is unknown: "+unknown)
		r.add(providers.Finding{
			ID: "PRICE_UNKNOWN", Severity: providers.SeverityError, Unknown: true, Object: "max_change",
			Summary: "max_change cannot judge the prices of this plan: " + unknown, Hint: "to measure the prices, run: " + measureCommand,
		}, "price_targets.max_change")
	}
	if len(beyond) == 0 {
		return
	}
	s.Consents = append(s.Consents, providers.Consent{Rule: ruleMaxChange,
		Demands: "no price changed by more than " + r.spec.MaxChange + "%"})
	summary := beyond[0]
	if more := len(beyond) - 1; more > 0 {
		summary += fmt.Sprintf(", and %d more", more)
	}
	s.Why = append(s.Why, fmt.Sprintf("max_change = %s%% (%s): %s", r.spec.MaxChange,
		r.spec.where("price_targets.max_change"), summary))
	r.add(providers.Finding{
		ID: "PRICE_CHANGE_LARGE", Severity: providers.SeverityWarning, Object: "max_change", Summary: fmt.Sprintf("this plan changes prices by more than %s%%: %s", r.spec.MaxChange, summary),
		Hint: "apply -override='max_change=REASON' says that it is meant",
	}, "price_targets.max_change")
}
