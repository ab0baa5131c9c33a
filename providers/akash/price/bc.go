package price

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// The scripts compute money with GNU bc 1.07: `bc -l`, whose scale is 20, for sums, and bc, whose scale is 0, to
// compare. Everything here follows its manual and was compared with it by running it.

// bcScale is how many decimals `bc -l` keeps of a quotient, and of a product whose factors have fewer.
const bcScale = 20

// longestNumber is the most characters bc prints on one line; a longer number is folded, which no script expects.
const longestNumber = 68

// Unmodelled is the error for input with which a script does something that this package does not know.
type Unmodelled struct{ What string }

func (u *Unmodelled) Error() string { return u.What + "; what a script makes of that is not modelled" }

func unmodelled(format string, args ...any) error {
	return &Unmodelled{What: fmt.Sprintf(format, args...)}
}

// errSyntax: bc says "syntax error" and prints nothing. The scripts go on with an empty word.
var errSyntax = errors.New("syntax error")

// number is a decimal with bc's scale: coefficient and number of decimals, trailing zeros kept.
type number struct {
	coefficient apd.BigInt
	scale       int
}

func ten(power int) *apd.BigInt {
	return new(apd.BigInt).Exp(apd.NewBigInt(10), apd.NewBigInt(int64(power)), nil)
}

// at returns a number with more decimals, or with fewer, cut off.
func (n number) at(scale int) number {
	out := number{scale: scale}
	switch {
	case scale == n.scale:
		return n
	case scale > n.scale:
		out.coefficient.Mul(&n.coefficient, ten(scale-n.scale))
	default:
		out.coefficient.Quo(&n.coefficient, ten(n.scale-scale))
	}
	return out
}

func (n number) plus(m number) number {
	scale := max(n.scale, m.scale)
	a, b := n.at(scale), m.at(scale)
	out := number{scale: scale}
	out.coefficient.Add(&a.coefficient, &b.coefficient)
	return out
}

func (n number) negated() number {
	out := number{scale: n.scale}
	out.coefficient.Neg(&n.coefficient)
	return out
}

// times has bc's scale for products: that of the exact product, but no more than the larger of scale and those of the
// factors.
func (n number) times(m number, scale int) number {
	out := number{scale: n.scale + m.scale}
	out.coefficient.Mul(&n.coefficient, &m.coefficient)
	return out.at(min(out.scale, max(scale, n.scale, m.scale)))
}

// over is bc's quotient; the divisor is not zero.
func (n number) over(m number, scale int) number {
	var out number
	a := number{scale: n.scale}
	a.coefficient.Mul(&n.coefficient, ten(scale+m.scale))
	out.coefficient.Quo(&a.coefficient, &m.coefficient)
	out.scale = scale + n.scale
	return out.at(scale)
}

func (n number) compare(m number) int {
	scale := max(n.scale, m.scale)
	a, b := n.at(scale), m.at(scale)
	return a.coefficient.Cmp(&b.coefficient)
}

func (n number) isZero() bool { return n.coefficient.Sign() == 0 }

func (n number) usd() USD {
	var out USD
	out.amount.Coeff.Set(&n.coefficient)
	out.amount.Negative = out.amount.Coeff.Sign() < 0
	out.amount.Coeff.Abs(&out.amount.Coeff)
	out.amount.Exponent = int32(-n.scale)
	out.amount.Reduce(&out.amount)
	return out
}

// text is how bc prints a number: no zero before the point, a plain 0 for zero.
func (n number) text() string {
	if n.isZero() {
		return "0"
	}
	var abs apd.BigInt
	digits := abs.Abs(&n.coefficient).String()
	if len(digits) < n.scale {
		digits = strings.Repeat("0", n.scale-len(digits)) + digits
	}
	out := digits[:len(digits)-n.scale]
	if n.scale > 0 {
		out += "." + digits[len(digits)-n.scale:]
	}
	if n.coefficient.Sign() < 0 {
		out = "-" + out
	}
	return out
}

// word is what a command substitution left in a shell variable: a number that bc printed, or nothing since it failed.
type word struct {
	number number
	ok     bool
}

func (w word) text() string {
	if !w.ok {
		return ""
	}
	return w.number.text()
}

// calculate evaluates an expression as bc does. errSyntax means that bc prints nothing.
func calculate(expression string, scale int) (number, error) {
	if len(expression) > 4096 {
		return number{}, unmodelled("a term of %d bytes", len(expression))
	}
	c := calculator{rest: expression, scale: scale}
	n, err := c.sum(0)
	if err != nil {
		return number{}, err
	}
	c.space()
	if c.rest != "" {
		return number{}, c.odd()
	}
	if len(n.text()) > longestNumber {
		return number{}, unmodelled("a number of %d characters, which bc folds", len(n.text()))
	}
	return n, nil
}

type calculator struct {
	rest  string
	scale int
}

func (c *calculator) space() { c.rest = strings.TrimLeft(c.rest, " \t") }

func (c *calculator) take(prefix string) bool {
	c.space()
	if !strings.HasPrefix(c.rest, prefix) {
		return false
	}
	c.rest = c.rest[len(prefix):]
	return true
}

