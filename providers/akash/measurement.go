package akash

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"upkeep/providers"
	"upkeep/providers/akash/price"
	"upkeep/providers/akash/script"
	"upkeep/providers/facts"
)

// MeasurementNeeds asks the running pod for the answers of its price script to sample orders, its balance, its RPC
// node and its log. The orders are in a denomination that the script knows, for GPUs that the fleet has.
func (s Spec) MeasurementNeeds(world facts.World) providers.Needs {
	release := world.Release(s.Namespace, s.Release)
	if release.Unknown != "" || release.Missing {
		return providers.Needs{}
	}
	question := s.question()
	question.Measure = &facts.PodMeasurementQuestion{Container: containerName}
	if body, scripted := scriptOf(release.Values); scripted {
		kinds, _ := fleetOf(world.Kubernetes)
		orders, err := price.Samples(price.SampleDenom(script.Recognise([]byte(body)).Version), models(kinds))
		if err == nil { // orders are plain data: they have a JSON form
			question.Measure.Orders = orders
		}
	}
	needs := providers.Needs{Helm: providers.HelmNeeds{Releases: []facts.ReleaseQuestion{question}}}
	if b := biddingOf(release.Values, nil); b.scripted && !b.known() && b.recognition.Unusable == "" {
		needs.Prices = append(needs.Prices, podQuestion(b, question.Measure.Orders))
	}
	return needs
}

// podQuestion asks the sandbox what the pod is asked: what a modified script should answer is known from running it
// only.
func podQuestion(b bidding, orders []string) facts.PriceQuestion {
	var parsed []price.Order
	for _, text := range orders {
		if order, err := price.ParseOrder([]byte(text)); err == nil { // the orders are upkeep's own
			parsed = append(parsed, order)
		}
	}
	q := script.Question(b.body, b.values, script.AKT, parsed)
	q.Orders = orders
	q.Targets["AKASH_OWNER"] = price.SampleOwner // as in the pod
	return q
}

// measured adds to the needs of a step what its proof asks of the pod. It is asked once the step has left a pod that
// runs with the values of the release: before that there is nothing to prove.
func measured(in providers.Input, step providers.Step, needs providers.Needs, left bool) providers.Needs {
	if spec, ok := in.Resources[step.Address.Resource()].(Spec); ok && left {
		return needs.And(spec.MeasurementNeeds(in.World))
	}
	return needs
}

// measurementOf returns what the pod answered that runs now; nil where that pod was not asked.
func measurementOf(release facts.Release) *facts.PodMeasurement {
	m, pod := release.Measured, providerOf(release).pod
	if m == nil || m.Unknown == "" && (pod == nil || pod.UID != m.Pod) {
		return nil
	}
	return m
}

// provedPrices returns nil where the running pod charges what the release says. A pod that nobody asked proves
// nothing, and refutes nothing: a rehearsal has no pod.
func provedPrices(world facts.World, release facts.Release) error {
	if release.Measured == nil {
		return nil
	}
	b := biddingOf(release.Values, nil)
	if !b.scripted {
		return nil
	}
	m := measurementOf(release)
	switch {
	case m == nil:
		return errors.New("the prices of the pod that runs now are not measured yet")
	case m.Unknown != "":
		return fmt.Errorf("the prices of the running pod could not be measured: %s", m.Unknown)
	case m.Price.Unknown != "":
		return fmt.Errorf("the prices of the running pod could not be measured: %s", m.Price.Unknown)
	}
	if differences := priceDifferences(b, m.Price, world.Prices); len(differences) > 0 {
		return fmt.Errorf("PRICE_DIFFERS_IN_POD: %s%s", differences[0], rollback(release, "; "))
	}
	return nil
}

// rollback says how to go back to the previous revision; empty where there is none.
func rollback(release facts.Release, before string) string {
	if release.Revision < 2 {
		return ""
	}
	return fmt.Sprintf("%sto go back to the previous revision, run: helm -n %s rollback %s %d", before,
		release.Namespace, release.Name, release.Revision-1)
}

