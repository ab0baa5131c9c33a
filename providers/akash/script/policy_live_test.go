package script

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"upkeep/fixtures/scripttools"
	"upkeep/providers/akash/price"
)

// priced is a case of the live comparison: a policy, an order as the provider pipes it, and what else a script is
// given.
type priced struct {
	policy         price.Policy
	order          string
	owner          string
	akt            string
	cpu, gpuPrices string
}

// pricedCases draws policies, and orders that come close to what they name, in one of some denominations and
// precisions.
func pricedCases(denoms []string, precisions []int) *rapid.Generator[priced] {
	accounts := rapid.SampledFrom([]string{alice, bob, "akash1h24fljt7p0nh82cq0za0uhsct3sfwsfu9w3c9h"})
	models := rapid.SampledFrom([]string{"a100", "a100.80Gi", "a100.sxm", "a100.80Gi.sxm", "a100.40Gi.pcie", "h100", "t4", "mi100"})
	names := func(t *rapid.T, label string) price.Names {
		var list []string
		if rapid.Bool().Draw(t, label+" accounts") {
			list = rapid.SliceOfN(accounts, 1, 2).Draw(t, label)
		}
		if rapid.Bool().Draw(t, label+" models") {
			list = append(list, rapid.SliceOfN(models, 1, 4).Draw(t, label)...)
		}
		found, _ := price.NamesOf(list)
		return found
	}
	return rapid.Custom(func(t *rapid.T) priced {
		c := priced{owner: accounts.Draw(t, "owner"), akt: rapid.SampledFrom([]string{"3", "0.5", "0.79892"}).Draw(t, "akt")}
		c.policy.Minimum = rapid.SampledFrom([]string{"", "0.000001", "5", "12.75", "300", "2000.123456789012345678"}).Draw(t, "minimum")
		c.policy.GPUOnly = rapid.Bool().Draw(t, "gpu only")
		c.policy.Deny = names(t, "deny")
		if rapid.Bool().Draw(t, "allows") {
			c.policy.Allow = names(t, "allow")
		}
		c.cpu = rapid.SampledFrom([]string{"1.60", "2", "0"}).Draw(t, "cpu")
		c.gpuPrices = rapid.SampledFrom([]string{"a100=120,t4=80", "a100.80Gi=1000,a100=900.5,h100=1500", "t4=0"}).Draw(t, "gpu prices")
		entries := []string{}
		for range rapid.IntRange(1, 2).Draw(t, "entries") {
			entries = append(entries, drawnEntry(t))
		}
		denom := rapid.SampledFrom(denoms).Draw(t, "denom")
		amount := rapid.SampledFrom([]string{"100000000.000000000000000000", "25", "1.5"}).Draw(t, "amount")
		c.order = fmt.Sprintf(`{"resources":[%s],"price":{"denom":%q,"amount":%q},"price_precision":%d}`,
			strings.Join(entries, ","), denom, amount, rapid.SampledFrom(precisions).Draw(t, "precision"))
		return c
	})
}

func drawnEntry(t *rapid.T) string {
	gpu := `{"units":0}`
	if units := rapid.IntRange(0, 3).Draw(t, "units"); units > 0 {
		vendor := "nvidia"
		model := fmt.Sprintf(`"model":%q`, rapid.SampledFrom([]string{"a100", "a100", "h100", "t4", "rtx4090", "*"}).Draw(t, "model"))
		if rapid.Bool().Draw(t, "has ram") {
			model += fmt.Sprintf(`,"ram":%q`, rapid.SampledFrom([]string{"80Gi", "40Gi"}).Draw(t, "ram"))
		}
		if rapid.Bool().Draw(t, "has interface") {
			model += fmt.Sprintf(`,"interface":%q`, rapid.SampledFrom([]string{"sxm", "pcie", "SXM4"}).Draw(t, "interface"))
		}
		if rapid.IntRange(0, 5).Draw(t, "vendor") == 0 {
			vendor, model = "amd", `"model":"mi100"`
		}
		gpu = fmt.Sprintf(`{"units":%d,"attributes":{"vendor":{%q:{%s}}}}`, units, vendor, model)
	}
	return fmt.Sprintf(`{"memory":%d,"cpu":%d,"gpu":%s,"storage":[{"class":"ephemeral","size":%d}],"count":%d,"endpoint_quantity":%d,"ip_lease_quantity":0}`,
		rapid.Int64Range(0, 1<<36).Draw(t, "memory"), rapid.IntRange(0, 64000).Draw(t, "cpu"), gpu,
		rapid.Int64Range(0, 1<<40).Draw(t, "size"), rapid.IntRange(1, 3).Draw(t, "count"), rapid.IntRange(0, 3).Draw(t, "endpoints"))
}

