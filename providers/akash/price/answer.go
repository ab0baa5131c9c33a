package price

import (
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

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

// CheckAKT says why a text cannot be the price of an AKT.
func CheckAKT(text string) error {
	_, complaint, err := akt(text)
	if err == nil && complaint != "" {
		err = errors.New(strings.TrimSuffix(complaint, "!"))
	}
	return err
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
		if r.order.Price == PriceAbsent || r.order.Denom == UAKT {
			r.fault("the script has no price of AKT")
		}
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

// write prints the answer in the order's denomination; the rates are in uakt, and in millionths of a dollar, for a
// block.
func (r *run) write(uakt, usd word) error {
	o, t := r.order, r.traits
	if !r.priced() || t.input == bareInput {
		r.out.WriteString(r.alone(uakt))
		return nil
	}
	denom := o.Denom
	if t.input == textInput && o.Price != PriceText {
		denom = "" // the object breaks the text that jq is given
		r.fault("the script reads no price but one in text form")
	}
	if t.input == textInput && (o.Price == PriceOther || o.Price == PriceText && o.Text == "") {
		return unmodelled("an order whose price is neither an object nor a text")
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
	if fault(err) != nil {
		return fmt.Errorf("price.amount: %w", err)
	}
	if err != nil {
		r.fault("bc cannot compare %q with the order's maximum %q", rate, amount)
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
