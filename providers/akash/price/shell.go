package price

import (
	"math/big"
	"strconv"
	"strings"
)

// jqNumber is how jq 1.6 prints a number: the shortest digits that are the same double, with an exponent for very
// small and very large ones.
func jqNumber(f float64) string {
	digits, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	point, _ := strconv.Atoi(exponent) // FormatFloat wrote it
	point++
	significant := len(digits) - strings.Count(digits, "-") - strings.Count(digits, ".")
	if f == 0 || point > -5 && point <= significant+15 {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return strconv.FormatFloat(f, 'e', -1, 64)
}

// printfNumber is the shell's `printf "%.*f"`: it reads its argument as an 80-bit extended number and rounds the
// binary value half to even. Nothing is 0.
func printfNumber(precision int, text string) string {
	if text == "" {
		text = "0"
	}
	exact, ok := new(big.Rat).SetString(text)
	if !ok {
		return printfNumber(precision, "0") // the shell complains and prints zero
	}
	f := new(big.Float).SetPrec(64).SetRat(exact)
	if strings.HasPrefix(text, "-") && f.Sign() == 0 {
		f.Neg(f)
	}
	return f.Text('f', precision)
}

// awkNumber is awk's printf "%.*f" of a line of input; of no line, nothing.
func awkNumber(precision int, text string) string {
	if text == "" {
		return ""
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		f = 0 // awk reads a word that is no number as zero
	}
	return strconv.FormatFloat(f, 'f', precision, 64)
}

// errShell: the shell's (( )) says that it is an error, and what it should have changed stays as it was.
type errShell struct{}

func (errShell) Error() string { return "arithmetic syntax error" }

// shellInteger is the value of a word within the shell's (( )): a whole number, octal after a leading 0, hexadecimal
// after 0x; a name is a variable that is not set, so zero.
func shellInteger(text string) (int64, error) {
	s := strings.Trim(text, " \t\n")
	sign := int64(1)
	for s != "" && (s[0] == '-' || s[0] == '+') {
		if s[0] == '-' {
			sign = -sign
		}
		s = strings.TrimLeft(s[1:], " \t\n")
		if s == "" || s[0] == '-' || s[0] == '+' {
			return 0, errShell{} // -- and ++ need a name
		}
	}
	if s == "" {
		return 0, nil
	}
	if strings.ContainsAny(s, "*/%()<>=&|^!~?:,[]{}#\"'`\\;+-") {
		if isExponentForm(s) {
			return 0, errShell{}
		}
		return 0, unmodelled("the term %q", text)
	}
	if c := s[0]; c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
		if strings.Trim(s, "_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" {
			return 0, errShell{}
		}
		return 0, nil
	}
	base := 10
	switch {
	case strings.HasPrefix(s, "0x"), strings.HasPrefix(s, "0X"):
		base, s = 16, s[2:]
	case len(s) > 1 && s[0] == '0':
		base, s = 8, s[1:]
	}
	v, err := strconv.ParseInt(s, base, 64)
	if err != nil {
		if e, ok := err.(*strconv.NumError); ok && e.Err == strconv.ErrRange {
			return 0, unmodelled("the number %q", text)
		}
		return 0, errShell{}
	}
	return sign * v, nil
}

// isExponentForm says whether a word is a number such as 1e-05, which the shell refuses for its digits.
func isExponentForm(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil && strings.ContainsAny(s, "eE")
}