// odd judges what stands where no more of an expression can: an operator or statement that is bc's, or an error.
func (c *calculator) odd() error {
	if strings.ContainsAny(c.rest, "%^=<>!&|;\n\\\"#{}[]") || strings.Contains(c.rest, "/*") {
		return unmodelled("the term %q", c.rest)
	}
	return errSyntax
}

func (c *calculator) sum(depth int) (number, error) {
	n, err := c.product(depth)
	for err == nil {
		var m number
		switch {
		case strings.HasPrefix(strings.TrimLeft(c.rest, " \t"), "++"), strings.HasPrefix(strings.TrimLeft(c.rest, " \t"),
			"--"):
			return n, errSyntax // of a number; a name would be counted up, which ident refuses
		case c.take("+"):
			if m, err = c.product(depth); err == nil {
				n = n.plus(m)
			}
		case c.take("-"):
			if m, err = c.product(depth); err == nil {
				n = n.plus(m.negated())
			}
		default:
			return n, nil
		}
	}
	return n, err
}

func (c *calculator) product(depth int) (number, error) {
	n, err := c.factor(depth)
	for err == nil {
		var m number
		switch {
		case strings.HasPrefix(strings.TrimLeft(c.rest, " \t"), "/*"):
			return n, c.odd()
		case c.take("*"):
			if m, err = c.factor(depth); err == nil {
				n = n.times(m, c.scale)
			}
		case c.take("/"):
			if m, err = c.factor(depth); err == nil {
				if m.isZero() {
					return n, errSyntax // bc says "Divide by zero" and prints nothing
				}
				n = n.over(m, c.scale)
			}
		default:
			return n, nil
		}
	}
	return n, err
}

// deepest bounds nesting.
const deepest = 32

func (c *calculator) factor(depth int) (number, error) {
	c.space()
	switch {
	case depth > deepest:
		return number{}, unmodelled("a term that is nested too deep")
	case c.rest == "":
		return number{}, errSyntax
	case strings.HasPrefix(c.rest, "--"):
		if !isLower(strings.TrimLeft(c.rest[2:], " \t")) {
			return number{}, errSyntax
		}
		return number{}, unmodelled("the term %q", c.rest)
	case c.take("-"):
		n, err := c.factor(depth + 1)
		return n.negated(), err
	case c.take("("):
		n, err := c.sum(depth + 1)
		if err != nil {
			return n, err
		}
		if !c.take(")") {
			return n, c.odd()
		}
		return n, nil
	case isLower(c.rest):
		return c.name()
	case isDigit(c.rest[0]) || c.rest[0] == '.':
		return c.literal()
	}
	return number{}, c.odd()
}

func isLower(s string) bool { return s != "" && s[0] >= 'a' && s[0] <= 'z' }

func isDigit(b byte) bool { return b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' }

// literal reads a number. Capital letters are digits to bc: alone the value they have in a larger base, among others 9.
func (c *calculator) literal() (number, error) {
	var digits strings.Builder
	scale, point, i := 0, false, 0
	for ; i < len(c.rest); i++ {
		b := c.rest[i]
		switch {
		case b == '.' && !point:
			point = true
			continue
		case isDigit(b):
		default:
			goto done
		}
		if point {
			scale++
		}
		digits.WriteByte(b)
	}
done:
	text := digits.String()
	c.rest = c.rest[i:]
	if strings.HasPrefix(c.rest, ".") {
		return number{}, errSyntax
	}
	if len(text) > 4*longestNumber {
		return number{}, unmodelled("a number of %d digits", len(text))
	}
	if len(text) == 1 && scale == 0 && text[0] >= 'A' {
		return number{coefficient: *apd.NewBigInt(int64(text[0]-'A') + 10)}, nil
	}
	out := number{scale: scale}
	if text == "" {
		return out, nil // a point alone is zero
	}
	text = strings.Map(func(r rune) rune { return min(r, '9') }, text)
	out.coefficient.SetString(text, 10)
	return out, nil
}

// name reads a variable: all are zero but bc's own.
func (c *calculator) name() (number, error) {
	i := 0
	for i < len(c.rest) && (isLower(c.rest[i:]) || c.rest[i] >= '0' && c.rest[i] <= '9' || c.rest[i] == '_') {
		i++
	}
	name := c.rest[:i]
	c.rest = c.rest[i:]
	after := strings.TrimLeft(c.rest, " \t")
	switch {
	case strings.HasPrefix(after, "("), strings.HasPrefix(after, "["), strings.HasPrefix(after,
		"++"), strings.HasPrefix(after, "--"):
		return number{}, unmodelled("the term %q", name+c.rest)
	}
	switch name {
	case "scale":
		return number{coefficient: *apd.NewBigInt(int64(c.scale))}, nil
	case "ibase", "obase":
		return number{coefficient: *apd.NewBigInt(10)}, nil
	case "auto", "break", "continue", "define", "else", "for", "halt", "history", "if", "length", "limits", "print", "quit",
		"random", "read", "return", "sqrt", "void", "warranty", "while":
		return number{}, errSyntax
	}
	return number{}, nil
}
