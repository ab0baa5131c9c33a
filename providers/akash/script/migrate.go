package script

import (
	"fmt"
	"slices"
	"strings"

	"upkeep/providers/akash/price"
)

// InForce are the targets with which a script prices: what the release's values say where the script reads them, else
// the numbers in its text, else the script's own defaults.
func (r Recognition) InForce(values price.Targets) price.Targets {
	t, _ := r.Version.Traits()
	out := price.Targets{Debug: values.Debug}
	if t.ByModel {
		out.GPUMappings = values.GPUMappings
	}
	for _, target := range price.NumericTargets() {
		literal, found := r.literal(target.Literal)
		word, _ := values.Get(target.Key)
		if found && (!literal.FromValues || word == "") {
			word = literal.Value
		} else if !found && !t.Parameterised {
			word = ""
		}
		out.Set(target.Key, word)
	}
	if literal, found := r.literal(price.UnitLiteral); found {
		out.GPUUnit = literal.Value
	}
	return out
}

// literal is the last one of its name: a later assignment wins.
func (r Recognition) literal(name string) (Literal, bool) {
	for i := len(r.Targets) - 1; i >= 0; i-- {
		if r.Targets[i].Name == name {
			return r.Targets[i], true
		}
	}
	return Literal{}, false
}

// Migration is how the prices of a script are kept under another one.
type Migration struct {
	// From and To are the settings before and after.
	From price.Setting `json:"from"`
	To   price.Setting `json:"to"`
	// Values are the chart's values to write, as text, in the order of the scripts.
	Values []Value `json:"values"`
	// Prices are all targets and GPUs, before and after; Orders are sample orders.
	Prices []price.Change `json:"prices"`
	Orders []OrderChange  `json:"orders"`
}

// Value is one of the chart's values.
type Value struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	// Line is where it is in the script's text; 0 for one that does not.
	Line int `json:"line,omitempty"`
}

// OrderChange is what an order costs a month before and after; nil where the script makes nothing of it.
type OrderChange struct {
	Name   string     `json:"name"`
	Before *price.USD `json:"before"`
	After  *price.USD `json:"after"`
	// Percent is by how much it rises; empty where it was nothing.
	Percent string `json:"percent,omitempty"`
}

// Migrate finds the chart's values with which the script of another version charges what this one charges: its
// literals as price_target_*, and for each model of the fleet what one costs now. The values are those of the release
// so far; models that these price keep their items, even those that a newer script understands better (a100.80Gi):
// Prices shows what that changes.
//
// It is an error where the script or the version is not known well enough to say what it charges, and where nothing
// can be written that means the same.
func (r Recognition) Migrate(values price.Targets, to price.Version, fleet []price.FleetGPU) (Migration, error) {
	var m Migration
	if _, known := r.Version.Traits(); !known {
		return m, fmt.Errorf("this script is none that upkeep knows; its prices cannot be told")
	}
	after, ok := to.Traits()
	if !ok || !after.Parameterised {
		return m, fmt.Errorf("the script %s does not read price_target_*", to)
	}
	m.From = price.Setting{Version: r.Version, Targets: r.InForce(values), Policy: r.Policy}
	m.To = price.Setting{Version: to, Policy: r.Policy}
	for _, target := range price.NumericTargets() {
		word, _ := m.From.Targets.Get(target.Key)
		if word == "" {
			word = target.Default
		}
		literal, _ := r.literal(target.Literal)
		m.To.Targets.Set(target.Key, word)
		m.Values = append(m.Values, Value{Key: target.Key, Value: word, Line: literal.Line})
	}
	mappings, err := m.mappings(fleet)
	if err != nil {
		return m, err
	}
	if mappings != "" {
		unit, _ := r.literal(price.UnitLiteral)
		m.To.Targets.GPUMappings = mappings
		m.Values = append(m.Values, Value{Key: price.MappingsKey, Value: mappings, Line: unit.Line})
	}
	if m.Prices, err = price.Changes(fleet, m.From, m.To); err != nil {
		return m, err
	}
	effective, err := price.EffectivePrices(fleet, m.To.Targets, to)
	if err != nil {
		return m, err
	}
	for _, e := range effective {
		if e.Fault != "" {
			return m, fmt.Errorf("%s cannot keep the price of %s: %s", to, e.Request, e.Fault)
		}
	}
	m.Orders, err = CompareOrders(SampleOrders(fleet), m.From, m.To)
	return m, err
}

