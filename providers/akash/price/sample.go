package price

import (
	"encoding/json"
	"fmt"
)

// SampleOwner is the tenant of sample orders: the address of the account whose bytes are all zero, which nobody can
// use.
const SampleOwner = "akash1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq7cdc78"

// sampleMaximum is what the tenant of a sample order pays a block: more than any price.
const sampleMaximum = "1000000000000.000000000000000000"

type (
	sampleVolume struct {
		Class string `json:"class"`
		Size  int64  `json:"size"`
	}
	sampleModel struct {
		Model string `json:"model"`
		RAM   string `json:"ram,omitempty"`
	}
	sampleGPU struct {
		Units      int                               `json:"units"`
		Attributes map[string]map[string]sampleModel `json:"attributes"`
	}
	sampleEntry struct {
		Memory    int64          `json:"memory"`
		CPU       int            `json:"cpu"`
		GPU       sampleGPU      `json:"gpu"`
		Storage   []sampleVolume `json:"storage"`
		Count     int            `json:"count"`
		Endpoints int            `json:"endpoint_quantity"`
		IPs       int            `json:"ip_lease_quantity"`
	}
	samplePrice struct {
		Denom  string `json:"denom"`
		Amount string `json:"amount"`
	}
	sampleOrder struct {
		Resources []sampleEntry `json:"resources"`
		Price     samplePrice   `json:"price"`
		Precision int           `json:"price_precision"`
	}
)

// Samples are three orders as a provider writes them (akash.md 3.1), one line of JSON each: one without a GPU, one
// for a GPU of the fleet, and one for two replicas of everything that has a price. A fleet without GPUs is asked for
// none.
func Samples(denom string, fleet []FleetGPU) ([]string, error) {
	const gib = 1 << 30
	gpu := func(i int) sampleGPU {
		if len(fleet) == 0 {
			return sampleGPU{Attributes: map[string]map[string]sampleModel{"vendor": {}}}
		}
		g := fleet[min(i, len(fleet)-1)]
		return sampleGPU{Units: i + 1, Attributes: map[string]map[string]sampleModel{"vendor": {g.Vendor: {Model: g.Model,
			RAM: g.RAM}}}}
	}
	none := sampleGPU{Attributes: map[string]map[string]sampleModel{"vendor": {}}}
	var out []string
	for _, entry := range []sampleEntry{
		{Memory: gib, CPU: 1000, GPU: none, Storage: []sampleVolume{{"ephemeral", gib}}, Count: 1, Endpoints: 1},
		{Memory: 16 * gib, CPU: 8000, GPU: gpu(0), Storage: []sampleVolume{{"ephemeral", 100 * gib}}, Count: 1, Endpoints: 2},
		{
			Memory: 4 * gib, CPU: 2500, GPU: gpu(1), Count: 2, Endpoints: 3, IPs: 1,
			Storage: []sampleVolume{{"ephemeral", 10 * gib}, {"beta1", 20 * gib}, {"beta2", 30 * gib}, {"beta3", 40 * gib}},
		},
	} {
		data, err := json.Marshal(sampleOrder{Resources: []sampleEntry{entry}, Price: samplePrice{denom, sampleMaximum},
			Precision: usualPrecision})
		if err != nil {
			return nil, fmt.Errorf("sample order: %w", err)
		}
		out = append(out, string(data))
	}
	return out, nil
}

// SampleDenom is the denomination in which the answers of a version say most: one that the version knows and that is
// worth one USD, so that the price of AKT changes nothing; UAKT where it knows none. A version that is not known is
// asked in UACT, which is what tenants offer since March 2026 (akash.md 3.2).
func SampleDenom(v Version) string {
	traits, known := v.Traits()
	if !known {
		return UACT
	}
	for _, denom := range []string{UACT, USDC} {
		if knows(traits, denom) {
			return denom
		}
	}
	return UAKT
}