// ran is what a script answers.
type ran struct {
	stdout, stderr string
	code           int
}

// run runs a script as the provider does, with its price of AKT where it keeps it and without a network.
func run(t *testing.T, script []byte, c priced) ran {
	t.Helper()
	dir := t.TempDir()
	for _, file := range []struct {
		name, text string
		mode       os.FileMode
	}{
		{"script", strings.ReplaceAll(string(script), "/tmp/", dir+"/"), 0o700}, {"aktprice.cache", c.akt + "\n", 0o600}, {"curl", "#!/bin/sh\nexit 7\n", 0o700},
	} {
		if err := os.WriteFile(filepath.Join(dir, file.name), []byte(file.text), file.mode); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "script"))
	cmd.Env = []string{
		"PATH=" + dir + ":" + os.Getenv("PATH"), "AKT=" + c.akt, "AKASH_OWNER=" + c.owner, "PRICE_TARGET_CPU=" + c.cpu, "PRICE_TARGET_GPU_MAPPINGS=" + c.gpuPrices,
	}
	cmd.Stdin = strings.NewReader(c.order)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return ran{out.String(), complaints.String(), cmd.ProcessState.ExitCode()}
}

// engine is what the engine says that it answers.
func engine(t *testing.T, v price.Version, c priced) price.Result {
	t.Helper()
	order, err := price.ParseOrder([]byte(c.order))
	if err != nil {
		t.Fatal(err)
	}
	r, err := price.Price(order, price.Setting{
		Version: v, AKT: c.akt, Owner: c.owner, Policy: &c.policy, Targets: price.Targets{CPU: c.cpu, GPUMappings: c.gpuPrices},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Every policy does what the engine says, by running it: bash, jq and bc answer random orders, behind it a script of
// this project's own that prices like the newest published one.
func TestPoliciesAnswerAsTheEngine(t *testing.T) {
	scripttools.Need(t, scripttools.JQ)
	body, err := os.ReadFile("../price/testdata/pipeline.sh")
	if err != nil {
		t.Fatal(err)
	}
	const orders = 24
	cases := pricedCases([]string{price.UACT, price.UAKT}, []int{6}) // what that script knows
	seen := map[string]int{}
	for i := range orders {
		c := cases.Example(i)
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			want := engine(t, price.Newest, c)
			got := run(t, compiled(t, c.policy, body), c)
			refused := strings.HasPrefix(want.Stderr, price.PolicySays)
			if got.stdout != want.Stdout || got.code != want.ExitCode || refused && got.stderr != want.Stderr {
				t.Errorf("the engine says %q, exit %d, %q; the script %q, exit %d, %q\n%+v\n%s",
					want.Stdout, want.ExitCode, want.Stderr, got.stdout, got.code, got.stderr, c.policy, c.order)
			}
			switch {
			case want.Raised != nil && !refused:
				seen["raised"]++
			case refused:
				seen["refused"]++
			case want.ExitCode == 0:
				seen["as published"]++
			}
		})
	}
	if len(seen) != 3 {
		t.Errorf("the orders cover only %v", seen)
	}
}

// The same behind the published scripts themselves, which are not this project's to hold: UPKEEP_BID_SCRIPTS names a
// directory with them as VERSION.sh.
func TestPoliciesBeforePublishedScripts(t *testing.T) {
	directory := os.Getenv("UPKEEP_BID_SCRIPTS")
	if directory == "" {
		t.Skip("UPKEEP_BID_SCRIPTS names no directory with the published scripts")
	}
	scripttools.Need(t, scripttools.JQ)
	for _, p := range PublishedScripts() {
		body, err := os.ReadFile(filepath.Join(directory, string(p.Version)+".sh"))
		if err != nil || digest(body) != p.SHA256 {
			t.Fatalf("%s: %v, sha256 %s", p.Version, err, digest(body))
		}
		if !TakesPolicy(p.Version) {
			continue
		}
		t.Run(string(p.Version), func(t *testing.T) {
			t.Parallel()
			for i := range 40 {
				c := pricedCases([]string{price.UACT, price.UACT, price.UAKT, price.USDC}, []int{6, 6, 0, 18}).Example(i)
				want := engine(t, p.Version, c)
				got := run(t, compiled(t, c.policy, body), c)
				if got.stdout != want.Stdout || got.code != want.ExitCode || want.ExitCode != 0 && !strings.HasSuffix(got.stderr, want.Stderr) {
					t.Errorf("the engine says %q, exit %d, %q; the script %q, exit %d, %q\n%+v\n%s",
						want.Stdout, want.ExitCode, want.Stderr, got.stdout, got.code, got.stderr, c.policy, c.order)
				}
			}
		})
	}
}
