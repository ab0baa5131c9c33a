package config

import (
	"math/big"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"
)

func TestDecimal(t *testing.T) {
	number := func(text string) cty.Value {
		v, err := cty.ParseNumberVal(text)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	third := cty.NumberVal(new(big.Float).SetPrec(512).Quo(big.NewFloat(1), big.NewFloat(3)))
	tests := []struct {
		name string
		v    cty.Value
		want string
		ok   bool
	}{
		{"two decimals", number("1.60"), "1.6", true},
		{"zero", number("0.00"), "0", true},
		{"negative zero", number("-0"), "0", true},
		{"tiny", number("0.00001"), "0.00001", true},
		{"large", number("1000000"), "1000000", true},
		{"an exponent as it was written", number("1e3"), "1000", true},
		{"a product", number("1.1").Multiply(number("730.488")), "803.5368", true},
		{"a third", third, "", false},
		{"null", cty.NullVal(cty.Number), "", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, ok := Decimal(test.v)
			if got != test.want || ok != test.ok {
				t.Errorf("Decimal = %q, %v, want %q, %v", got, ok, test.want, test.ok)
			}
		})
	}
}

func TestTree(t *testing.T) {
	secret := func(v cty.Value) cty.Value { return v.Mark(sensitiveMark{}) }
	v := cty.ObjectVal(map[string]cty.Value{
		"chainid": cty.StringVal("x"),
		"count":   cty.NumberIntVal(3),
		"nothing": cty.NullVal(cty.String),
		"letsEncrypt": cty.ObjectVal(map[string]cty.Value{
			"enabled":  cty.True,
			"apiToken": secret(cty.StringVal("canary")),
		}),
		"list": cty.TupleVal([]cty.Value{cty.StringVal("a"), secret(cty.NumberIntVal(7))}),
	})
	tests := []struct {
		name        string
		v           cty.Value
		wantTree    map[string]any
		wantSecrets map[string]string
	}{
		{"parts", v,
			map[string]any{"chainid": "x", "count": 3.0, "nothing": nil, "letsEncrypt": map[string]any{"enabled": true}},
			map[string]string{"letsEncrypt/apiToken": `"canary"`, "list": `["a",7]`}},
		{"the whole", deeplyMarked(secret(cty.ObjectVal(map[string]cty.Value{"a": cty.StringVal("canary")}))),
			map[string]any{}, map[string]string{"a": `"canary"`}},
		{"null", cty.NullVal(cty.DynamicPseudoType), nil, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := Block{Value: cty.ObjectVal(map[string]cty.Value{"values": test.v.Mark(sensitiveMark{})})}
			tree, secrets := b.Tree("values")
			if diff := cmp.Diff(test.wantTree, tree); diff != "" {
				t.Errorf("tree (-want +got):\n%s", diff)
			}
			var got map[string]string
			for _, s := range secrets {
				if got == nil {
					got = map[string]string{}
				}
				path := ""
				for i, p := range s.Path {
					if i > 0 {
						path += "/"
					}
					path += p
				}
				got[path] = s.JSON.Reveal()
			}
			if diff := cmp.Diff(test.wantSecrets, got); diff != "" {
				t.Errorf("secrets (-want +got):\n%s", diff)
			}
		})
	}
}
