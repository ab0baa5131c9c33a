package price

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func usd(t testing.TB, text string) USD {
	t.Helper()
	u, err := ParseUSD(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestEffectivePrices(t *testing.T) {
	fleet := []FleetGPU{{Vendor: "nvidia", Model: "a100", RAM: "80Gi", Interface: "sxm"}, {Vendor: "nvidia", Model: "t4"}, {Vendor: "amd", Model: "mi100", RAM: "32Gi"}}
	targets := Targets{GPUMappings: "a100.80Gi=1000,t4=80.5,mi100=70"}
	for _, test := range []struct {
		version Version
		want    []string
	}{
		{Newest, []string{"a100 1000 ", "a100.80Gi 1000 a100.80Gi", "a100.sxm 1000 ", "a100.80Gi.sxm 1000 a100.80Gi", "t4 80.5 t4", "mi100 70 mi100", "mi100.32Gi 70 mi100"}},
		{Feb27, []string{"a100 1000 ", "a100.80Gi 1000 a100.80Gi", "a100.sxm 1000 ", "a100.80Gi.sxm 1000 a100.80Gi", `t4 0 t4 the shell cannot compute with "80.5"`, "mi100 70 mi100", "mi100.32Gi 70 mi100"}},
		{Sept19, []string{"a100 100 ", "a100.80Gi 100 ", "a100.sxm 100 ", "a100.80Gi.sxm 100 ", `t4 0 t4 the shell cannot compute with "80.5"`, "mi100 100 ", "mi100.32Gi 100 "}},
		{Sept08, []string{"a100 100 ", "a100.80Gi 100 ", "a100.sxm 100 ", "a100.80Gi.sxm 100 ", "t4 100 ", "mi100 100 ", "mi100.32Gi 100 "}},
	} {
		got, err := EffectivePrices(fleet, targets, test.version)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, e := range got {
			line := fmt.Sprintf("%s %s %s", e.Request, e.USD, e.Key)
			if e.Fault != "" {
				line += " " + e.Fault
			}
			lines = append(lines, line)
		}
		if diff := cmp.Diff(test.want, lines); diff != "" {
			t.Errorf("%s (-want +got)\n%s", test.version, diff)
		}
	}
}

// What one unit costs by itself is what it costs within an order.
func TestEffectivePricesAreThoseOfOrders(t *testing.T) {
	g := FleetGPU{Vendor: "nvidia", Model: "a100", RAM: "80Gi", Interface: "pcie"}
	for _, mapping := range []string{"", "a100=950,a100.80Gi.sxm=1200,a100.pcie=800,t4=80", "a100.80Gi=1000,*=130", "t4=5,a100=7"} {
		for _, v := range Versions() {
			all, err := EffectivePrices([]FleetGPU{g}, Targets{GPUMappings: mapping}, v)
			if err != nil {
				t.Fatal(err)
			}
			for i, form := range [][2]string{{"", ""}, {"80Gi", ""}, {"", "pcie"}, {"80Gi", "pcie"}} {
				o := gpuOrder(t, "nvidia", "a100", form[0], form[1], 1, 1)
				if v == June14 || v == June25 {
					o.Bare, o.Price = true, PriceAbsent
				}
				if v == Aug08 || v == Aug14 {
					o.Price, o.Text = PriceText, "1000000uakt"
				}
				if got := mustPrice(t, o, Setting{Version: v, Targets: Targets{GPUMappings: mapping}, AKT: "3"}); !got.Total.Equal(all[i].USD) {
					t.Errorf("%s, %q: %s costs %s, in an order %s", v, mapping, all[i].Request, all[i].USD, got.Total)
				}
			}
		}
	}
}

func TestChanges(t *testing.T) {
	fleet := []FleetGPU{{Vendor: "nvidia", Model: "t4"}}
	before := Setting{Version: Sept08, Targets: Targets{CPU: "1.60", GPUUnit: "80"}}
	after := Setting{Version: Newest, Targets: Targets{CPU: "2", Memory: "1e-05", GPUMappings: "t4=85.25"}}
	changes, err := Changes(fleet, before, after)
	if err != nil {
		t.Fatal(err)
	}
	p := func(text string) *USD { u := usd(t, text); return &u }
	var changed []Change
	for _, c := range changes {
		if c.Changed() {
			changed = append(changed, c)
		}
	}
	want := []Change{
		{What: "cpu", Unit: "thread", Before: p("1.6"), After: p("2"), Percent: "25.0"},
		{What: "memory", Unit: "GiB", Before: p("0.8")},
		{What: "t4", Unit: "GPU", Before: p("80"), After: p("85.25"), Percent: "6.6"},
	}
	if diff := cmp.Diff(want, changed); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for i, beyond := range []bool{true, true, false} {
		if changed[i].Beyond(usd(t, "20")) != beyond {
			t.Errorf("%s: beyond 20%% is %t", changed[i].What, !beyond)
		}
	}
	if (Change{Before: p("100"), After: p("120")}).Beyond(usd(t, "20")) {
		t.Error("a rise of exactly 20% is beyond 20%")
	}
	if !(Change{Before: p("0"), After: p("1")}).Beyond(usd(t, "20")) {
		t.Error("a price where there was none is not beyond 20%")
	}
}

func TestWhatIsNotModelledIsAnError(t *testing.T) {
	for _, targets := range []Targets{{CPU: "2; 3"}, {CPU: "s(1)"}, {CPU: "1) + (2"}, {CPU: "2^3"}, {GPUMappings: "t4=x=", CPU: "i++"}, {GPUMappings: "t4=length(5)"}} {
		_, err := Price(mustOrder(t, asked(order4, UACT, plenty, 6)), Setting{Version: Newest, Targets: targets})
		var u *Unmodelled
		if !errors.As(err, &u) {
			t.Errorf("%+v: %v", targets, err)
		}
	}
}

// The words that the chart makes of values: what Go templates print.
func TestRendered(t *testing.T) {
	for _, test := range []struct {
		value any
		want  string
	}{
		{1.60, "1.6"}, {5.0, "5"}, {0.0, ""}, {0, ""}, {int64(0), ""}, {"0", "0"}, {"0.00", "0.00"}, {"", ""}, {nil, ""}, {0.00001, "1e-05"}, {1000000.0, "1e+06"},
		{false, ""}, {true, "true"}, {"a100=1,t4=2", "a100=1,t4=2"}, {100.0, "100"},
	} {
		if got := Rendered(test.value); got != test.want {
			t.Errorf("%#v becomes %q, want %q", test.value, got, test.want)
		}
	}
}
