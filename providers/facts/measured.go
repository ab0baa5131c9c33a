package facts

// PriceMeasurement is what a bid price script answered to some orders when it really ran: in a sandbox on the machine
// of upkeep, or in the pod of the provider. The price feed was replaced, so that nothing was asked of the internet.
type PriceMeasurement struct {
	// Unknown: the measurement was asked for and failed; why. The other fields say nothing then.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// Script is the SHA-256 of the text that ran, in hexadecimal.
	Script string `json:"script,omitempty"`
	// Targets are the variables that the script was given, by name: PRICE_TARGET_CPU. One that was not set is not here.
	Targets map[string]string `json:"targets,omitempty"`
	// AKT is the price of one AKT in USD that took the place of the price feed; empty: the feed did not answer.
	AKT string `json:"akt_usd,omitempty"`
	// JQ is what `jq --version` printed where the script ran: "jq-1.7.1".
	JQ string `json:"jq,omitempty"`
	// Answers are in the order of the orders.
	Answers []PriceAnswer `json:"answers,omitempty"`
}

// PriceAnswer is what a script answered to one order.
type PriceAnswer struct {
	// Order is the JSON that the script read, as the provider writes it.
	Order string `json:"order"`
	// Stdout and Stderr are what the script printed, each cut to a bounded length and cleaned.
	Stdout   string `json:"stdout,omitempty"`
	Stderr   string `json:"stderr,omitempty"`
	ExitCode int    `json:"exit_code,omitempty"`
	// TimedOut: the script was ended because it took too long. A provider makes no bid then.
	TimedOut bool `json:"timed_out,omitempty"`
}
