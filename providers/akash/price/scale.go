package price

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// Scale is in the place of a version where there is no script: the provider then prices by itself, in amounts of the
// order's denomination for a block (akash-network/provider, bidengine/pricing.go). GPUs cost nothing.
const Scale Version = "scale"

// Scales are the chart's values by which a provider without a script prices, as words. An empty word stands for the
// chart's default. All are amounts of the order's denomination for a block.
type Scales struct {
	CPU      string `json:"cpu,omitempty"`      // for a thousandth of a thread
	Memory   string `json:"memory,omitempty"`   // for a MiB
	Storage  string `json:"storage,omitempty"`  // for a MiB: "0.00016,beta2=0.00016", the first of ephemeral storage
	Endpoint string `json:"endpoint,omitempty"` // for an endpoint
	IP       string `json:"ip,omitempty"`       // for a leased address
}

// The chart's defaults (akash-network/helm-charts, provider 19.0.2, values.yaml).
const (
	defaultCPUScale      = "0.004"
	defaultMemoryScale   = "0.0016"
	defaultStorageScale  = "0.00016,beta2=0.00016"
	defaultEndpointScale = "1"
	defaultIPScale       = "60"
)

// scalesOf reads the scales out of a release's values.
func scalesOf(values map[string]any) Scales {
	word := func(key string) string {
		if values[key] == nil {
			return ""
		}
		return fmt.Sprint(values[key])
	}
	return Scales{
		CPU: word("bidpricecpuscale"), Memory: word("bidpricememoryscale"), Storage: word("bidpricestoragescale"),
		Endpoint: word("bidpriceendpointscale"), IP: word("bidpriceipscale"),
	}
}

// part is one part of the sum.
type part struct {
	what, unit, key string
	word            string
	standard        bool // the word is the chart's default
	// of is what one replica asks for; once: however many replicas there are.
	of   func(Entry) *apd.Decimal
	once bool
	// bytes: what is asked for counts in MiB.
	bytes bool
	class string // of storage; empty for everything else
}

// byScale answers what a provider without a script makes of an order. It is an error where the worth of the order's
// denomination in USD is not known.
func byScale(o Order, s Setting) (Result, error) {
	r := Result{Version: Scale, Priced: true}
	refuse := func(why string) {
		if r.ExitCode == 0 {
			r.ExitCode, r.Stderr = 1, why
		}
	}
	denom := o.Denom
	if o.Price == PriceAbsent {
		denom = UAKT
	}
	parts, err := s.Targets.Scales.parts()
	if err != nil {
		refuse(err.Error())
	}
	for _, class := range unscaled(o, parts) {
		refuse("no pricing configured for storage class: " + class)
	}
	var total apd.Decimal
	for _, p := range parts {
		quantity := p.quantity(o)
		line := Line{What: p.what, Unit: p.unit, Quantity: quantity.Text('f'), Key: p.key, Target: p.word,
			Default: p.standard}
		amount, err := amountOf(p.word)
		if err != nil {
			line.Failed, r.Priced = true, false
			refuse(fmt.Sprintf("%s: %v", p.key, err))
			r.Lines = append(r.Lines, line)
			continue
		}
		_, _ = wide().Mul(amount, amount, quantity)
		_, _ = wide().Add(&total, &total, amount)
		if line.USD, err = monthly(amount, denom, s.AKT); err != nil {
			return r, err
		}
		r.Lines = append(r.Lines, line)
	}
	r.GPUs = freeGPUs(o)
	if r.Total, err = monthly(&total, denom, s.AKT); err != nil {
		return r, err
	}
	total.Reduce(&total)
	if places := -total.Exponent; places > mostDecimals {
		refuse(fmt.Sprintf("the price has %d decimals, and the chain takes %d", places, mostDecimals))
	}
	if r.Priced = r.Priced && r.ExitCode == 0; r.Priced {
		r.Stdout = total.Text('f')
	}
	return r, nil
}