// priceDifferences compares what the script in the pod answers with what it should answer by the values of the release:
// a published script as its version does, a modified one as it did in the sandbox. Without a sandbox only the digest of
// a modified script is compared.
func priceDifferences(b bidding, measured facts.PriceMeasurement, prices map[string]facts.PriceMeasurement) []string {
	switch {
	case b.known():
		return publishedDifferences(b, measured)
	case !b.scripted || b.recognition.Unusable != "":
		return nil
	case measured.Script != "" && !slices.Contains(mounted(b.body), measured.Script):
		return []string{fmt.Sprintf("bid script: the running pod has the script with sha256 %.12s, and the release has %.12s",
			measured.Script, b.recognition.SHA256)}
	}
	orders := make([]string, len(measured.Answers))
	for i, answer := range measured.Answers {
		orders[i] = answer.Order
	}
	q := podQuestion(b, orders)
	answers, err := q.Answers(prices[q.Key()])
	if err != nil {
		return nil // not measured, or not measurable: BID_SCRIPT_CUSTOMISED says so
	}
	var out []string
	for i, answer := range measured.Answers {
		order, err := price.ParseOrder([]byte(answer.Order))
		if err != nil || order.Denom == price.UAKT && measured.AKT != q.AKT {
			continue // an order in uakt costs what AKT costs, and the pod knows another price of AKT
		}
		out = append(out, difference(i, order, verdictOf(order, answer), verdictOf(order, answers[i]))...)
	}
	return out
}

// mounted are the digests that a script can have in the pod: the chart writes the text into a ConfigMap as a YAML
// block, which ends with one line end.
func mounted(body string) []string {
	bare := strings.TrimRight(body, "\n")
	return []string{digest([]byte(body)), digest([]byte(bare + "\n")), digest([]byte(bare))}
}

func publishedDifferences(b bidding, measured facts.PriceMeasurement) []string {
	setting := b.setting
	setting.AKT, setting.Owner = measured.AKT, price.SampleOwner
	var out []string
	for i, answer := range measured.Answers {
		order, err := price.ParseOrder([]byte(answer.Order))
		if err != nil {
			continue // the order is upkeep's own
		}
		expected, err := price.Price(order, setting)
		if err != nil {
			continue // a target that only a shell understands, which is a finding already
		}
		out = append(out, difference(i, order, verdictOf(order, answer), price.Judge(order, expected))...)
	}
	return out
}

// difference says that the pod has another answer to a sample order than it should have.
func difference(i int, order price.Order, has, want price.Verdict) []string {
	if want.Bids == has.Bids && (!want.Bids || sameAmount(want.Amount, has.Amount)) {
		return nil
	}
	return []string{fmt.Sprintf("sample order %d (%s): the running pod answers %s, and its script with the prices of the release answers %s",
		i+1, orderText(order), verdictText(has), verdictText(want))}
}

// verdictOf is what a provider makes of an answer that was measured.
func verdictOf(order price.Order, answer facts.PriceAnswer) price.Verdict {
	if answer.TimedOut {
		return price.Verdict{Reason: price.ScriptFailed, Detail: "it took longer than 10 s"}
	}
	verdict := price.Judge(order, price.Result{Stdout: answer.Stdout, Stderr: answer.Stderr, ExitCode: answer.ExitCode})
	if verdict.Reason == price.ScriptFailed && verdict.Detail == "" {
		verdict.Detail = fmt.Sprintf("it ended with status %d", answer.ExitCode)
	}
	return verdict
}

// sameAmount compares two amounts. Other programs than those of the recordings may round the last of six decimals
// otherwise.
func sameAmount(a, b string) bool {
	if a == b {
		return true
	}
	x, errX := price.ParseUSD(a)
	y, errY := price.ParseUSD(b)
	if errX != nil || errY != nil {
		return false
	}
	millionth, _ := price.ParseUSD("0.000001")
	return x.Minus(y).Cmp(millionth) <= 0 && y.Minus(x).Cmp(millionth) <= 0
}

func verdictText(v price.Verdict) string {
	if !v.Bids {
		return "with no bid: " + v.Detail
	}
	if usd, known := price.Monthly(v.Amount, v.Denom, ""); known {
		return fmt.Sprintf("%s %s a block (%s USD a month, %s an hour)", v.Amount, v.Denom, usd, usd.Hourly())
	}
	return fmt.Sprintf("%s %s a block", v.Amount, v.Denom)
}

// orderText says what a sample order asks for, in a few words.
func orderText(order price.Order) string {
	var parts []string
	for _, e := range order.Resources {
		text := "no GPU"
		if model := modelOf(e.GPU); model != nil && e.GPU.Units != nil {
			text = fmt.Sprintf("%g GPU %s", *e.GPU.Units, model.Model)
		}
		if e.Count != nil && *e.Count > 1 {
			text += fmt.Sprintf(", %g replicas", *e.Count)
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}

func modelOf(g price.GPU) *price.Model {
	if g.NVIDIA != nil {
		return g.NVIDIA
	}
	return g.AMD
}
