// Package price answers what a provider would bid: for an order, as the provider pipes it to its bid price script, a
// version of that script, the price targets in its environment and the price of AKT, it gives the standard output,
// standard error and exit code of the script, and what the order costs in USD a month, line by line.
//
// It is no improvement on the scripts: it has their oddities, for these decide what a tenant pays. Where a script
// computes with bc, this computes with decimals of bc's scale and truncation; where it computes with jq, awk or
// printf, with the binary numbers that these use. What a script does with input that this package does not model is
// an *Unmodelled error, never a guess.
//
// The package is pure: it reads no file, no clock and no network.
package price

import "strings"

// Version is a version of the bid price script, by the word in its "# Version:" line where it has one. The word is not
// always enough to tell versions apart: package script recognises one by its text.
type Version string

// The versions, in order of age. The chart (akash-network/helm-charts, charts/akash-provider) that first held each is
// its Chart. What each does was established by running it; testdata/recorded.jsonl holds what they answered.
const (
	June14   Version = "June-14-2023"          // has no version line; prices GPUs, all models alike, replicas not counted
	June25   Version = "June-25-2023"          // has no version line; counts replicas
	Aug08    Version = "Aug-08-2023"           // reads a price in text form: "100uakt"
	Aug14    Version = "Aug-14-2023"           // prints fractions
	Aug16    Version = "Aug-16-2023"           // reads a price object
	Sept08   Version = "Sept-08-2023"          // the last one with its targets as literals: what "pre-6.0.5" means
	Sept19   Version = "Sept-19-2023"          // the first with price_target_* and prices by GPU model
	Nov03    Version = "Nov-03-2023"           // says Sept-19-2023 of itself
	Nov16    Version = "November-16-2023"      // counts replicas for GPUs, too
	Feb27    Version = "February-27-2024"      // model.ram; AMD
	March27  Version = "March-27-2024"         // model.ram.interface, with fallbacks
	April03  Version = "April-03-2024"         // decimals in GPU prices
	Feb04    Version = "February-04-2025"      // another source of the AKT price
	Feb04ACT Version = "February-04-2025+uact" // says February-04-2025 of itself; prices uact
)

// Newest is the newest version that is known.
const Newest = Feb04ACT

// Traits are what tells the versions apart.
type Traits struct {
	Version Version `json:"version"`
	// Chart is the first chart version that held it.
	Chart string `json:"chart"`
	// Parameterised: the targets come from PRICE_TARGET_* variables. Without it they are literals in the script's text.
	Parameterised bool `json:"parameterised"`
	// ByModel: GPUs are priced by model. Without it all units cost TARGET_GPU_UNIT.
	ByModel bool `json:"by_model"`
	// Mappings is what stands for absent GPU mappings.
	Mappings string `json:"default_gpu_mappings,omitempty"`
	// HighestForUnlisted: a model without a price costs the highest price in the mapping, 100 at least. Without it, 100.
	HighestForUnlisted bool `json:"highest_for_unlisted"`
	// CountsReplicas: GPU units are multiplied by the number of replicas.
	CountsReplicas bool `json:"counts_replicas"`
	// RAM, Interface: a price may be for a model with that RAM, or that interface.
	RAM       bool `json:"ram"`
	Interface bool `json:"interface"`
	// AMD: AMD models have names, too.
	AMD bool `json:"amd"`
	// Decimals: GPU prices may have a fraction.
	Decimals bool `json:"decimals"`
	// Denoms are what the version can be asked in, sorted.
	Denoms []string `json:"denoms"`
	// PrintsDebug: DEBUG_BID_SCRIPT makes it print to its standard output, so that no bid can be read from it.
	PrintsDebug bool `json:"prints_debug"`

	replicasForStorage bool // storage is multiplied by the number of replicas, and quantities are rounded to 12 places
	input              input
	output             output
}

// Denominations that scripts know.
const (
	UAKT    = "uakt"
	UACT    = "uact"
	USDC    = "ibc/170C677610AC31DF0904FFE09CD3B5C657492170E7E52372E48756B71E56F2F1" // Axelar USDC on mainnet
	USDCBox = "ibc/12C6A0C374171B595A0A9E18B83FA09D295FB1F2D8C6DAA3AC28683471752D84" // Axelar USDC on the sandbox network
)

