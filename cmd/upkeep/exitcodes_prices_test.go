package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestExitCodesOfPrices walks the price commands: a price that nobody can tell is no success, and neither is an answer about
// nothing.
func TestExitCodesOfPrices(t *testing.T) {
	p := place{t: t, directory: t.TempDir()}
	t.Chdir(p.directory)
	p.write("order.json", `{"resources":[{"memory":17179869184,"cpu":8000,"storage":[{"class":"ephemeral","size":107374182400}],"count":2,`+
		`"endpoint_quantity":3}],"price":{"denom":"uact","amount":"10000"},"price_precision":6}`)
	p.write("akt.json", `{"resources":[{"memory":17179869184,"cpu":8000,"storage":[{"class":"ephemeral","size":107374182400}],"count":2,`+
		`"endpoint_quantity":3}],"price":{"denom":"uakt","amount":"10000"},"price_precision":6}`)
	p.write("own.sh", "#!/bin/bash\norder=$(jq .)\nPRICE_TARGET_CPU=1.60\necho $RANDOM\n")
	p.write("empty.json", "")
	p.write("values.yaml", "price_target_cpu: 1.6\nprice_target_gpu_mappings: a100=100\n")
	p.write("market.yaml", "per: month\ntargets:\n  cpu: 1.6\n")
	p.write("nothing.yaml", "per: month\n")
	for _, name := range []string{"orders", "odd", "none"} {
		if err := os.Mkdir(filepath.Join(p.directory, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	p.write("orders/a.json", mustRead(t, "order.json"))
	p.write("odd/a.json", mustRead(t, "order.json"))
	p.write("odd/b.jsonl", "{}\n")
	for line, want := range map[string]int{
		"price":                          1,
		"price no-such-command":          1,
		"price explain":                  1,
		"price explain -order=none.json": 1,
		"price explain -order=empty.json -script-version=February-04-2025":              1,
		"price explain -order=order.json -script-version=February-04-2025":              0,
		"price explain -order=order.json -targets=values.yaml":                          0,
		"price explain -json -order=order.json -targets=values.yaml":                    0,
		"price explain -order=order.json -script-version=no-such":                       1,
		"price explain -order=akt.json -script-version=February-04-2025":                1, // nobody says what an AKT costs
		"price explain -order=akt.json -script-version=February-04-2025 -akt-price=0.5": 0,
		"price explain -order=akt.json -script-version=February-04-2025 -akt-price=zz":  1,
		"price explain -order=akt.json -script-version=February-04-2025 -akt-price=-1":  1,
		"price explain -order=order.json -script=own.sh":                                1, // modified, and not measured
		"price explain -json -order=order.json -script=own.sh":                          1,
		"price explain -order=order.json -targets=values.yaml -against=own.sh":          1,
		"price explain -order=order.json -targets=absent.yaml":                          1,
		"price replay":                                         1,
		"price replay none":                                    1,
		"price replay absent":                                  1,
		"price replay -targets=values.yaml orders":             0,
		"price replay -targets=values.yaml odd":                1,
		"price replay -json -targets=values.yaml odd":          1,
		"price replay -script=own.sh orders":                   1,
		"price compare":                                        1,
		"price compare -targets=values.yaml market.yaml":       0,
		"price compare -json -targets=values.yaml market.yaml": 0,
		"price compare -targets=values.yaml nothing.yaml":      1,
		"price compare -targets=values.yaml order.json":        1,
		"price compare -targets=values.yaml absent.yaml":       1,
		"price compare -script=own.sh market.yaml":             1,
		"price compare -json -script=own.sh market.yaml":       1,
		"price migrate":                                        1,
		"price migrate -script=own.sh":                         1,
		"price migrate -targets=values.yaml -to=no-such":       1,
	} {
		t.Run(line, func(t *testing.T) {
			if code, stdout, stderr := p.upkeep(line); code != want {
				t.Errorf("exit %d, want %d\n%s%s", code, want, stdout, stderr)
			} else if code == 1 && stderr == "" && stdout == "" {
				t.Error("it says no reason")
			}
		})
	}
}

func mustRead(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
