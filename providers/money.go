package providers

// Money is how a step changes what tenants pay.
type Money struct {
	// Prices are the prices that change. Amounts are decimals, in USD.
	Prices []PriceChange `json:"prices"`
	// Allowed is the most, in percent, that one plan may change a price by; empty: there is no limit.
	Allowed string `json:"allowed,omitempty"`
	// Unknown says why nobody knows how prices change. Prices is then empty.
	Unknown string `json:"unknown,omitempty"`
}

// PriceChange is one price before and after.
type PriceChange struct {
	What string `json:"what"` // "a100", "cpu"
	Unit string `json:"unit"` // what is paid for: "GPU", "thread", "GiB", "order"
	// Before and After are USD a month; nil: the provider does not bid.
	Before *Price `json:"before"`
	After  *Price `json:"after"`
	// Percent is the change with its sign ("+20.0"); empty where there is no number.
	Percent string `json:"percent,omitempty"`
}

// UnitOrder is the unit of what a sample order costs in all.
const UnitOrder = "sample order"

// Price is one amount of USD, by month and by hour.
type Price struct {
	Month string `json:"month"`
	Hour  string `json:"hour"`
}
