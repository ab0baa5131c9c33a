package script

import (
	"errors"
	"slices"

	"upkeep/providers/akash/price"
	"upkeep/providers/facts"
)

// AKT is the price of AKT in measurements of sample orders. Orders are in a denomination that is a dollar wherever
// the script knows one, and what is answered in uakt is turned back by the same price.
const AKT = "1"

// The tenant and the denomination of the sample orders: the provider sets both variables. Nobody has this address.
const (
	measuredOwner = "akash1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"
	ownerVariable = "AKASH_OWNER"
	denomVariable = "AKASH_DENOM"
)

// Denom is the denomination in which a script is asked: the newest that is in its text.
func (r Recognition) Denom() string {
	for _, ask := range []struct {
		since price.Version
		denom string
	}{{price.Feb04ACT, price.UACT}, {price.Sept08, price.USDC}} {
		for _, f := range r.Features {
			if f.Since == ask.since && f.Found {
				return ask.denom
			}
		}
	}
	return price.UAKT
}

const gib = 1 << 30

// Samples are the orders that a script is asked, in a denomination that it knows: the sample orders, the base order,
// and the base order with more of each thing that has a price.
func (r Recognition) Samples(fleet []price.FleetGPU) []Sample {
	denom := r.Denom()
	out := append(SampleOrdersIn(denom, fleet), Sample{Name: "8 threads, 32 GiB, 100 GiB", Order: sample(denom, base())})
	for _, target := range price.NumericTargets() {
		e, more := base(), int64(100)
		switch target.Literal {
		case "TARGET_CPU":
			e.CPU = number(*e.CPU + 1000*float64(more))
		case "TARGET_MEMORY":
			e.Memory = number(*e.Memory + gib*float64(more))
		case "TARGET_HD_EPHEMERAL":
			e.Storage = append(e.Storage, volume("ephemeral", gib*float64(more)))
		case "TARGET_HD_PERS_HDD":
			e.Storage = append(e.Storage, volume("beta1", gib*float64(more)))
		case "TARGET_HD_PERS_SSD":
			e.Storage = append(e.Storage, volume("beta2", gib*float64(more)))
		case "TARGET_HD_PERS_NVME":
			e.Storage = append(e.Storage, volume("beta3", gib*float64(more)))
		case "TARGET_ENDPOINT":
			e.Endpoints = number(*e.Endpoints + float64(more))
		case "TARGET_IP":
			e.IPs = number(float64(more))
		}
		out = append(out, Sample{Name: target.What, Order: sample(denom, e), What: target.What, Unit: target.Unit,
			More: more})
	}
	for _, g := range fleet {
		for _, request := range g.Requests() {
			out = append(out, Sample{Name: "GPU " + request.Name(), Order: sample(denom, withGPU(base(), request)),
				What: request.Name(), Unit: "GPU", More: 1})
		}
	}
	return out
}

// Changes compares what samples cost before and after: first the price of each thing, then the orders. Both lists of
// costs are of the same samples.
func Changes(samples []Sample, before, after []*price.USD) []price.Change {
	var units, orders []price.Change
	var base int
	for i, s := range samples {
		if s.More == 0 {
			base = i // the last order that stands for itself
		}
	}
	for i, s := range samples {
		if s.More == 0 {
			orders = append(orders, price.ChangeOf(s.Name, Order, before[i], after[i]))
			continue
		}
		b, a := price.Each(before[base], before[i], s.More), price.Each(after[base], after[i], s.More)
		units = append(units, price.ChangeOf(s.What, s.Unit, b, a))
	}
	return append(units, orders...)
}

// Order is the unit of a change that is about a sample order.
const Order = "sample order"

