package config

import (
	"encoding/json"
	"math/big"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// SecretAt is one sensitive value inside an argument.
type SecretAt struct {
	// Path leads to it: the keys and, in a list, the indexes.
	Path []string
	// JSON is the value, encoded.
	JSON Secret
}

// Tree returns an argument of any type that was declared Sensitive as JSON knows it (every number a float64, see
// encoding/json), without the parts that are sensitive, which come apart. A list that holds a sensitive value is
// sensitive in all its parts. Both are nil where the argument is null or is no object.
func (b Block) Tree(name string) (map[string]any, []SecretAt) {
	v, _ := b.attribute(name).Unmark() // the mark of the argument itself; see deeplyMarked
	if v.IsNull() || !v.IsKnown() || !(v.Type().IsObjectType() || v.Type().IsMapType()) {
		return nil, nil
	}
	var secrets []SecretAt
	tree := map[string]any{}
	for it := v.ElementIterator(); it.Next(); {
		key, value := it.Element()
		if plain, ok := treeOf(value, []string{key.AsString()}, &secrets); ok {
			tree[key.AsString()] = plain
		}
	}
	return tree, secrets
}

// treeOf returns a value as JSON knows it, and false where it is sensitive and was added to secrets instead.
func treeOf(v cty.Value, path []string, secrets *[]SecretAt) (any, bool) {
	collection := v.Type().IsObjectType() || v.Type().IsMapType()
	if v.IsMarked() || !collection && isSensitive(v) {
		inner, _ := v.UnmarkDeep()
		data, err := ctyjson.Marshal(inner, inner.Type())
		if err != nil {
			data = []byte("null")
		}
		*secrets = append(*secrets, SecretAt{Path: append([]string(nil), path...), JSON: NewSecret(string(data))})
		return nil, false
	}
	if collection && !v.IsNull() {
		out := map[string]any{}
		for it := v.ElementIterator(); it.Next(); {
			key, value := it.Element()
			if plain, ok := treeOf(value, append(path, key.AsString()), secrets); ok {
				out[key.AsString()] = plain
			}
		}
		return out, true
	}
	data, err := ctyjson.Marshal(v, v.Type())
	if err != nil {
		return nil, true
	}
	var out any
	if json.Unmarshal(data, &out) != nil {
		return nil, true
	}
	return out, true
}

// Decimal returns a number as the shortest decimal text that means exactly it, without an exponent, and false where the
// number has more than 18 digits after the point (a third has) or is null.
func Decimal(v cty.Value) (string, bool) {
	if v.IsNull() || !v.IsKnown() || v.Type() != cty.Number {
		return "", false
	}
	f := v.AsBigFloat()
	if f.IsInf() {
		return "", false
	}
	// The shortest text serves what was written as a decimal; what was calculated is off by less than 1e-100 of it.
	text := f.Text('f', -1)
	if _, fraction, _ := strings.Cut(text, "."); len(fraction) > 18 {
		text = strings.TrimRight(f.Text('f', 18), "0")
		rounded, _, err := big.ParseFloat(text, 10, 1024, big.ToNearestEven)
		if err != nil {
			return "", false
		}
		exact := new(big.Float).SetPrec(1024).Set(f)
		if off := rounded.Sub(rounded, exact); off.Sign() != 0 && off.MantExp(nil) > -300 {
			return "", false
		}
	}
	if text = strings.TrimSuffix(text, "."); text == "-0" {
		text = "0"
	}
	return text, true
}

// Number returns a number argument as a decimal; see Decimal. Empty where it is null.
func (b Block) Number(name string) (string, bool) {
	v := b.attribute(name)
	if v.IsNull() {
		return "", true
	}
	return Decimal(v)
}

// Numbers returns a map of numbers as decimals, and the keys whose numbers are no decimals, sorted.
func (b Block) Numbers(name string) (numbers map[string]string, bad []string) {
	for it := b.elements(name); it != nil && it.Next(); {
		key, value := it.Element()
		text, ok := Decimal(value)
		if !ok {
			bad = append(bad, strconv.Quote(key.AsString()))
			continue
		}
		if numbers == nil {
			numbers = map[string]string{}
		}
		numbers[key.AsString()] = text
	}
	return numbers, bad
}

// deeplyMarked marks the parts of a value that is sensitive in all its parts, so that each of them is known for a
// secret when the value is taken apart.
func deeplyMarked(v cty.Value) cty.Value {
	inner, _ := v.Unmark()
	if inner.IsNull() || !inner.IsKnown() || !(inner.Type().IsObjectType() || inner.Type().IsMapType()) || inner.LengthInt() == 0 {
		return v
	}
	parts := map[string]cty.Value{}
	for it := inner.ElementIterator(); it.Next(); {
		key, value := it.Element()
		parts[key.AsString()] = value.Mark(sensitiveMark{})
	}
	return cty.ObjectVal(parts).Mark(sensitiveMark{})
}
