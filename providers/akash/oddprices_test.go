package akash_test

import (
	"fmt"
	"strings"
	"testing"

	"upkeep/providers/akash/price"
	"upkeep/providers/akash/quote"
)

// An odd price is an error or a warning in every place where a person writes one. The words are a part of what is said;
// "" means that the price is as good as any.
func TestOddPrices(t *testing.T) {
	const fine = ""
	for _, test := range []struct {
		name, price string
		// What price_targets.cpu, price_targets.gpu and price_targets.minimum say, and what a market file says.
		cpu, gpu, minimum, market string
	}{
		{"plain", `1.6`, fine, fine, fine, fine},
		{"a whole number", `2`, fine, fine, fine, fine},
		{"by the hour", `per_hour(1.5)`, fine, fine, fine, "no price"},
		{"cents", `160`, fine, fine, fine, fine},
		{"negative", `-5`, "Negative", "Negative", "Negative", "no price"},
		{"a text", `"1.6"`, fine, fine, fine, fine},
		{"a word", `"cheap"`, "number", "number", "number", "no price"},
		{"percent", `"20%"`, "number", "number", "number", "no price"},
		{"a currency", `"$5"`, "number", "number", "number", "no price"},
		{"a comma", `"1,6"`, "number", "number", "number", "no price"},
		{"not a number", `"NaN"`, "number", "number", "number", "no price"},
		{"endless", `"Inf"`, "decimal", "decimal", "decimal", "no price"},
		{"too large", `1e400`, "too large", "too large", "too large", "no price"},
		{"as good as zero", `1e-400`, fine, "GPUs for nothing", fine, "no price"},
		{"too many digits", `0.1234567890123456789`, "18 digits", "decimal", "18 digits", fine},
		{"zero", `0`, fine, "GPUs for nothing", fine, "no price"},
		{"empty", `""`, "number", "number", "number", "no price"},
		{"a list", `[1]`, "!", "!", "!", "!"},
		{"yes", `true`, "!", "!", "!", "no price"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for place, want := range map[string]string{
				"price_targets {\n cpu = %s\n}": test.cpu, "price_targets {\n gpu = { t4 = %s }\n}": test.gpu,
				"bid_script {\n published = \"February-04-2025+uact\"\n}\nprice_targets {\n minimum = %s\n}": test.minimum,
			} {
				_, diags := load(t, chart+fmt.Sprintf(place, test.price))
				wantSaid(t, place, want, strings.Join(diags, "\n"))
			}
			_, err := quote.ParseMarket([]byte("targets: {cpu: " + test.price + "}\n"))
			text := ""
			if err != nil {
				text = err.Error()
			}
			wantSaid(t, "a market file", test.market, text)
		})
	}
}

// wantSaid compares what a place says with what it should; "!" is anything but nothing.
func wantSaid(t *testing.T, place, want, got string) {
	t.Helper()
	switch {
	case want == "" && got != "", want != "" && got == "", want != "!" && !strings.Contains(got, want):
		t.Errorf("%s says %q, want %q", place, got, want)
	}
}

// The same in the values of a release, where the script reads words: what it cannot read is a problem.
func TestOddPricesInValues(t *testing.T) {
	for _, test := range []struct {
		name  string
		value any
		odd   bool
	}{
		{"plain", 1.6, false}, {"a text", "1.6", false}, {"a text, zero", "0", false},
		{"the number zero", 0.0, true}, {"negative", "-5", true}, {"a negative number", -5.0, true}, {"tiny", 0.00001, true},
		{"huge", 1e21, true}, {"an exponent", "1e400", true}, {"not a number", "NaN", true}, {"percent", "20%", true},
		{"a comma", "1,6", true}, {"a currency", "$5", true}, {"a word", "cheap", true}, {"yes", true, true}, {"empty", "", true},
		{"a blank", " 1.6", true}, {"a list", []any{1.0}, true},
	} {
		problems := price.LintValue("price_target_cpu", test.value)
		if (len(problems) > 0) != test.odd {
			t.Errorf("%s: %v: %+v", test.name, test.value, problems)
		}
		for _, p := range problems {
			if p.Message == "" || p.Fix == "" {
				t.Errorf("%s: nothing says what to do: %+v", test.name, p)
			}
		}
	}
}