// Question asks what a script answers to orders with a release's values and a price of AKT. Its list of tenants is
// left out: it decides who is served, not for how much, and lies on a network that a measurement does not have.
func Question(body string, values map[string]any, akt string, orders []price.Order) facts.PriceQuestion {
	q := facts.PriceQuestion{Script: body, AKT: akt, Targets: map[string]string{ownerVariable: measuredOwner}}
	for _, target := range price.NumericTargets() {
		if word := price.Rendered(values[target.Key]); word != "" {
			q.Targets[target.Variable] = word
		}
	}
	if word := price.Rendered(values[price.MappingsKey]); word != "" {
		q.Targets[price.MappingsVariable] = word
	}
	if word := price.Rendered(values[price.DebugKey]); word != "" {
		q.Targets["DEBUG_BID_SCRIPT"] = word
	}
	for _, o := range orders {
		q.Orders = append(q.Orders, o.JSON())
		q.Targets[denomVariable] = o.Denom
	}
	return q
}

// otherAKT is another price of AKT than the one of a question: what a script answers in dollars is the same under both.
func otherAKT(akt string) string {
	if akt == "2" {
		return "3"
	}
	return "2"
}

// Probe asks again for some orders of a question, with another price of AKT. An answer in the
// order's denomination is the same, since one USDC and one ACT are one dollar; one that is not is in uakt, whatever the
// order asks in. It is false for orders in uakt, whose answer is no other under a price that is not known.
func Probe(q facts.PriceQuestion) (facts.PriceQuestion, bool) {
	if len(q.Orders) == 0 || q.Targets[denomVariable] == price.UAKT || q.Targets[denomVariable] == "" {
		return facts.PriceQuestion{}, false
	}
	// The first sample order asks for no GPU, and the third one for the first GPU of the fleet: a script may refuse
	// either.
	probed := []string{q.Orders[0]}
	if len(q.Orders) > 2 {
		probed = append(probed, q.Orders[2])
	}
	q.Orders, q.AKT = probed, otherAKT(q.AKT)
	return q, true
}

// ErrOtherDenom says that a script's answers are no dollars.
var ErrOtherDenom = errors.New("the answer changes with the price of AKT, so the script does not answer in the order's denomination: the number is no price in USD")

// CheckDenom compares the answers to a question and to its probe; nil where the probe was not measured.
func CheckDenom(q facts.PriceQuestion, m, probed facts.PriceMeasurement) error {
	probe, ok := Probe(q)
	if !ok {
		return nil
	}
	first, err := q.Answers(m)
	if err != nil {
		return nil // not this question's: its reader says so
	}
	again, err := probe.Answers(probed)
	if err != nil {
		return nil
	}
	for i, text := range probe.Orders {
		order, err := price.ParseOrder([]byte(text))
		if err != nil {
			return nil // the order is upkeep's own
		}
		one, _ := Measured(order, q.AKT, first[slices.Index(q.Orders, text)])
		other, _ := Measured(order, probe.AKT, again[i])
		if one.Bids != other.Bids || one.Amount != other.Amount {
			return ErrOtherDenom
		}
	}
	return nil
}

// Measured is what the provider would make of a measured answer, and what the order then costs a month; nil where it
// makes no bid.
func Measured(o price.Order, akt string, a facts.PriceAnswer) (price.Verdict, *price.USD) {
	if a.TimedOut {
		return price.Verdict{Reason: price.ScriptFailed, Detail: "the script did not end in time"}, nil
	}
	v := price.Judge(o, price.Result{Stdout: a.Stdout, Stderr: a.Stderr, ExitCode: a.ExitCode})
	if !v.Bids {
		return v, nil
	}
	month, ok := price.Monthly(v.Amount, v.Denom, akt)
	if !ok {
		return v, nil
	}
	return v, &month
}

// Costs is what samples cost a month by a measurement; nil where the provider makes no bid.
func Costs(samples []Sample, q facts.PriceQuestion, m facts.PriceMeasurement) ([]*price.USD, error) {
	answers, err := q.Answers(m)
	if err != nil {
		return nil, err
	}
	out := make([]*price.USD, len(samples))
	for i, s := range samples {
		_, out[i] = Measured(s.Order, q.AKT, answers[i])
	}
	return out, nil
}

// Computed is what samples cost a month under a setting; nil where the provider makes no bid.
func Computed(samples []Sample, s price.Setting) ([]*price.USD, error) {
	out := make([]*price.USD, len(samples))
	for i, sample := range samples {
		usd, err := cost(sample.Order, s)
		if err != nil {
			return nil, err
		}
		out[i] = usd
	}
	return out, nil
}
