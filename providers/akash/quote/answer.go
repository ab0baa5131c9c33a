package quote

import (
	"errors"
	"fmt"

	"upkeep/providers/akash/price"
)

// Answer is what becomes of one order under one setting.
type Answer struct {
	Result  price.Result  `json:"result"`
	Verdict price.Verdict `json:"verdict"`
}

// To answers one order under some prices.
func To(o price.Order, p Prices) (Answer, error) {
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

// NeedsAKT says whether an order's answer hangs on the price of AKT.
func NeedsAKT(o price.Order) bool { return o.Price == price.PriceAbsent || o.Denom == price.UAKT }

// ErrNoAKT says that an order cannot be answered without the price of AKT.
var ErrNoAKT = errors.New("the order asks in uakt; say what one AKT costs: -akt-price=USD")

// saying is a verdict in words.
func (a Answer) saying() string {
	switch a.Verdict.Reason {
	case "":
		bid := a.Result.Charged()
		return fmt.Sprintf("the provider bids %s %s a block, %s USD a month, %s an hour", a.Verdict.Amount, denomWord(a.Verdict.Denom), bid.Round(), bid.Hourly())
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
