package price

import (
	"fmt"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// USD is an exact amount of US dollars. Its zero value is nothing. In JSON it is a number with all its digits.
type USD struct{ amount apd.Decimal }

// ParseUSD reads a plain decimal: "1.60", "-5". Exponents, infinities and not-a-number are refused.
func ParseUSD(text string) (USD, error) {
	var out USD
	for _, r := range text {
		if (r < '0' || r > '9') && r != '.' && r != '-' {
			return out, fmt.Errorf("%q is no decimal number", text)
		}
	}
	if len(text) > longestNumber {
		return out, fmt.Errorf("%d characters are too many for an amount", len(text))
	}
	if _, _, err := out.amount.SetString(text); err != nil {
		return out, fmt.Errorf("%q is no decimal number", text)
	}
	out.amount.Reduce(&out.amount)
	return out, nil
}

// String writes all digits, without an exponent.
func (u USD) String() string { return u.amount.Text('f') }

// Round writes an amount for people: with two decimals, or as many as show three digits of an amount below a dollar.
func (u USD) Round() string {
	places := int32(2)
	if u.amount.Sign() != 0 {
		// An amount below a dollar keeps three significant digits.
		if leading := -(int32(u.amount.NumDigits()) + u.amount.Exponent) + 3; leading > places {
			places = leading
		}
	}
	var out apd.Decimal
	if _, err := wide().Quantize(&out, &u.amount, -places); err != nil {
		return u.String()
	}
	text := out.Text('f')
	for point := strings.IndexByte(text, '.'); len(text) > point+3 && text[len(text)-1] == '0'; {
		text = text[:len(text)-1]
	}
	return text
}

// hoursPerMonth is the month of the scripts: 30.437 days (akash.md 3.4).
var hoursPerMonth = apd.New(730488, -3)

// Hourly is what an amount a month is an hour, for people: to four significant digits.
func (u USD) Hourly() string {
	if u.Sign() == 0 {
		return "0"
	}
	const digits = 4
	var out apd.Decimal
	if _, err := wide().Quo(&out, &u.amount, hoursPerMonth); err != nil {
		return "?"
	}
	if _, err := apd.BaseContext.WithPrecision(digits).Round(&out, &out); err != nil {
		return "?"
	}
	out.Reduce(&out)
	return out.Text('f')
}

// Both is an amount a month and an hour, for people: "100 USD a month (0.1369 an hour)".
func (u USD) Both() string { return u.String() + " USD a month (" + u.Hourly() + " an hour)" }

// FromHourly is what an amount an hour is a month.
func (u USD) FromHourly() USD {
	var out USD
	_, _ = wide().Mul(&out.amount, &u.amount, hoursPerMonth) // cannot fail: 200 digits hold what USD may hold
	out.amount.Reduce(&out.amount)
	return out
}

// Times multiplies.
func (u USD) Times(v USD) USD {
	var out USD
	_, _ = wide().Mul(&out.amount, &u.amount, &v.amount)
	return out
}

// MarshalJSON writes a JSON number.
func (u USD) MarshalJSON() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalJSON reads a JSON number that MarshalJSON wrote.
func (u *USD) UnmarshalJSON(data []byte) error {
	parsed, err := ParseUSD(string(data))
	if err != nil {
		return err
	}
	*u = parsed
	return nil
}

// Cmp compares: -1, 0, 1.
func (u USD) Cmp(v USD) int { return u.amount.Cmp(&v.amount) }

// Equal says whether two amounts are the same.
func (u USD) Equal(v USD) bool { return u.Cmp(v) == 0 }

// Sign is -1, 0 or 1.
func (u USD) Sign() int { return u.amount.Sign() }

// Plus adds.
func (u USD) Plus(v USD) USD {
	var out USD
	_, _ = wide().Add(&out.amount, &u.amount, &v.amount) // cannot fail: 200 digits hold what USD may hold
	return out
}

// Minus subtracts.
func (u USD) Minus(v USD) USD {
	var out USD
	_, _ = wide().Sub(&out.amount, &u.amount, &v.amount)
	return out
}

// Percent is how many percent u lies above v, rounded to a tenth; false where v is zero.
func (u USD) Percent(v USD) (string, bool) {
	if v.Sign() == 0 {
		return "", false
	}
	var d, q, out apd.Decimal
	_, _ = wide().Sub(&d, &u.amount, &v.amount)
	_, _ = wide().Mul(&d, &d, apd.New(100, 0))
	_, _ = wide().Quo(&q, &d, &v.amount)
	_, _ = wide().Quantize(&out, &q, -1)
	return strings.TrimPrefix(out.Text('f'), zeroSign(&out)), true
}

// zeroSign is the minus of a zero.
func zeroSign(d *apd.Decimal) string {
	if d.IsZero() {
		return "-"
	}
	return ""
}

func wide() *apd.Context {
	c := apd.BaseContext.WithPrecision(200)
	c.Rounding = apd.RoundHalfEven
	return c
}
