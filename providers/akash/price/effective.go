package price

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/apd/v3"
)

// FleetGPU is a GPU model that the provider has, as its node labels name it. RAM and Interface are empty where a
// label does not say them.
type FleetGPU struct {
	Vendor    string `json:"vendor"` // "nvidia", "amd"
	Model     string `json:"model"`
	RAM       string `json:"ram,omitempty"`
	Interface string `json:"interface,omitempty"` // "sxm", "pcie"
}

// Name is how a price may be set for exactly this model: a100.80Gi.sxm.
func (g FleetGPU) Name() string { return g.requests()[len(g.requests())-1].name() }

func (m Model) name() string {
	name := m.Model
	for _, part := range []string{m.RAM, m.Interface} {
		if part != "" {
			name += "." + part
		}
	}
	return name
}

// requests are the forms in which a tenant may ask for a model.
func (g FleetGPU) requests() []Model {
	out := []Model{{Model: g.Model, Named: true}}
	if g.RAM != "" {
		out = append(out, Model{Model: g.Model, RAM: g.RAM, Named: true})
	}
	if g.Interface != "" {
		out = append(out, Model{Model: g.Model, Interface: g.Interface, Named: true})
	}
	if g.RAM != "" && g.Interface != "" {
		out = append(out, Model{Model: g.Model, RAM: g.RAM, Interface: g.Interface, Named: true})
	}
	return out
}

// Effective is what a tenant pays for one GPU and month.
type Effective struct {
	// Request is how the tenant asks: a100, a100.80Gi, a100.sxm, a100.80Gi.sxm.
	Request string   `json:"request"`
	GPU     FleetGPU `json:"gpu"`
	USD     USD      `json:"usd_month"`
	// Key is the item of the mapping that says so; empty where none does, and the price is what the version takes instead.
	Key string `json:"key,omitempty"`
	// Fault says why the script cannot compute with the price. NoBids: it then bids on no order with this GPU; without
	// it, the GPU is free.
	Fault  string `json:"fault,omitempty"`
	NoBids bool   `json:"no_bids,omitempty"`
}

// EffectivePrices says what one GPU of each model costs, for each form of asking for it, in the order of the models.
// An error is a version that is not known, or an *Unmodelled price.
func EffectivePrices(models []FleetGPU, targets Targets, v Version) ([]Effective, error) {
	t, ok := v.Traits()
	if !ok {
		return nil, fmt.Errorf("there is no script version %q", v)
	}
	m := readMappings(orDefault(targets.GPUMappings, t.Mappings))
	unlisted, _, err := m.highest(t)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", MappingsKey, err)
	}
	var out []Effective
	for _, g := range models {
		for _, request := range g.requests() {
			e := Effective{Request: request.name(), GPU: g}
			price := orDefault(targets.GPUUnit, unitDefault)
			if t.ByModel {
				asked := GPU{NVIDIA: &request}
				if g.Vendor == "amd" {
					asked = GPU{AMD: &request}
				}
				price, e.Key, _ = m.lookUp(modelOf(asked, t), t, unlisted)
			}
			if err := e.set(price, t); err != nil {
				return nil, fmt.Errorf("%s: %s: %w", MappingsKey, e.Request, err)
			}
			out = append(out, e)
		}
	}
	return out, nil
}

// set computes a price word as the version does.
func (e *Effective) set(price string, t Traits) error {
	if t.ByModel && !t.Decimals {
		v, err := shellInteger(price)
		if err != nil {
			e.Fault = fmt.Sprintf("the shell cannot compute with %q", price)
			return shellFault(err)
		}
		e.USD = USD{amount: *apd.New(v, 0)}
		return nil
	}
	n, err := product("1", price)
	if err != nil {
		e.Fault, e.NoBids = fmt.Sprintf("bc cannot compute with %q", price), true
		return bcFault(err)
	}
	e.USD = n.usd()
	return nil
}

