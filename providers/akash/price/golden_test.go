package price

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// gpuOrder asks for GPUs and nothing else.
func gpuOrder(t *testing.T, vendor, model, ram, iface string, units, count int) Order {
	t.Helper()
	attributes := []string{fmt.Sprintf(`"model":%q`, model)}
	if ram != "" {
		attributes = append(attributes, fmt.Sprintf(`"ram":%q`, ram))
	}
	if iface != "" {
		attributes = append(attributes, fmt.Sprintf(`"interface":%q`, iface))
	}
	return mustOrder(t, fmt.Sprintf(`{"resources":[{"memory":0,"cpu":0,"gpu":{"units":%d,"attributes":{"vendor":{%q:{%s}}}},
		"storage":[{"class":"ephemeral","size":0}],"count":%d,"endpoint_quantity":0}],"price":{"denom":"uakt","amount":"1000000"}}`,
		units, vendor, strings.Join(attributes, ","), count))
}

func mustOrder(t testing.TB, text string) Order {
	t.Helper()
	o, err := ParseOrder([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func mustPrice(t testing.TB, o Order, s Setting) Result {
	t.Helper()
	r, err := Price(o, s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// What one order for GPUs costs in USD a month, in six versions of the script.
func TestGPUPrices(t *testing.T) {
	versions := []Version{Sept19, Nov03, Nov16, Feb27, March27, Feb04ACT}
	const (
		m1 = "a100=120,t4=80,*=130"
		m2 = "a100.40Gi=900,a100.80Gi=1000,*=130"
		m3 = "a100=950,a100.80Gi.sxm=1200,a100.pcie=800,t4=80"
	)
	for _, test := range []struct {
		name, mapping, vendor, model, ram, iface string
		units, count                             int
		want                                     string
	}{
		{"listed", m1, "nvidia", "a100", "", "", 1, 1, "120 120 120 120 120 120"},
		{"two units, three replicas", m1, "nvidia", "a100", "", "", 2, 3, "240 240 720 720 720 720"},
		{"unlisted", m1, "nvidia", "rtx3060", "", "", 1, 1, "100 130 130 130 130 130"},
		{"a star asked for", m1, "nvidia", "*", "", "", 1, 1, "130 130 130 130 130 130"},
		{"AMD", m1, "amd", "mi100", "", "", 1, 1, "100 130 130 130 130 130"},
		{"RAM listed", m2, "nvidia", "a100", "80Gi", "", 1, 1, "100 1000 1000 1000 1000 1000"},
		{"RAM listed, not asked for", m2, "nvidia", "a100", "", "", 1, 1, "100 1000 1000 1000 1000 1000"},
		{"RAM listed, other model", m2, "nvidia", "h100", "", "", 1, 1, "100 1000 1000 1000 1000 1000"},
		{"RAM listed, a star asked for", m2, "nvidia", "*", "", "", 1, 1, "130 130 130 130 130 130"},
		{"RAM and interface", m3, "nvidia", "a100", "80Gi", "sxm", 1, 1, "950 950 950 1200 1200 1200"},
		{"RAM and another interface", m3, "nvidia", "a100", "80Gi", "pcie", 1, 1, "950 950 950 1200 950 950"},
		{"interface alone", m3, "nvidia", "a100", "", "pcie", 1, 1, "950 950 950 950 800 800"},
		{"RAM alone", m3, "nvidia", "a100", "80Gi", "", 1, 1, "950 950 950 1200 950 950"},
		{"another interface alone", m3, "nvidia", "a100", "", "sxm", 1, 1, "950 950 950 950 950 950"},
		{"the floor of 100", "t4=40,*=50", "nvidia", "h100", "", "", 1, 1, "100 100 100 100 100 100"},
		{"a star below the floor", "t4=40,*=50", "nvidia", "*", "", "", 1, 1, "50 50 50 50 50 50"},
		{"decimals", "a100=120.5,t4=80,*=130", "nvidia", "a100", "", "", 1, 1, "0 0 0 0 0 120.5"},
		{"no mapping, a100", "", "nvidia", "a100", "", "", 1, 1, "120 100 100 100 100 100"},
		{"no mapping, t4", "", "nvidia", "t4", "", "", 1, 1, "80 100 100 100 100 100"},
		{"no mapping, rtx4090", "", "nvidia", "rtx4090", "", "", 1, 1, "100 100 100 100 100 100"},
		{"zero", "t4=0", "nvidia", "t4", "", "", 1, 1, "0 0 0 0 0 0"},
		{"twice", "t4=80,t4=90", "nvidia", "t4", "", "", 1, 1, "90 90 90 90 90 90"},
		{"a space", "a100=120, t4=80", "nvidia", "t4", "", "", 1, 1, "100 120 120 120 120 120"},
		{"capitals", "T4=80", "nvidia", "t4", "", "", 1, 1, "100 100 100 100 100 100"},
		{"letters", "t4=abc", "nvidia", "t4", "", "", 1, 1, "0 0 0 0 0 0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := gpuOrder(t, test.vendor, test.model, test.ram, test.iface, test.units, test.count)
			var got []string
			for _, v := range versions {
				got = append(got, mustPrice(t, o, Setting{Version: v, Targets: Targets{GPUMappings: test.mapping}, AKT: "3"}).Total.String())
			}
			if diff := cmp.Diff(test.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("%v (-want +got)\n%s", versions, diff)
			}
		})
	}
}

const (
	order1 = `{"memory":536870912,"cpu":500,"gpu":{"units":0},"storage":[{"class":"ephemeral","size":536870912}],"count":1,"endpoint_quantity":1}`
	order2 = `{"memory":17179869184,"cpu":8000,"gpu":{"units":1,"attributes":{"vendor":{"nvidia":{"model":"a100","ram":"80Gi"}}}},
		"storage":[{"class":"ephemeral","size":107374182400},{"class":"beta3","size":536870912000},{"class":"ram","size":10737418240},
		{"class":"default","size":1073741824}],"count":2,"endpoint_quantity":3,"ip_lease_quantity":1}`
	order4 = `{"memory":1073741824,"cpu":1000,"gpu":{"units":0},"storage":[{"class":"ephemeral","size":1073741824}],"count":1,"endpoint_quantity":1}`
	order5 = `{"memory":2147483648,"cpu":1000,"gpu":{"units":1,"attributes":{"vendor":{"nvidia":{"model":"a100","ram":"80Gi","interface":"pcie"}}}},"storage":[{"class":"ephemeral","size":5368709120}],"count":2,"endpoint_quantity":2}`
	plenty = "100000000"
)

func order3() string {
	var entries []string
	for _, model := range []string{"*", "a100", "t4"} {
		entries = append(entries, strings.Replace(order4, `"units":0`, `"units":1,"attributes":{"vendor":{"nvidia":{"model":"`+model+`"}}}`, 1))
	}
	return strings.Join(entries, ",")
}

func asked(entries, denom, amount string, precision int) string {
	return fmt.Sprintf(`{"resources":[%s],"price":{"denom":%q,"amount":%q},"price_precision":%d}`, entries, denom, amount, precision)
}

// Whole orders: what the script writes, and what they cost in USD a month.
func TestWholeOrders(t *testing.T) {
	mapping2 := Targets{GPUMappings: "a100.80Gi=1000,t4=80"}
	mapping3 := Targets{GPUMappings: "a100=120,t4=80,*=130"}
	mapping5 := Targets{GPUMappings: "a100=900,a100.40Gi=900,a100.40Gi.pcie=900,a100.80Gi=1002,a100.80Gi.pcie=1003,*=1200"}
	changed2 := Targets{GPUMappings: mapping2.GPUMappings, CPU: "2", Endpoint: "0"}
	type answer struct {
		Stdout, Stderr string
		ExitCode       int
		USD            string
	}
	for _, test := range []struct {
		name, order, akt string
		version          Version
		targets          Targets
		want             answer
	}{
		{"small", asked(order1, UAKT, plenty, 6), "3", Newest, Targets{}, answer{"0.976951", "", 0, "1.26"}},
		{"large", asked(order2, UAKT, plenty, 6), "3", Newest, mapping2, answer{"1628.522935", "", 0, "2100.35"}},
		{"cheap AKT", asked(order2, UAKT, plenty, 6), "0.5", Newest, mapping2, answer{"9771.137613", "", 0, "2100.35"}},
		{"uact", asked(order2, UACT, plenty, 6), "3", Newest, mapping2, answer{"4885.568806", "", 0, "2100.35"}},
		{"USDC", asked(order2, USDC, plenty, 6), "0.5", Newest, mapping2, answer{"4885.568806", "", 0, "2100.35"}},
		{"without a price", "[" + order2 + "]", "3", Newest, mapping2, answer{"1629", "", 0, "2100.35"}},
		{"three decimals", asked(order2, UAKT, plenty, 3), "3", Newest, mapping2, answer{"1628.523", "", 0, "2100.35"}},
		{"too low a maximum", asked(order2, UAKT, "1000.000000000000000000", 6), "3", Newest, mapping2, answer{"", "requested rate is too low. min expected 1628.522935uakt", 1, "2100.35"}},
		{"replicas not charged", asked(order2, UAKT, plenty, 6), "3", Sept19, mapping2, answer{"155.342952", "", 0, "200.35"}},
		{"replicas not charged, USDC", asked(order2, USDC, plenty, 6), "3", Sept19, mapping2, answer{"466.028857", "", 0, "200.35"}},
		{"uact unknown", asked(order2, UACT, plenty, 6), "3", Sept19, mapping2, answer{"", "denom in not supported: uact", 1, "200.35"}},
		{"uact unknown still", asked(order2, UACT, plenty, 6), "3", Feb04, mapping2, answer{"", "denom in not supported: uact", 1, "2100.35"}},
		{"own targets", asked(order2, UAKT, plenty, 6), "3", Newest, changed2, answer{"1633.368922", "", 0, "2106.6"}},
		{"three models, AKT 1", asked(order3(), UAKT, plenty, 6), "1", Newest, mapping3, answer{"784.840513", "", 0, "337.41"}},
		{"three models, AKT 3", asked(order3(), UAKT, plenty, 6), "3", Newest, mapping3, answer{"261.613504", "", 0, "337.41"}},
		{"the maximum exactly", asked(order4, UACT, "5.745402", 6), "3", Newest, Targets{}, answer{"5.745402", "", 0, "2.47"}},
		{"an exponent", asked(order4, UACT, plenty, 6), "3", Newest, Targets{CPU: "1e-05"}, answer{"0.000000", "", 0, "0"}},
		{"letters", asked(order4, UACT, plenty, 6), "3", Newest, Targets{CPU: "abc"}, answer{"2.023684", "", 0, "0.87"}},
		{"below zero", asked(order4, UACT, plenty, 6), "3", Newest, Targets{CPU: "-5"}, answer{"-9.606684", "", 0, "-4.13"}},
		{"endpoints not times replicas", asked(order5, USDC, plenty, 6), "3", Newest, mapping5, answer{"4681.688450", "", 0, "2012.7"}},
		{"no price of AKT", asked(order4, UAKT, plenty, 6), "", Newest, Targets{}, answer{"0.000000", "", 0, "2.47"}},
		{"no price of AKT needed", asked(order4, UACT, plenty, 6), "", Newest, Targets{}, answer{"5.745402", "", 0, "2.47"}},
		{"AKT at nothing", asked(order4, UAKT, plenty, 6), "0", Newest, Targets{}, answer{"0.000000", "0 is outside the permitted range (>0, <=1000000)", 0, "2.47"}},
		{"AKT as an exponent", asked(order4, UAKT, plenty, 6), "1e0", Newest, Targets{}, answer{"0.000000", "1e0 is not an integer/floating number!", 0, "2.47"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := mustPrice(t, mustOrder(t, test.order), Setting{Version: test.version, Targets: test.targets, AKT: test.akt})
			if diff := cmp.Diff(test.want, answer{r.Stdout, r.Stderr, r.ExitCode, r.Total.String()}); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// What a price in USD a month is in uact for a block.
func TestUnitRates(t *testing.T) {
	for usd, want := range map[string]string{
		"1": "2.326074", "1.60": "3.721718", "80": "186.085893", "100": "232.607366", "120": "279.128839", "130": "302.389575", "1000": "2326.073657",
	} {
		o := mustOrder(t, `{"resources":[{"memory":0,"cpu":1000,"storage":[{"class":"ram","size":1}],"count":1}],"price":{"denom":"uact","amount":"100000"}}`)
		if got := mustPrice(t, o, Setting{Version: Newest, Targets: Targets{CPU: usd}}).Stdout; got != want {
			t.Errorf("%s USD a month are %s uact a block, want %s", usd, got, want)
		}
	}
}
