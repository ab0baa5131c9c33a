package price

import (
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// blocksPerMonth is 30.437 days of 6.117-second blocks (akash-network/helm-charts, price_script_generic.sh, all versions).
const blocksPerMonth = 429909

// Price answers what a script makes of an order. It is an error where the version is not known, or where a target holds a word
// that only a shell can understand (*Unmodelled).
func Price(o Order, s Setting) (Result, error) {
	t, ok := s.Version.Traits()
	if !ok {
		return Result{}, fmt.Errorf("there is no script version %q", s.Version)
	}
	r := &run{order: o, setting: s, traits: t, result: Result{Version: s.Version}}
	err := r.all()
	return r.result, err
}

type run struct {
	order   Order
	setting Setting
	traits  Traits
	result  Result
	out     strings.Builder
	total   word
}

func (r *run) all() error {
	if r.traits.input == objectInput && r.order.Price != PriceAbsent && r.order.Price != PriceObject {
		r.fail("price must be an object! make sure you are using the latest akash-provider.")
		return nil
	}
	if !r.readable() {
		r.fault("the script cannot read this form of an order")
	} else {
		if err := r.sum(); err != nil {
			return err
		}
	}
	return r.answer()
}

// readable says whether the version finds the resources: those with a price within their object, a bare list otherwise.
func (r *run) readable() bool {
	return r.order.Bare || r.order.Price != PriceAbsent && r.traits.input != bareInput
}

func (r *run) fail(text string) {
	r.result.Stderr, r.result.ExitCode = text, 1
	r.result.Stdout = r.out.String()
}

func (r *run) fault(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	for _, known := range r.result.Faults {
		if known == text {
			return
		}
	}
	r.result.Faults = append(r.result.Faults, text)
}

// bcFault keeps the errors that are not the script's.
func bcFault(err error) error {
	if errors.Is(err, errSyntax) {
		return nil
	}
	return err
}

func shellFault(err error) error {
	if errors.As(err, &errShell{}) {
		return nil
	}
	return err
}

// sum computes the order's price in USD a month.
func (r *run) sum() error {
	total, priced := number{}, true
	amounts := quantities(r.order, r.traits)
	for i, target := range numericTargets() {
		given, _ := r.setting.Targets.Get(target.Key)
		line := Line{What: target.What, Unit: target.Unit, Quantity: amounts[i], Key: target.Key, Target: orDefault(given, target.Default), Default: given == ""}
		n, err := product(amounts[i], line.Target)
		switch {
		case err == nil:
			line.USD = n.usd()
			total = total.plus(n)
		case bcFault(err) != nil:
			return fmt.Errorf("%s: %w", target.Key, err)
		default:
			line.Failed, priced = true, false
			if amounts[i] == "" {
				r.fault("jq cannot compute how much %s is asked for", target.What)
			} else {
				r.fault("bc cannot compute %s * %s for %s", amounts[i], line.Target, target.What)
			}
		}
		r.result.Lines = append(r.result.Lines, line)
	}
	gpus, err := r.gpus()
	if err != nil {
		return err
	}
	r.result.GPUTotal = gpus.number.usd()
	if priced && gpus.ok {
		r.total = word{number: total.plus(gpus.number), ok: true}
		if len(r.total.text()) > longestNumber {
			return unmodelled("a total of %d characters, which bc folds", len(r.total.text()))
		}
		r.result.Total, r.result.Priced = r.total.number.usd(), true
	}
	r.debug("Total cost USD/month: " + r.total.text())
	return nil
}

// product is "($quantity * $target)" of bc. A parenthesis in a target would reach into the rest of the sum.
func product(quantity, target string) (number, error) {
	if strings.ContainsAny(target, "()\n") {
		return number{}, unmodelled("the target %q", target)
	}
	return calculate(joined("(", quantity, " * ", target, ")"), bcScale)
}

func (r *run) debug(line string) {
	if r.setting.Targets.Debug != "" && r.traits.PrintsDebug {
		r.out.WriteString("DEBUG: " + line + "\n")
	}
}

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
	unlisted, err := m.highest(r.traits)
	if err != nil {
		return word{}, fmt.Errorf("%s: %w", MappingsKey, err)
	}
	r.debug("gpu_unit_max_price " + unlisted)
	sum := word{ok: true}
	for i, e := range r.order.Resources {
		asked := modelOf(e.GPU, r.traits)
		price, key, tried := m.lookUp(asked, r.traits, unlisted)
		line := GPULine{Entry: i, Units: unitsWord(e.GPU.Units), Count: numberWord(e.Count), CountIgnored: !r.traits.CountsReplicas, Model: tried[0], Tried: tried, Key: key, Price: price}
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

// add adds one entry's GPUs as the version does: with bc, where a word that bc does not understand spoils all that follows, or
// in the shell, where it leaves the sum as it was.
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

// The price of AKT must look like this, lie above zero and be no more than a million.
var aktPattern = regexp.MustCompile(`^[0-9]+([.][0-9]+)?$`)

// akt reads the price of AKT; the text says what the script writes when it refuses it.
func akt(text string) (price word, complaint string, err error) {
	switch {
	case text == "":
		return word{}, "", nil
	case !aktPattern.MatchString(text):
		return word{}, text + " is not an integer/floating number!", nil
	}
	n, err := calculate(text, bcScale)
	if err != nil {
		return word{}, "", err
	}
	million := number{}
	million.coefficient.SetInt64(1000000)
	if n.isZero() || n.compare(million) > 0 {
		return word{}, text + " is outside the permitted range (>0, <=1000000)", nil
	}
	return word{number: n, ok: true}, "", nil
}

// answer turns the total into a rate a block, and judges it by the tenant's maximum.
func (r *run) answer() error {
	usdPerAKT, complaint, err := akt(r.setting.AKT)
	if err != nil {
		return fmt.Errorf("price of AKT: %w", err)
	}
	if complaint != "" && r.traits.input == objectInput {
		r.result.Stderr = complaint
	} else if complaint != "" {
		r.result.Stderr = complaint + "\n"
	}
	if !usdPerAKT.ok {
		if r.traits.input == bareInput {
			if complaint == "" {
				r.result.Stderr = "cat: /tmp/aktprice.cache: No such file or directory\n"
			}
			r.result.Stdout, r.result.ExitCode = r.out.String(), 1
			return nil
		}
		r.fault("the script has no price of AKT")
	}
	million, blocks := whole(1000000), whole(blocksPerMonth)
	uakt := r.total.over(usdPerAKT).times(million).over(blocks)
	usd := r.total.over(blocks)
	if err := r.write(uakt, usd.times(million)); err != nil {
		return err
	}
	r.result.Stdout = r.out.String()
	return nil
}

func whole(n int64) word {
	out := word{ok: true}
	out.number.coefficient.SetInt64(n)
	return out
}

func (w word) over(v word) word {
	if !w.ok || !v.ok {
		return word{}
	}
	return word{number: w.number.over(v.number, bcScale), ok: true}
}

func (w word) times(v word) word {
	if !w.ok || !v.ok {
		return word{}
	}
	return word{number: w.number.times(v.number, bcScale), ok: true}
}

// write prints the answer in the order's denomination; the rates are in uakt, and in millionths of a dollar, for a block.
func (r *run) write(uakt, usd word) error {
	o, t := r.order, r.traits
	if o.Price == PriceAbsent || t.input == bareInput {
		r.out.WriteString(r.alone(uakt))
		return nil
	}
	denom := o.Denom
	if t.input == textInput && o.Price != PriceText {
		denom = "" // the object breaks the text that jq is given
		r.fault("the script reads no price but one in text form")
	}
	if t.input == textInput && o.Price == PriceText && o.Text == "" {
		return unmodelled("an order with an empty price")
	}
	switch {
	case denom == UAKT:
		amount := o.Amount
		if t.input == textInput {
			amount = onlyNumber(o.Text)
		}
		return r.offer(uakt.text(), amount, denom, func() string { return r.rate(uakt) })
	case knows(t, denom) && t.input == textInput:
		text := usd.text()
		switch {
		case t.output == longOutput:
			text = awkNumber(18, text)
		case usd.ok:
			text = usd.number.at(min(usd.number.scale, 18)).text()
		}
		return r.offer(text, onlyNumber(o.Text), denom, func() string { return text + "\n" })
	case knows(t, denom):
		text := awkNumber(o.Precision, usd.text())
		return r.offer(text, o.Amount, denom, func() string { return printfNumber(o.Precision, text) })
	}
	r.fail(joined(r.result.Stderr, "denom in not supported: ", denom))
	return nil
}

func knows(t Traits, denom string) bool {
	for _, d := range t.Denoms {
		if d == denom {
			return true
		}
	}
	return false
}

// offer prints an answer unless the tenant pays less.
func (r *run) offer(rate, amount, denom string, answer func() string) error {
	tooHigh, err := greater(rate, amount)
	if err != nil {
		return fmt.Errorf("price.amount: %w", err)
	}
	if !tooHigh {
		r.out.WriteString(answer())
		return nil
	}
	places := r.order.Precision
	switch r.traits.output {
	case ceilOutput:
		places = 8
	case longOutput:
		places = 18
	}
	r.fail(joined(r.result.Stderr, "requested rate is too low. min expected ", printfNumber(places, rate), denom))
	return nil
}

// alone is the answer to an order without a price.
func (r *run) alone(uakt word) string {
	if r.traits.output == preciseOutput {
		return printfNumber(0, printfNumber(r.order.Precision, uakt.text()))
	}
	return r.rate(uakt)
}

// rate is how a version writes a rate in uakt.
func (r *run) rate(uakt word) string {
	switch r.traits.output {
	case ceilOutput:
		return ceiling(uakt) + "\n"
	case longOutput:
		return printfNumber(18, uakt.text()) + "\n"
	}
	return printfNumber(r.order.Precision, printfNumber(r.order.Precision, uakt.text()))
}

// ceiling is jq's: the double above.
func ceiling(w word) string {
	if !w.ok {
		return ""
	}
	f, err := strconv.ParseFloat(w.text(), 64)
	if err != nil {
		return ""
	}
	floor, _ := new(big.Float).SetFloat64(f).Int(nil)
	if up, _ := new(big.Float).SetInt(floor).Float64(); up != f && f > 0 {
		floor.Add(floor, big.NewInt(1))
	}
	up, _ := new(big.Float).SetInt(floor).Float64()
	return jqNumber(up)
}

// onlyNumber keeps the digits and points of a text.
func onlyNumber(text string) string {
	return strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' || c == '.' {
			return c
		}
		return -1
	}, text)
}
