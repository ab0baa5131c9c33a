package price

// Result is what a script answers, and how it came to it.
type Result struct {
	Version Version `json:"version"`
	// Stdout, Stderr and ExitCode are the script's. Stderr is what the script itself says; complaints of the programs
	// that it calls, which it ignores, are told in Faults.
	Stdout   string `json:"stdout"`
	Stderr   string `json:"stderr,omitempty"`
	ExitCode int    `json:"exit_code"`
	// Lines are the parts of the sum but GPUs, in the order of the script; GPUs are the GPU parts, by entry of the order.
	Lines []Line    `json:"lines"`
	GPUs  []GPULine `json:"gpus"`
	// GPUTotal is what all GPUs cost a month.
	GPUTotal USD `json:"gpu_usd_month"`
	// Total is what the order costs a month. Where Priced is false the script failed to compute it, and goes on with
	// nothing.
	Total  USD  `json:"usd_month"`
	Priced bool `json:"priced"`
	// Raised is the policy's minimum in USD a month where that is asked for, since the total is less; nil where it is not.
	Raised *USD `json:"raised_to_usd_month,omitempty"`
	// Faults say what failed within the script although it went on.
	Faults []string `json:"faults,omitempty"`
}

// Charged is what a bid asks for in USD a month: the total, or the policy's minimum.
func (r Result) Charged() USD {
	if r.Raised != nil {
		return *r.Raised
	}
	return r.Total
}

// Line is one part of the sum.
type Line struct {
	What string `json:"what"` // "cpu", "memory"
	Unit string `json:"unit"` // "thread", "GiB"
	// Quantity is how much was asked for, as the script has it; empty where it failed to find out.
	Quantity string `json:"quantity"`
	// Key is the chart's value that sets the target; Target the word that was used, by default where Default.
	Key     string `json:"key"`
	Target  string `json:"target"`
	Default bool   `json:"default,omitempty"`
	USD     USD    `json:"usd_month"`
	// Failed: bc could not compute it, so that there is no total.
	Failed bool `json:"failed,omitempty"`
}

// GPULine is the price of the GPUs of one entry of the order.
type GPULine struct {
	Entry int    `json:"entry"` // from 0
	Units string `json:"units"`
	Count string `json:"count"` // replicas
	// CountIgnored: the version does not multiply by the number of replicas.
	CountIgnored bool `json:"count_ignored,omitempty"`
	// Model is what was asked for: a100.80Gi.sxm; 0 where no model was named.
	Model string `json:"model"`
	// Tried are the keys that were looked for, in this order; Key is the one that has a price, empty where none has.
	Tried []string `json:"tried,omitempty"`
	Key   string   `json:"key,omitempty"`
	// Price is the word used for one GPU and month.
	Price  string `json:"price"`
	USD    USD    `json:"usd_month"`
	Failed bool   `json:"failed,omitempty"`
}

// Setting is what a script is given in addition to the order.
type Setting struct {
	Version Version `json:"version"`
	Targets Targets `json:"targets"`
	// AKT is the price of one AKT in USD as the script has it from its sources or its cache; empty where it has none.
	AKT string `json:"akt_usd,omitempty"`
	// Whitelist is the list of tenants that the script serves; nil where WHITELIST_URL is not set. Owner is whose order
	// it is.
	Whitelist *Whitelist `json:"whitelist,omitempty"`
	Owner     string     `json:"owner,omitempty"`
	// Policy stands before the script; nil: none does.
	Policy *Policy `json:"policy,omitempty"`
}
