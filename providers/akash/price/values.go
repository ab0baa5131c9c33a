package price

import (
	"fmt"
	"slices"
	"strings"
)

// Rendered is the word that the chart makes of a value, as its templates do (Go templates: nothing for what is empty or
// false, numbers as fmt prints them): the number 0 and "" are absent, 1.60 is "1.6", 0.00001 is "1e-05".
func Rendered(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case bool:
		if !v {
			return ""
		}
	case int:
		if v == 0 {
			return ""
		}
	case int64:
		if v == 0 {
			return ""
		}
	case float64:
		if v == 0 {
			return ""
		}
	}
	return fmt.Sprint(value)
}

// TargetsOf reads the targets out of a release's values, as the chart would render them.
func TargetsOf(values map[string]any) Targets {
	var t Targets
	for _, key := range TargetKeys() {
		t.Set(key, Rendered(values[key]))
	}
	t.Scales = scalesOf(values)
	return t
}

// TargetKeys are the chart's values that are targets: the numbers in the order of the scripts, the GPU mappings, and
// debug_bid_script.
func TargetKeys() []string {
	var out []string
	for _, target := range numericTargets() {
		out = append(out, target.Key)
	}
	return append(out, MappingsKey, DebugKey)
}

// ValueKeys are the chart's values that say prices: the targets and the scales. None is a secret.
func ValueKeys() []string {
	return append(TargetKeys(), "bidpricecpuscale", "bidpricememoryscale", "bidpricestoragescale",
		"bidpriceendpointscale", "bidpriceipscale")
}

// Mappings writes prices by model as the script reads them, in the order of their names: MODEL=PRICE, separated by
// commas, without a space (akash.md 3.2).
func Mappings(prices map[string]string) string {
	items := make([]string, 0, len(prices))
	for model, price := range prices {
		items = append(items, model+"="+price)
	}
	slices.Sort(items)
	return strings.Join(items, ",")
}