// parts are the parts of the sum, in the order of the provider.
func (s Scales) parts() ([]part, error) {
	of := func(field func(Entry) *float64) func(Entry) *apd.Decimal {
		return func(e Entry) *apd.Decimal { return decimalOf(field(e)) }
	}
	one := func(what, unit, key, given, standard string, field func(Entry) *float64) part {
		return part{what: what, unit: unit, key: key, word: orDefault(given, standard), standard: given == "", of: of(field)}
	}
	cpu := one("cpu", "millithread", "bidpricecpuscale", s.CPU, defaultCPUScale, func(e Entry) *float64 { return e.CPU })
	memory := one("memory", "MiB", "bidpricememoryscale", s.Memory, defaultMemoryScale,
		func(e Entry) *float64 { return e.Memory })
	memory.bytes = true
	endpoints := one("endpoints", "endpoint", "bidpriceendpointscale", s.Endpoint, defaultEndpointScale,
		func(e Entry) *float64 { return e.Endpoints })
	addresses := one("leased addresses", "address", "bidpriceipscale", s.IP, defaultIPScale,
		func(e Entry) *float64 { return e.IPs })
	endpoints.once, addresses.once = true, true

	out := []part{cpu, memory}
	for i, item := range strings.Split(orDefault(s.Storage, defaultStorageScale), ",") {
		class, word, named := strings.Cut(item, "=")
		switch {
		case !named && i == 0:
			class, word = ephemeral, item
		case !named:
			return nil, fmt.Errorf("bidpricestoragescale: %q names no storage class", item)
		}
		what := class + " storage"
		if class != ephemeral {
			what = "persistent storage " + class
		}
		out = append(out, part{
			what: what, class: class, unit: "MiB", key: "bidpricestoragescale", word: word, standard: s.Storage == "", bytes: true,
			of: func(e Entry) *apd.Decimal { return e.volumes(class) },
		})
	}
	return append(out, endpoints, addresses), nil
}

const ephemeral = "ephemeral"

// scaledClass is the class as which a volume is priced: one that is not persistent, such as ram, is ephemeral.
func (v Volume) scaledClass() string {
	if v.Class == "" || v.Class == "ram" {
		return ephemeral
	}
	return v.Class
}

func (e Entry) volumes(class string) *apd.Decimal {
	sum := apd.New(0, 0)
	for _, v := range e.Storage {
		if v.scaledClass() == class {
			_, _ = wide().Add(sum, sum, decimalOf(v.Size))
		}
	}
	return sum
}

// unscaled are the storage classes that are asked for and have no price.
func unscaled(o Order, parts []part) []string {
	var out []string
	for _, e := range o.Resources {
		for _, v := range e.Storage {
			if !slices.ContainsFunc(parts, func(p part) bool { return p.class == v.scaledClass() }) {
				out = append(out, v.scaledClass())
			}
		}
	}
	return out
}

// quantity is how much of a part the complete order asks for. MiB have 16 decimals, rounded half up, as the
// provider's library divides (shopspring/decimal, DivisionPrecision).
func (p part) quantity(o Order) *apd.Decimal {
	sum := apd.New(0, 0)
	for _, e := range o.Resources {
		q := p.of(e)
		if !p.once {
			_, _ = wide().Mul(q, q, decimalOf(e.Count))
		}
		_, _ = wide().Add(sum, sum, q)
	}
	if p.bytes {
		c := wide()
		c.Rounding = apd.RoundHalfUp
		_, _ = c.Quo(sum, sum, apd.New(1<<20, 0)) // at most 20 decimals: exact
		_, _ = c.Quantize(sum, sum, -16)
	}
	sum.Reduce(sum)
	return sum
}

func decimalOf(f *float64) *apd.Decimal {
	d := apd.New(0, 0)
	if f != nil {
		_, _ = d.SetFloat64(*f)
	}
	return d
}

// amountOf reads a scale as the provider does: a decimal of zero or more, exponents among them.
func amountOf(word string) (*apd.Decimal, error) {
	d, _, err := apd.NewFromString(word)
	switch {
	case err != nil || d.Form != apd.Finite || len(word) > longestNumber:
		return nil, fmt.Errorf("%q is no number", shortened(word))
	case d.Negative && d.Sign() != 0:
		return nil, fmt.Errorf("%s is below zero, and the provider refuses to start", word)
	}
	return d, nil
}

// monthly is an amount a block in USD a month.
func monthly(amount *apd.Decimal, denom, akt string) (USD, error) {
	// The worth of a chain's amount is known for 18 decimals; what is beyond them is no money.
	var rounded apd.Decimal
	if _, err := wide().Quantize(&rounded, amount, -mostDecimals); err != nil {
		return USD{}, fmt.Errorf("an amount of %s a block: %w", amount.Text('g'), err)
	}
	usd, known := Monthly(rounded.Text('f'), denom, akt)
	if !known {
		return USD{}, fmt.Errorf("what one %s is worth in USD is not known", orDefault(denom,
			"unit of the order's denomination"))
	}
	return usd, nil
}

// freeGPUs are the order's GPUs, for which a provider without a script takes nothing.
func freeGPUs(o Order) []GPULine {
	var out []GPULine
	for i, e := range o.Resources {
		if units := decimalOf(e.GPU.Units); units.Sign() != 0 {
			model := "0"
			for _, m := range []*Model{e.GPU.AMD, e.GPU.NVIDIA} {
				if m != nil && m.Named {
					model = m.name()
				}
			}
			out = append(out, GPULine{Entry: i, Units: units.Text('f'), Count: decimalOf(e.Count).Text('f'), Model: model,
				Price: "0"})
		}
	}
	return out
}
