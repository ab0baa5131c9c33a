package config

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// bounded makes every function of the language keep to a budget: what would be too much is not begun where that can be
// told, and what a function made counts.
func (b *budget) bounded(all map[string]function.Function) map[string]function.Function {
	out := make(map[string]function.Function, len(all))
	for name, f := range all {
		switch name {
		case "try", "can", "sensitive", "role": // they pass on what other expressions made
			out[name] = f
		default:
			out[name] = b.boundedFunction(f, forecasts[name])
		}
	}
	return out
}

func (b *budget) boundedFunction(f function.Function, forecast func([]cty.Value) int64) function.Function {
	spec := function.Spec{Description: f.Description(), Params: f.Params(), VarParam: f.VarParam()}
	allowed := func(args []cty.Value) bool {
		if b.over != "" {
			return false
		}
		for _, arg := range args {
			if arg.ContainsMarked() || !arg.IsWhollyKnown() {
				return true // its result is unknown, or its like is asked for again without the marks
			}
		}
		return forecast == nil || b.spend(forecast(args))
	}
	spec.Type = func(args []cty.Value) (cty.Type, error) {
		if !allowed(args) {
			return cty.DynamicPseudoType, nil
		}
		return f.ReturnTypeForValues(args)
	}
	spec.Impl = func(args []cty.Value, typ cty.Type) (cty.Value, error) {
		if b.over != "" {
			return cty.UnknownVal(typ), nil
		}
		v, err := f.Call(args)
		if err == nil && !b.charge(v) {
			return cty.UnknownVal(typ), nil
		}
		return v, err
	}
	return function.New(&spec)
}

// forecasts return about how many bytes the result of a function takes, for those whose result may be much larger than
// what they are given.
var forecasts = map[string]func([]cty.Value) int64{
	"setproduct": func(args []cty.Value) int64 {
		cost := int64(valueCost * (1 + len(args)))
		for _, arg := range args {
			if !arg.CanIterateElements() || arg.IsNull() {
				return 0
			}
			if cost *= int64(arg.LengthInt()); cost > largestResult {
				break
			}
		}
		return cost
	},
	"format":     func(args []cty.Value) int64 { return formatted(args, 1) },
	"formatlist": func(args []cty.Value) int64 { return formatted(args, longest(args)) },
	"join": func(args []cty.Value) int64 {
		n := int64(0)
		for _, arg := range args[1:] {
			n += lengthOf(arg)
		}
		return n * int64(len(textOf(args[0])))
	},
	"indent": func(args []cty.Value) int64 {
		n, _ := args[0].AsBigFloat().Int64()
		return min(max(n, 0), largestResult+1) * int64(strings.Count(textOf(args[1]), "\n"))
	},
	"split": func(args []cty.Value) int64 {
		return valueCost * int64(strings.Count(textOf(args[1]), textOf(args[0])))
	},
	"replace": func(args []cty.Value) int64 {
		text, sub, with := textOf(args[0]), textOf(args[1]), textOf(args[2])
		if len(sub) > 1 && sub[0] == '/' && sub[len(sub)-1] == '/' {
			return matches(sub[1:len(sub)-1], text, int64(len(with))) + int64(strings.Count(with, "$"))*int64(len(text))
		}
		return int64(strings.Count(text, sub)) * int64(len(with))
	},
	"regexall": func(args []cty.Value) int64 {
		pattern := textOf(args[0])
		return matches(pattern, textOf(args[1]), valueCost*int64(1+strings.Count(pattern, "(")))
	},
	"csvdecode":  func(args []cty.Value) int64 { return valueCost * marks(args[0], ",\n") },
	"jsondecode": func(args []cty.Value) int64 { return max(valueCost*marks(args[0], ",:[{"), depth(args[0])) },
	"yamldecode": func(args []cty.Value) int64 { return max(valueCost*marks(args[0], ",:[{-\n"), depth(args[0])) },
	"parseint":   digits,
	"tonumber":   digits,
}

var number = regexp.MustCompile(`[0-9]+`)

// formatted is the most that a format with these arguments comes to, times over.
func formatted(args []cty.Value, times int64) int64 {
	format := textOf(args[0])
	all := int64(0)
	for _, arg := range args[1:] {
		all += costOf(arg, largestResult)
	}
	cost := int64(len(format)) + int64(strings.Count(format, "%"))*all
	for _, digits := range number.FindAllString(format, -1) {
		width, err := strconv.ParseInt(digits, 10, 32)
		if err != nil {
			return largestResult + 1
		}
		cost += width // as a width or a precision; any other number costs no more than that
	}
	return min(cost, largestResult+1) * max(times, 1)
}

func longest(args []cty.Value) (n int64) {
	for _, arg := range args {
		n = max(n, lengthOf(arg))
	}
	return n
}

func lengthOf(v cty.Value) int64 {
	if v.IsNull() || !v.CanIterateElements() {
		return 0
	}
	return int64(v.LengthInt())
}

func textOf(v cty.Value) string {
	if v.IsNull() || v.Type() != cty.String {
		return ""
	}
	return v.AsString()
}

// matches is what the matches of a pattern in a text cost at so much each. A pattern that is none costs nothing.
func matches(pattern, text string, each int64) int64 {
	re, err := regexp.Compile(pattern)
	if err != nil || each == 0 {
		return 0
	}
	most := largestResult/each + 1
	if most < 1<<16 {
		return int64(len(re.FindAllStringIndex(text, int(most)))) * each
	}
	// FindAllStringIndex makes two slices for each match; this makes none, but does not stop early.
	n := int64(0)
	re.ReplaceAllStringFunc(text, func(string) string {
		n++
		return ""
	})
	return min(n, most) * each
}

// marks counts bytes of a text.
func marks(v cty.Value, which string) int64 {
	n := int64(0)
	for _, c := range []byte(textOf(v)) {
		if strings.IndexByte(which, c) >= 0 {
			n++
		}
	}
	return n
}

// depth is too much for a JSON text that nests deeper than a configuration may: the decoder is recursive.
func depth(v cty.Value) int64 {
	deep, most := 0, 0
	for _, c := range []byte(textOf(v)) {
		switch {
		case bytes.IndexByte([]byte("[{"), c) >= 0:
			deep++
			most = max(most, deep)
		case c == ']' || c == '}':
			deep--
		}
	}
	if most > deepestNesting {
		return largestResult + 1
	}
	return 0
}

func digits(args []cty.Value) int64 {
	if len(textOf(args[0])) > longestNumber {
		return largestResult + 1
	}
	return 0
}
