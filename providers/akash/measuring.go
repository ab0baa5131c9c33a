package akash

import (
	"fmt"
	"strings"

	"upkeep/providers"
	"upkeep/providers/akash/price"
	"upkeep/providers/akash/script"
	"upkeep/providers/facts"
)

// The command that measures prices: it runs the script in a sandbox.
const measureCommand = "upkeep plan -measure"

// furtherPrices asks to measure the scripts that nobody published: the one of the release and the one that is wanted,
// each with its values.
func (s Spec) furtherPrices(world facts.World) []facts.PriceQuestion {
	r := &review{spec: s, in: providers.Input{World: world}, address: s.Address(), release: world.Release(s.Namespace,
		s.Release)}
	if r.release.Unknown != "" || r.release.Missing {
		return nil
	}
	r.reviewScript()
	r.overlay = s.wanted()
	if r.known {
		r.overlay[valueScript] = encodeScript(r.script)
	}
	r.reviewValues()
	r.reviewBiddings()
	var out []facts.PriceQuestion
	for _, b := range []bidding{r.was, r.will} {
		if !b.scripted || b.known() || b.recognition.Unusable != "" {
			continue
		}
		if q := r.question(b); len(out) == 0 || out[0].Key() != q.Key() {
			out = append(out, q)
			if probe, ok := script.Probe(q); ok {
				out = append(out, probe)
			}
		}
	}
	return out
}

// reviewBiddings reads how the provider prices now and after this plan, and which GPUs there are.
func (r *review) reviewBiddings() {
	if k := r.in.World.Kubernetes; k.Unknown == "" {
		r.kinds, r.where = fleetOf(k)
	}
	r.was = biddingOf(r.release.Values, nil)
	r.will = biddingOf(r.after, &r.was)
}

// question asks what a script answers to the sample orders.
func (r *review) question(b bidding) facts.PriceQuestion {
	samples := b.recognition.Samples(models(r.kinds))
	orders := make([]price.Order, 0, len(samples))
	for _, s := range samples {
		orders = append(orders, s.Order)
	}
	return script.Question(b.body, b.values, script.AKT, orders)
}

// measurement is what is known of a script's prices by running it.
type measurement struct {
	// costs are those of the sample orders a month, where the measurement succeeded; nil for one without a bid.
	costs []*price.USD
	// failed says why the measurement gave nothing although it was asked for.
	failed string
	jq     string
	taken  bool
}

func (r *review) measured(b bidding) measurement {
	if len(r.in.World.Prices) == 0 {
		return measurement{} // nobody asked anything
	}
	q := r.question(b)
	m, asked := r.in.World.Prices[q.Key()]
	if !asked {
		return measurement{}
	}
	costs, err := script.Costs(b.recognition.Samples(models(r.kinds)), q, m)
	if probe, ok := script.Probe(q); ok && err == nil {
		err = script.CheckDenom(q, m, r.in.World.Prices[probe.Key()])
	}
	if err != nil {
		return measurement{failed: err.Error()}
	}
	return measurement{costs: costs, jq: m.JQ, taken: true}
}

// costs are what sample orders cost a month: computed where the script is a published one, else measured. The text
// says why they are not known.
func (r *review) costs(b bidding, which string) ([]*price.USD, string) {
	if b.known() {
		costs, err := script.Computed(b.recognition.Samples(models(r.kinds)), b.setting)
		if err != nil {
			return nil, err.Error()
		}
		return costs, ""
	}
	m := r.measured(b)
	switch {
	case m.failed != "":
		return nil, fmt.Sprintf("%s is modified, and %s", which, m.failed)
	case !m.taken:
		return nil, fmt.Sprintf("%s is modified, and its prices are not measured", which)
	}
	return m.costs, ""
}

// measuredChanges are what sample orders cost before and after, where one of the scripts is not a published one.
func (r *review) measuredChanges() ([]price.Change, string) {
	before, unknown := r.costs(r.was, "the script of the release")
	if unknown != "" {
		return nil, unknown
	}
	after, unknown := r.costs(r.will, "the new script")
	if unknown != "" {
		return nil, unknown
	}
	changes := script.Changes(r.was.recognition.Samples(models(r.kinds)), before, after)
	minimum, err := minimumChange(r.was.setting.Policy, r.will.setting.Policy)
	if err != nil {
		return nil, err.Error()
	}
	return append(changes, minimum), ""
}

// reviewText reports a text that the provider cannot run, and targets in it that upkeep does not read. It returns why
// the text cannot be used; empty where it can. Each text is reported once.
func (r *review) reviewText(body string, recognition script.Recognition) (why string) {
	reported := r.reported[body]
	if r.reported == nil {
		r.reported = map[string]bool{}
	}
	r.reported[body] = true
	if recognition.Unusable != "" {
		if !reported {
			r.add(providers.Finding{
				ID: "BID_SCRIPT_UNUSABLE", Severity: providers.SeverityError, Object: valueScript,
				Summary: "the provider cannot run the script: " + recognition.Unusable,
				Hint:    "fetch the script again, or write the line ends as Unix does",
			}, "bid_script.file")
		}
		return "the script cannot be run: " + recognition.Unusable
	}
	for _, u := range recognition.Unread {
		why = u.String()
		if !reported {
			r.add(providers.Finding{
				ID: "BID_SCRIPT_TARGET_UNREAD", Severity: providers.SeverityError,
				Object: fmt.Sprintf("%s, line %d", u.Name, u.Line), Summary: why, Hint: u.Fix(),
			}, "bid_script.file")
		}
	}
	return why
}

// reviewUnpublished reports a script that is not a published one: where it differs, and what is known of its prices.
func (r *review) reviewUnpublished(b bidding) {
	if r.reviewText(b.body, b.recognition); b.recognition.Unusable != "" || r.reported["customised "+b.body] {
		return
	}
	m := r.measured(b)
	prices, hint := "prices are not measured", "to measure the prices, run: "+measureCommand
	switch {
	case m.failed != "":
		prices, hint = "prices are unknown", ""
		r.add(providers.Finding{
			ID: "PRICE_UNKNOWN", Severity: providers.SeverityError, Unknown: true, Object: valueScript,
			Summary: "what the provider charges is unknown: " + m.failed,
		}, "bid_script.file")
	case m.taken:
		prices, hint = "prices are measured (with "+m.jq+")", ""
	}
	r.add(providers.Finding{
		ID: "BID_SCRIPT_CUSTOMISED", Severity: providers.SeverityWarning, Object: valueScript,
		Summary: fmt.Sprintf("%s: %s; %s", b.recognition, differences(b.body), prices), Hint: hint,
	}, "bid_script.file")
}

// The most differences that a finding names, and the most lines of each.
const (
	mostHunks = 8
	mostAdded = 3
)

// differences says where a script differs from the published one that it is most like.
func differences(body string) string {
	d, ok := script.Compare([]byte(body))
	if !ok {
		return "like no published script (" + lines(body) + ")"
	}
	var out []string
	for i, h := range d.Hunks {
		if i == mostHunks {
			out = append(out, fmt.Sprintf("%d more", len(d.Hunks)-i))
			break
		}
		text := h.String()
		if shown := h.Added[:min(len(h.Added), mostAdded)]; strings.TrimSpace(strings.Join(shown, "")) != "" {
			text += " (" + strings.Join(shown, " / ") + ")"
		}
		out = append(out, text)
	}
	return fmt.Sprintf("%s from published %s: %s", plural(len(d.Hunks), "difference"), d.Nearest.Version,
		strings.Join(out, "; "))
}
