package price

import (
	"fmt"
	"math/big"
	"strings"
)

// gpus computes what the GPUs cost.
func (r *run) gpus() (word, error) {
	if !r.traits.ByModel {
		return r.flat()
	}
	given := r.setting.Targets.GPUMappings
	m := readMappings(orDefault(given, r.traits.Mappings))
	if m.stopped {
		r.fault("the GPU mappings have an item without a model; what stands after it is ignored")
	}
	unlisted, odd, err := m.highest(r.traits)
	if err != nil {
		return word{}, fmt.Errorf("%s: %w", MappingsKey, err)
	}
	for _, key := range odd {
		r.fault("the script cannot compare the price of %s", key)
	}
	r.debug("gpu_unit_max_price " + unlisted)
	sum := word{ok: true}
	for i, e := range r.order.Resources {
		asked := modelOf(e.GPU, r.traits)
		price, key, tried := m.lookUp(asked, r.traits, unlisted)
		line := GPULine{Entry: i, Units: unitsWord(e.GPU.Units), Count: numberWord(e.Count),
			CountIgnored: !r.traits.CountsReplicas, Model: tried[0], Tried: tried, Key: key, Price: price}
		if sum, err = r.add(sum, &line); err != nil {
			return word{}, fmt.Errorf("%s: %w", MappingsKey, err)
		}
		r.debug("model " + line.Model)
		r.debug("price for this model " + price)
		r.debug("gpu_units " + line.Units)
		r.debug("gpu_price_total " + sum.text())
		if r.traits.CountsReplicas {
			r.debug("count " + line.Count)
		}
		r.result.GPUs = append(r.result.GPUs, line)
	}
	return sum, nil
}

// unitsWord is `jq -r '.gpu.units // 0'`.
func unitsWord(f *float64) string {
	if f == nil {
		return "0"
	}
	return jqNumber(*f)
}

// add adds one entry's GPUs as the version does: with bc, where a word that bc does not understand spoils all that
// follows, or in the shell, where it leaves the sum as it was.
func (r *run) add(sum word, line *GPULine) (word, error) {
	if !r.traits.Decimals {
		return r.addInShell(sum, line)
	}
	if strings.ContainsAny(line.Price, "()\n") {
		return word{}, unmodelled("the price %q", line.Price)
	}
	n, err := calculate(joined("(", line.Count, " * ", line.Units, " * ", line.Price, ")"), bcScale)
	if err != nil {
		line.Failed = true
		r.fault("bc cannot compute %s * %s * %s for GPU %s", line.Count, line.Units, line.Price, line.Model)
		return word{}, bcFault(err)
	}
	line.USD = n.usd()
	if !sum.ok {
		return sum, nil
	}
	return word{number: sum.number.plus(n), ok: true}, nil
}

func (r *run) addInShell(sum word, line *GPULine) (word, error) {
	factors := []string{line.Units, line.Price}
	if r.traits.CountsReplicas {
		factors = []string{line.Count, line.Units, line.Price}
	}
	product := big.NewInt(1)
	for _, f := range factors {
		v, err := shellInteger(f)
		if err != nil {
			line.Failed = true
			r.fault("the shell cannot compute %s for GPU %s", strings.Join(factors, " * "), line.Model)
			return sum, shellFault(err)
		}
		product.Mul(product, big.NewInt(v))
	}
	var n number
	n.coefficient.SetMathBigInt(product)
	all := sum.number.plus(n)
	if !all.coefficient.IsInt64() {
		return sum, unmodelled("a GPU price beyond the shell's integers")
	}
	line.USD = n.usd()
	return word{number: all, ok: true}, nil
}

// flat prices all GPUs alike.
func (r *run) flat() (word, error) {
	units := unitsOf(r.order.Resources, r.traits)
	price := orDefault(r.setting.Targets.GPUUnit, unitDefault)
	line := GPULine{Units: units, Count: "", Model: "*", Price: price, CountIgnored: !r.traits.CountsReplicas}
	n, err := product(units, price)
	if err != nil {
		line.Failed = true
		r.fault("bc cannot compute %s * %s for GPUs", units, price)
		r.result.GPUs = append(r.result.GPUs, line)
		if bcFault(err) != nil {
			return word{}, fmt.Errorf("%s: %w", UnitLiteral, err)
		}
		return word{}, nil
	}
	line.USD = n.usd()
	r.result.GPUs = append(r.result.GPUs, line)
	return word{number: n, ok: true}, nil
}
