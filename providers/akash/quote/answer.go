package quote

import (
	"errors"
	"fmt"

	"upkeep/providers/akash/price"
	"upkeep/providers/akash/script"
)

// Answer is what becomes of one order under one setting.
type Answer struct {
	Result  price.Result  `json:"result"`
	Verdict price.Verdict `json:"verdict"`
	// Unknown says why the other fields say nothing. Measured is the version of jq with which the script really ran; USD
	// is then what the order costs a month.
	Unknown  string     `json:"unknown,omitempty"`
	Measured string     `json:"measured,omitempty"`
	USD      *price.USD `json:"measured_usd_month,omitempty"`
}

// To answers one order under some prices.
func To(o price.Order, p Prices) (Answer, error) {
	if p.Measured != nil {
		return measured(o, p), nil
	}
	if p.Unknown != "" {
		return Answer{Unknown: p.Unknown, Result: price.Result{Lines: []price.Line{}, GPUs: []price.GPULine{}}}, nil
	}
	r, err := price.Price(o, p.Setting)
	if err != nil {
		return Answer{}, fmt.Errorf("%s: %w", p.Name, err)
	}
	if r.Lines == nil {
		r.Lines = []price.Line{}
	}
	if r.GPUs == nil {
		r.GPUs = []price.GPULine{}
	}
	return Answer{Result: r, Verdict: price.Judge(o, r)}, nil
}

// measured is what the provider makes of what the script answered when it ran.
func measured(o price.Order, p Prices) Answer {
	a := Answer{Result: price.Result{Lines: []price.Line{}, GPUs: []price.GPULine{}}, Measured: p.Measured.JQ}
	q, _ := p.Question(o)
	answers, err := q.Answers(*p.Measured)
	if err != nil {
		return Answer{Result: a.Result, Unknown: err.Error()}
	}
	if p.Probed != nil {
		if err := script.CheckDenom(q, *p.Measured, *p.Probed); err != nil {
			return Answer{Result: a.Result, Unknown: err.Error()}
		}
	}
	a.Result.Stdout, a.Result.Stderr, a.Result.ExitCode = answers[0].Stdout, answers[0].Stderr, answers[0].ExitCode
	a.Verdict, a.USD = script.Measured(o, q.AKT, answers[0])
	return a
}

// NeedsAKT says whether an order's answer hangs on the price of AKT.
func NeedsAKT(o price.Order) bool { return o.Price == price.PriceAbsent || o.Denom == price.UAKT }

// ErrNoAKT says that an order cannot be answered without the price of AKT.
var ErrNoAKT = errors.New("the order asks in uakt; say what one AKT costs: -akt-price=USD")

// saying is a verdict in words.
func (a Answer) saying() string {
	if a.Unknown != "" {
		return "unknown: " + a.Unknown
	}
	if a.Measured != "" {
		text := Answer{Verdict: a.Verdict}.saying()
		if a.Verdict.Bids {
			text = fmt.Sprintf("the provider bids %s %s a block", a.Verdict.Amount, denomWord(a.Verdict.Denom))
		}
		if a.USD != nil {
			text = fmt.Sprintf("the provider bids %s %s a block, %s USD a month, %s an hour", a.Verdict.Amount,
				denomWord(a.Verdict.Denom), a.USD.Round(), a.USD.Hourly())
		}
		return text + " (measured with " + a.Measured + ")"
	}
	switch a.Verdict.Reason {
	case "":
		bid := a.Result.Charged()
		return fmt.Sprintf("the provider bids %s %s a block, %s USD a month, %s an hour", a.Verdict.Amount,
			denomWord(a.Verdict.Denom), bid.Round(), bid.Hourly())
	case price.TooHigh:
		return "no bid, too high for the order: " + a.Verdict.Detail
	case price.ByPolicy:
		return "no bid, the policy refuses the order: " + a.Verdict.Detail
	case price.ScriptFailed:
		return "no bid, the script fails: " + a.Verdict.Detail
	case price.NoNumber:
		return "no bid, the script prints no number: " + a.Verdict.Detail
	}
	return "no bid: " + a.Verdict.Detail
}
