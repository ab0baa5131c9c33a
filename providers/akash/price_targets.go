package akash

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"

	"upkeep/providers/akash/price"
	"upkeep/providers/akash/script"
)

// plainNumber is a price as the language and every script read it alike.
var plainNumber = regexp.MustCompile(`^(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)$`)

// PriceTargets writes chart's values as the block price_targets that means them, each with its place in a script's
// text, and the policy that stands before that script; nil: none. It is an error where a value is no plain number, or
// an item names no model.
func PriceTargets(values []script.Value, policy *price.Policy) (string, error) {
	var text bytes.Buffer
	text.WriteString("price_targets {\n")
	for _, v := range values {
		place := ""
		if v.Line > 0 {
			place = fmt.Sprintf(" # %s, line %d", literalOf(v.Key), v.Line)
		}
		if v.Key == price.MappingsKey {
			fmt.Fprintf(&text, "gpu = {%s\n", place)
			for item := range strings.SplitSeq(v.Value, ",") {
				key, number, _ := strings.Cut(item, "=")
				if number, _, _ = strings.Cut(number, "="); !plainNumber.MatchString(number) {
					return "", fmt.Errorf("%s: the item %q has no plain number for its price; correct it in the values first", v.Key,
						item)
				}
				if !modelPattern.MatchString(key) {
					return "", fmt.Errorf("%s: the item %q names no model that anybody could ask for; correct it in the values first",
						v.Key, item)
				}
				if !hclsyntax.ValidIdentifier(key) {
					key = strconv.Quote(key)
				}
				fmt.Fprintf(&text, "%s = %s\n", key, written(number))
			}
			text.WriteString("}\n")
			continue
		}
		if !plainNumber.MatchString(v.Value) {
			return "", fmt.Errorf("%s: %q is no plain number; correct it in the values first", v.Key, v.Value)
		}
		fmt.Fprintf(&text, "%s = %s%s\n", strings.TrimPrefix(v.Key, "price_target_"), written(v.Value), place)
	}
	if policy != nil {
		text.WriteString(policyArguments(*policy))
	}
	text.WriteString("}\n")
	return string(hclwrite.Format(text.Bytes())), nil
}

// policyArguments writes a policy as the arguments that mean it.
func policyArguments(p price.Policy) string {
	var text strings.Builder
	if p.Minimum != "" {
		fmt.Fprintf(&text, "minimum = %s\n", p.Minimum)
	}
	if p.GPUOnly {
		text.WriteString("gpu_only = true\n")
	}
	for _, list := range []struct {
		name  string
		names price.Names
	}{{"deny", p.Deny}, {"allow", p.Allow}} {
		if list.names.Empty() {
			continue
		}
		fmt.Fprintf(&text, "%s = [\n", list.name)
		for _, name := range slices.Concat(list.names.Accounts, list.names.Models) {
			fmt.Fprintf(&text, "%q,\n", name)
		}
		text.WriteString("]\n")
	}
	return text.String()
}

// literalOf is the variable of older scripts that a value takes the place of.
func literalOf(key string) string {
	for _, target := range price.NumericTargets() {
		if target.Key == key {
			return target.Literal
		}
	}
	return price.UnitLiteral
}

// written is a number as the language writes it.
func written(number string) string {
	if strings.HasPrefix(number, ".") {
		return "0" + number
	}
	return number
}