// Change is one price before and after.
type Change struct {
	// What is a target ("cpu") or a way of asking for a GPU ("a100.80Gi"); Unit is "thread", "GiB", "GPU".
	What   string `json:"what"`
	Unit   string `json:"unit"`
	Before *USD   `json:"before"` // nil where the script cannot compute it
	After  *USD   `json:"after"`
	// Percent is by how much it rises, to a tenth; empty where it was nothing before.
	Percent string `json:"percent,omitempty"`
}

// Changed says whether the price is another one.
func (c Change) Changed() bool {
	if c.Before == nil || c.After == nil {
		return c.Before != c.After
	}
	return !c.Before.Equal(*c.After)
}

// Beyond says whether the price rises or falls by more than so many percent, which a price that begins or ceases to be
// computable, or that was nothing, always does when it changes.
func (c Change) Beyond(percent USD) bool {
	if !c.Changed() {
		return false
	}
	if c.Before == nil || c.After == nil || c.Before.Sign() == 0 {
		return true
	}
	var change, most apd.Decimal
	_, _ = wide().Sub(&change, &c.After.amount, &c.Before.amount)
	change.Abs(&change)
	_, _ = wide().Mul(&change, &change, apd.New(100, 0))
	_, _ = wide().Mul(&most, &c.Before.amount, &percent.amount)
	most.Abs(&most)
	return change.Cmp(&most) > 0
}

// Changes compares all prices of two settings: the targets, then the GPUs of the fleet by each form of asking for them.
func Changes(models []FleetGPU, before, after Setting) ([]Change, error) {
	var out []Change
	for _, target := range numericTargets() {
		b, err := unitPrice(target, before.Targets)
		if err != nil {
			return nil, err
		}
		a, err := unitPrice(target, after.Targets)
		if err != nil {
			return nil, err
		}
		out = append(out, change(target.What, target.Unit, b, a))
	}
	was, err := EffectivePrices(models, before.Targets, before.Version)
	if err != nil {
		return nil, err
	}
	is, err := EffectivePrices(models, after.Targets, after.Version)
	if err != nil {
		return nil, err
	}
	for i := range was {
		out = append(out, change(was[i].Request, "GPU", was[i].price(), is[i].price()))
	}
	return out, nil
}

func (e Effective) price() *USD {
	if e.NoBids {
		return nil
	}
	return &e.USD
}

// unitPrice is what one unit of a target costs; nil where bc cannot tell.
func unitPrice(target Target, targets Targets) (*USD, error) {
	given, _ := targets.Get(target.Key)
	n, err := product("1", orDefault(given, target.Default))
	if errors.Is(err, errSyntax) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", target.Key, err)
	}
	usd := n.usd()
	return &usd, nil
}

func change(what, unit string, before, after *USD) Change {
	c := Change{What: what, Unit: unit, Before: before, After: after}
	if before != nil && after != nil {
		if percent, ok := after.Percent(*before); ok {
			c.Percent = percent
		}
	}
	return c
}

// ChangeOf is what costs so much before and after, to a tenth of a cent: a bid is a rate for a block, which no month
// divides evenly.
func ChangeOf(what, unit string, before, after *USD) Change {
	return change(what, unit, rounded(before), rounded(after))
}

func rounded(u *USD) *USD {
	if u == nil {
		return nil
	}
	var out USD
	if _, err := wide().Quantize(&out.amount, &u.amount, -3); err != nil {
		return u
	}
	out.amount.Reduce(&out.amount)
	return &out
}

// Each is what one thing costs where so many more of it raise a price from one sum to another; nil where there is no
// such sum.
func Each(without, with *USD, more int64) *USD {
	if without == nil || with == nil {
		return nil
	}
	difference := with.Minus(*without)
	var out USD
	if _, err := wide().Quo(&out.amount, &difference.amount, apd.New(more, 0)); err != nil {
		return nil
	}
	return &out
}

// Requests are the forms in which a tenant may ask for a model, the least exact first.
func (g FleetGPU) Requests() []FleetGPU {
	var out []FleetGPU
	for _, m := range g.requests() {
		out = append(out, FleetGPU{Vendor: g.Vendor, Model: m.Model, RAM: m.RAM, Interface: m.Interface})
	}
	return out
}