// mappings are the present GPU prices of the fleet. A script that prices all GPUs alike yields * as well, for orders
// that name no model.
func (m Migration) mappings(fleet []price.FleetGPU) (string, error) {
	items := []string{}
	has := map[string]bool{}
	before, _ := m.From.Version.Traits()
	if before.ByModel {
		text := m.From.Targets.GPUMappings
		if text == "" {
			text = before.Mappings
		}
		for _, item := range strings.Split(text, ",") {
			key, _, _ := strings.Cut(item, "=")
			if key == "" {
				break // the script goes no further either
			}
			if has[key] { // the last one counts
				items = slices.DeleteFunc(items, func(earlier string) bool {
					return strings.HasPrefix(earlier,
						key+"=") || earlier == key
				})
			}
			has[key] = true
			items = append(items, item)
		}
	}
	for _, g := range fleet {
		if has[g.Model] {
			continue
		}
		has[g.Model] = true
		effective, err := price.EffectivePrices([]price.FleetGPU{{Vendor: g.Vendor, Model: g.Model}}, m.From.Targets,
			m.From.Version)
		if err != nil {
			return "", err
		}
		if effective[0].Fault != "" {
			return "", fmt.Errorf("the price of %s cannot be kept: %s", g.Model, effective[0].Fault)
		}
		items = append(items, g.Model+"="+effective[0].USD.String())
	}
	if !before.ByModel && len(items) > 0 && !has["*"] {
		unit := m.From.Targets.GPUUnit
		if unit == "" {
			unit = "100"
		}
		items = append(items, "*="+unit)
	}
	return strings.Join(items, ","), nil
}

// Sample is an order to compare prices with.
type Sample struct {
	Name  string
	Order price.Order
	// What, Unit and More say that the order is the base order with so much more of one thing: what it costs more is the
	// price of that. They are empty for an order that stands for itself.
	What, Unit string
	More       int64
}

// SampleOrders are sample orders in USDC, which every parameterised script prices.
func SampleOrders(fleet []price.FleetGPU) []Sample { return SampleOrdersIn(price.USDC, fleet) }

// SampleOrdersIn are a small web service, a database with three replicas, and one GPU of each model of the fleet,
// with enough of everything else. They ask in the given denomination.
func SampleOrdersIn(denom string, fleet []price.FleetGPU) []Sample {
	out := []Sample{
		{Name: "web service: 0.5 threads, 512 MiB, 1 endpoint", Order: sample(denom, entry(500, gib/2, 1, volume("ephemeral",
			gib)))},
		{Name: "database: 3 replicas of 4 threads, 8 GiB, 100 GiB of NVMe", Order: sample(denom, entry(4000, 8*gib, 3,
			volume("ephemeral", gib), volume("beta3", 100*gib)))},
	}
	seen := map[string]bool{}
	for _, g := range fleet {
		if seen[g.Name()] {
			continue
		}
		seen[g.Name()] = true
		out = append(out, Sample{Name: "1 " + g.Name() + ": 8 threads, 32 GiB, 100 GiB", Order: sample(denom, withGPU(base(),
			g))})
	}
	return out
}

// base is an order of everything that GPUs are asked with.
func base() price.Entry { return entry(8000, 32*gib, 1, volume("ephemeral", 100*gib)) }

func withGPU(e price.Entry, g price.FleetGPU) price.Entry {
	e.GPU.Units = number(1)
	model := &price.Model{Model: g.Model, RAM: g.RAM, Interface: g.Interface, Named: true}
	if g.Vendor == "amd" {
		e.GPU.AMD = model
	} else {
		e.GPU.NVIDIA = model
	}
	return e
}

func sample(denom string, e price.Entry) price.Order {
	return price.Order{Price: price.PriceObject, Denom: denom, Amount: "1000000", Precision: 6,
		Resources: []price.Entry{e}}
}

func number(n float64) *float64 { return &n }

func volume(class string, size float64) price.Volume {
	return price.Volume{Class: class, Size: number(size)}
}

func entry(cpu, memory, count float64, storage ...price.Volume) price.Entry {
	return price.Entry{CPU: number(cpu), Memory: number(memory), Count: number(count), Endpoints: number(1),
		Storage: storage}
}

// CompareOrders says what orders cost a month before and after.
func CompareOrders(orders []Sample, before, after price.Setting) ([]OrderChange, error) {
	var out []OrderChange
	for _, o := range orders {
		b, err := cost(o.Order, before)
		if err != nil {
			return nil, err
		}
		a, err := cost(o.Order, after)
		if err != nil {
			return nil, err
		}
		c := OrderChange{Name: o.Name, Before: b, After: a}
		if a != nil && b != nil {
			c.Percent, _ = a.Percent(*b)
		}
		out = append(out, c)
	}
	return out, nil
}

// cost is an order's price in USD a month. Versions that read no price object are asked without a price: the sum is
// the same.
func cost(o price.Order, s price.Setting) (*price.USD, error) {
	if t, _ := s.Version.Traits(); !t.Parameterised {
		o.Bare, o.Price = true, price.PriceAbsent
	}
	if s.Policy != nil && s.Owner == "" {
		s.Owner = s.Policy.Served()
	}
	r, err := price.Price(o, s)
	if err != nil || !r.Priced {
		return nil, err
	}
	return &r.Total, nil
}