// input is how a version reads an order.
type input int

const (
	bareInput   input = iota // a bare list of resources, which is all that it understands
	textInput                // also an object, with its price as text
	objectInput              // also an object, with its price as an object
)

// output is how a version writes a rate.
type output int

const (
	ceilOutput    output = iota // whole uakt, rounded up
	longOutput                  // 18 decimals
	preciseOutput               // as many decimals as the order asks for
)

func traitsOf() []Traits {
	uakt, sandbox, usdc, act := []string{UAKT}, []string{USDCBox, UAKT}, []string{USDCBox, USDC, UAKT}, []string{USDCBox,
		USDC, UACT, UAKT}
	literal := Traits{CountsReplicas: true, replicasForStorage: true}
	june14 := with(Traits{}, func(t *Traits) { t.Version, t.Chart, t.Denoms = June14, "4.2.7", uakt })
	june25 := with(literal, func(t *Traits) { t.Version, t.Chart, t.Denoms = June25, "4.3.3", uakt })
	aug08 := with(june25, func(t *Traits) { t.Version, t.Chart, t.Denoms, t.input = Aug08, "4.3.5", sandbox, textInput })
	aug14 := with(aug08, func(t *Traits) { t.Version, t.Chart, t.output = Aug14, "4.3.5", longOutput })
	aug16 := with(aug14, func(t *Traits) {
		t.Version, t.Chart, t.input, t.output = Aug16, "4.3.7", objectInput,
			preciseOutput
	})
	sept08 := with(aug16, func(t *Traits) { t.Version, t.Chart, t.Denoms = Sept08, "6.0.4", usdc })
	sept19 := with(sept08, func(t *Traits) {
		t.Version, t.Chart, t.Parameterised, t.ByModel, t.CountsReplicas = Sept19, "6.0.5", true, true, false
		t.Mappings = "a100=120,t4=80,*=130"
	})
	nov03 := with(sept19, func(t *Traits) {
		t.Version, t.Chart, t.Mappings, t.HighestForUnlisted, t.PrintsDebug = Nov03, "6.0.7", "", true, true
	})
	nov16 := with(nov03, func(t *Traits) { t.Version, t.Chart, t.CountsReplicas = Nov16, "6.0.8", true })
	feb27 := with(nov16, func(t *Traits) { t.Version, t.Chart, t.RAM, t.AMD = Feb27, "8.0.3", true, true })
	march27 := with(feb27, func(t *Traits) { t.Version, t.Chart, t.Interface = March27, "9.1.2", true })
	april03 := with(march27, func(t *Traits) { t.Version, t.Chart, t.Decimals = April03, "9.2.2", true })
	feb04 := with(april03, func(t *Traits) { t.Version, t.Chart = Feb04, "11.3.1" })
	feb04act := with(feb04, func(t *Traits) { t.Version, t.Chart, t.Denoms = Feb04ACT, "15.0.0", act })
	return []Traits{june14, june25, aug08, aug14, aug16, sept08, sept19, nov03, nov16, feb27, march27, april03, feb04,
		feb04act}
}

func with(t Traits, change func(*Traits)) Traits {
	change(&t)
	return t
}

// Versions returns all known versions, the oldest first.
func Versions() []Version {
	var out []Version
	for _, t := range traitsOf() {
		out = append(out, t.Version)
	}
	return out
}

// Traits returns what a version does; false for a version that is not known.
func (v Version) Traits() (Traits, bool) {
	for _, t := range traitsOf() {
		if t.Version == v {
			return t, true
		}
	}
	return Traits{}, false
}

// ParseVersion reads a version as a person writes it: its word, the chart that first held it, "pre-6.0.5" or
// "newest". The words of scripts that say an older version of themselves stand for the older one.
func ParseVersion(text string) (Version, bool) {
	switch strings.ToLower(text) {
	case "pre-6.0.5":
		return Sept08, true
	case "newest":
		return Newest, true
	case string(Scale):
		return Scale, true
	}
	for _, t := range traitsOf() {
		if strings.EqualFold(text, string(t.Version)) || text == t.Chart {
			return t.Version, true
		}
	}
	return "", false
}
