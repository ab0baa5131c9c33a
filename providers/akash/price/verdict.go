package price

import (
	"fmt"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// Verdict is what the provider makes of a script's answer.
type Verdict struct {
	// Bids: the provider bids, at Amount in Denom for a block.
	Bids   bool   `json:"bids"`
	Amount string `json:"amount,omitempty"`
	Denom  string `json:"denom,omitempty"`
	// Reason is why it does not bid.
	Reason Reason `json:"reason,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// Reason is why a provider does not bid.
type Reason string

const (
	ScriptFailed Reason = "script_failed" // it exited with an error
	ByPolicy     Reason = "by_policy"     // the policy before the script refuses the order
	Unscaled     Reason = "unscaled"      // without a script: the scales give no price
	NoNumber     Reason = "no_number"     // its output is not one number
	Zero         Reason = "zero"
	Negative     Reason = "negative"
	TooHigh      Reason = "too_high" // above the tenant's maximum, as the script or the provider found
)

// mostDecimals is how many decimals a price on the chain may have (cosmos-sdk, math.LegacyPrecision).
const mostDecimals = 18

// Judge says what the provider does with an answer (akash-network/provider, bidengine/shellscript.go and order.go):
// it fails on an exit code, trims the output, reads one decimal of at most 18 places, refuses zero and less, and
// keeps back a bid above the order's maximum.
func Judge(o Order, r Result) Verdict {
	refuse := func(reason Reason, format string, args ...any) Verdict {
		return Verdict{Reason: reason, Detail: fmt.Sprintf(format, args...)}
	}
	if r.ExitCode != 0 && strings.Contains(r.Stderr, "requested rate is too low") {
		return refuse(TooHigh, "%s", strings.TrimSpace(r.Stderr))
	}
	if r.ExitCode != 0 && r.Version == Scale {
		return refuse(Unscaled, "%s", r.Stderr)
	}
	if r.ExitCode != 0 && strings.HasPrefix(r.Stderr, PolicySays) {
		return refuse(ByPolicy, "%s", strings.TrimPrefix(r.Stderr, PolicySays))
	}
	if r.ExitCode != 0 {
		return refuse(ScriptFailed, "%s", strings.TrimSpace(r.Stderr))
	}
	text := strings.TrimSpace(r.Stdout)
	bid, err := chainDecimal(text)
	switch {
	case text == "":
		return refuse(NoNumber, "the script printed nothing")
	case err != nil:
		return refuse(NoNumber, "%v", err)
	case bid.Sign() == 0:
		return refuse(Zero, "a bid of zero was produced")
	case bid.Sign() < 0:
		return refuse(Negative, "the price is %s", text)
	}
	v := Verdict{Bids: true, Amount: text, Denom: o.Denom}
	if o.Price == PriceAbsent {
		v.Denom = UAKT
		return v
	}
	amount := o.Amount
	if o.Price == PriceText {
		amount = strings.TrimSuffix(o.Text, o.Denom)
	}
	highest, err := chainDecimal(amount)
	if err != nil {
		return refuse(TooHigh, "the order's maximum %q is no number", amount)
	}
	if bid.Cmp(&highest) > 0 {
		return refuse(TooHigh, "%s is above the maximum of %s", text, highest.Text('f'))
	}
	return v
}

// chainDecimal reads a decimal as the chain does: digits, one point with digits on both sides, a minus in front.
func chainDecimal(text string) (apd.Decimal, error) {
	var out apd.Decimal
	digits := strings.TrimPrefix(text, "-")
	before, after, point := strings.Cut(digits, ".")
	if before == "" || point && after == "" || strings.Trim(before+after, "0123456789") != "" {
		return out, fmt.Errorf("%q is not one decimal number", shortened(text))
	}
	if len(after) > mostDecimals {
		return out, fmt.Errorf("%q has more than %d decimals", shortened(text), mostDecimals)
	}
	if _, _, err := out.SetString(text); err != nil {
		return out, fmt.Errorf("%q is not one decimal number", shortened(text))
	}
	return out, nil
}

func shortened(text string) string {
	const most = 60
	if len(text) > most {
		return text[:most] + "..."
	}
	return text
}

// MonthlyMaximum is the order's maximum in USD a month; false for a denomination that is not USD where AKT has no
// price, or one that is not known.
func MonthlyMaximum(o Order, akt string) (USD, bool) {
	amount := o.Amount
	if o.Price == PriceText {
		amount = strings.TrimSuffix(o.Text, o.Denom)
	}
	return Monthly(amount, o.Denom, akt)
}

// Monthly turns an amount a block into USD a month, rounded to a ten-thousandth. One USDC and one ACT are one USD, as
// the scripts have it.
func Monthly(amount, denom, akt string) (USD, bool) {
	perBlock, err := chainDecimal(amount)
	if err != nil {
		return USD{}, false
	}
	var month apd.Decimal
	_, _ = wide().Mul(&month, &perBlock, apd.New(blocksPerMonth, -6)) // 200 digits hold every amount of the chain
	switch denom {
	case UAKT:
		rate, err := ParseUSD(akt)
		if err != nil || rate.Sign() <= 0 {
			return USD{}, false
		}
		_, _ = wide().Mul(&month, &month, &rate.amount)
	case UACT, USDC, USDCBox:
	default:
		return USD{}, false
	}
	var out USD
	if _, err := wide().Quantize(&out.amount, &month, -4); err != nil {
		return USD{}, false
	}
	out.amount.Reduce(&out.amount)
	return out, true
}
