package price

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func summary(problems []Problem, value string) []string {
	var out []string
	for _, p := range problems {
		culprit := ""
		if p.Offset+p.Length <= len(value) {
			culprit = value[p.Offset : p.Offset+p.Length]
		}
		mark := ""
		if p.Breaks {
			mark = "!"
		}
		out = append(out, fmt.Sprintf("%s%s %s", mark, p.Kind, culprit))
	}
	return out
}

func TestLintValue(t *testing.T) {
	for _, test := range []struct {
		value any
		want  []string
	}{
		{1.60, nil}, {"1.60", nil}, {"0", nil}, {nil, nil}, {".5", nil},
		{0.0, []string{"!zero_dropped "}},
		{0, []string{"!zero_dropped "}},
		{"", []string{"empty_is_default "}},
		{0.00001, []string{"!exponent 1e-05"}},
		{1000000.0, []string{"!exponent 1e+06"}},
		{"1,60", []string{"!comma 1,60"}},
		{" 1.60", []string{"space  1.60"}},
		{" abc", []string{"space  abc", "!not_a_number  abc"}},
		{"-5", []string{"!negative -5"}},
		{"abc", []string{"!not_a_number abc"}},
		{true, []string{"!not_a_number "}},
	} {
		text := Rendered(test.value)
		if diff := cmp.Diff(test.want, summary(LintValue("price_target_cpu", test.value), text)); diff != "" {
			t.Errorf("%#v (-want +got)\n%s", test.value, diff)
		}
	}
}

func TestLintMappings(t *testing.T) {
	t4 := []FleetGPU{{Vendor: "nvidia", Model: "t4"}}
	sxm := []FleetGPU{{Vendor: "nvidia", Model: "a100", RAM: "80Gi", Interface: "sxm"}}
	for _, test := range []struct {
		name, mapping string
		version       Version
		fleet         []FleetGPU
		want          []string
	}{
		{"all well", "t4=180", Newest, t4, nil},
		{"all forms of asking", "a100=900,a100.80Gi=1000,a100.80Gi.sxm=1200,a100.sxm=950", Newest, sxm, nil},
		{"a comma at the end", "t4=180,", Newest, nil, nil},
		{"an empty item", "a100=5,,t4=6", Newest, nil, []string{"!no_key "}},
		{"no model", "=5,t4=6", Newest, nil, []string{"!no_key =5"}},
		{"a bare number", "100", Newest, nil, []string{"!no_price 100"}},
		{"a space", "a100=120, t4=80", Newest, nil, []string{"!space  t4"}},
		{"a space around a price", "t4= 80", Newest, nil, []string{"space  80"}},
		{"capitals", "T4=80", Newest, nil, []string{"!bad_key T4"}},
		{"other separators", "a100-80g=80", Newest, nil, []string{"!bad_key a100-80g"}},
		{"RAM in other units", "a100.80GB=80", Newest, nil, []string{"!bad_key a100.80GB"}},
		{"the order of parts", "a100.sxm.80Gi=80", Newest, nil, []string{"!bad_key a100.sxm.80Gi"}},
		{"interfaces of the label", "a100.sxm4=900,a100.PCIe=800", Newest, nil, []string{"!bad_interface a100.sxm4", "!bad_interface a100.PCIe"}},
		{"duplicates", "t4=80,t4=90", Newest, nil, []string{"!duplicate t4=90"}},
		{"harmless duplicates", "t4=80,t4=80", Newest, nil, []string{"duplicate t4=80"}},
		{"a star", "t4=180,*=130", Newest, t4, []string{"star *"}},
		{"RAM too new", "a100.80Gi=80", Nov16, nil, []string{"!ram_too_new a100.80Gi"}},
		{"interface too new", "a100.80Gi.sxm=80", Feb27, nil, []string{"!interface_too_new a100.80Gi.sxm"}},
		{"decimals too new", "t4=80.5", March27, nil, []string{"!decimals_too_new 80.5"}},
		{"decimals", "t4=80.5", April03, nil, nil},
		{"octal", "t4=080", March27, nil, []string{"!not_a_number 080"}},
		{"an exponent", "t4=1e-05", Newest, nil, []string{"!exponent 1e-05"}},
		{"below zero", "t4=-5", Newest, nil, []string{"!negative -5"}},
		{"letters", "t4=abc", Newest, nil, []string{"!not_a_number abc"}},
		{"equals twice", "t4=5=6", Newest, nil, []string{"not_a_number t4=5=6"}},
		{"two lines", "t4=5\na100=6", Newest, nil, []string{"!no_key \n", "not_a_number t4=5\na100=6", "!not_a_number 5\na100"}},
		{"no price for what there is", "a100=500", Newest, t4, []string{"absent a100", "!unpriced a100=500"}},
		{"no price for some ways of asking", "a100.80Gi.sxm=1200", Newest, sxm, []string{"!unpriced a100.80Gi.sxm=1200", "!unpriced a100.80Gi.sxm=1200", "!unpriced a100.80Gi.sxm=1200"}},
		{"below the floor", "t4=40", Newest, t4, []string{"floor t4=40"}},
		{"literals only", "t4=40", Sept08, t4, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, summary(LintMappings(test.mapping, test.version, test.fleet), test.mapping)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestLintSetting(t *testing.T) {
	fleet := []FleetGPU{{Vendor: "nvidia", Model: "t4"}}
	for _, test := range []struct {
		name    string
		setting Setting
		fleet   []FleetGPU
		want    []string
	}{
		{"newest", Setting{Version: Newest}, fleet, nil},
		{"no script", Setting{}, fleet, []string{"!no_script "}},
		{"no script, no GPU", Setting{}, nil, nil},
		{"debug", Setting{Version: Newest, Targets: Targets{Debug: "true"}}, nil, []string{"!debug_bid_script "}},
		{"no uact", Setting{Version: Feb04}, nil, []string{"!no_uact "}},
		{"values that a script does not read", Setting{Version: Sept08, Targets: Targets{CPU: "1"}}, nil, []string{"!no_uact ", "!models_too_new "}},
	} {
		if diff := cmp.Diff(test.want, summary(LintSetting(test.setting, test.fleet), "")); diff != "" {
			t.Errorf("%s (-want +got)\n%s", test.name, diff)
		}
	}
}
