package facts

import "time"

// PodMeasurementQuestion asks the running pod of a release what only the pod can tell. Commands run in one of its
// containers, and its log is read, so it is asked only where a person wants it.
type PodMeasurementQuestion struct {
	// Container is the name of the container.
	Container string `json:"container"`
	// Orders are what its price script is asked to price, each as one line of JSON; none: the script is not run.
	Orders []string `json:"orders,omitempty"`
}

// PodMeasurement is what the pod of an Akash provider answered about itself. It holds no secret and no address of a
// node.
type PodMeasurement struct {
	// Unknown: the pod could not be asked; why. The other fields say nothing then.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// Pod is the uid of the pod that answered. Another pod of the release was not measured.
	Pod string `json:"pod,omitempty"`
	// At is the clock of the pod when it answered.
	At time.Time `json:"at,omitzero"`

	Price   PriceMeasurement `json:"price"`
	Balance Balance          `json:"balance"`
	RPC     ChainStatus      `json:"rpc"`
	Log     BidLog           `json:"log"`
}

// Balance is what an account of a chain holds.
type Balance struct {
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// Coins are amounts by denomination, as digits: "uakt" is "5000000". A denomination that is not here is not held.
	Coins map[string]string `json:"coins,omitempty"`
}

// ChainStatus is how far the RPC node of a chain is.
type ChainStatus struct {
	// Unknown: it could not be asked, or its answer was not understood; why. Silent: it was asked and did not answer; why.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	Silent  string `json:"silent,omitempty"`
	// CatchingUp: it fetches older blocks. BlockTime is that of its newest block, by the clock of the chain.
	CatchingUp bool      `json:"catching_up,omitempty"`
	BlockTime  time.Time `json:"block_time,omitzero"`
}

// BidLog is what the newest lines of a provider's log say about its bids.
type BidLog struct {
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// Since is the time of the first line that was read, and Until that of the last; zero: there are no lines.
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// Orders and Bids are how many orders were detected and how many bids were placed; LastBid is the time of the last
	// one.
	Orders  int       `json:"orders,omitempty"`
	Bids    int       `json:"bids,omitempty"`
	LastBid time.Time `json:"last_bid,omitzero"`
	// LastFailure is why the last bid failed that could not be priced or placed, and FailedAt when.
	LastFailure string    `json:"last_failure,omitempty"`
	FailedAt    time.Time `json:"failed_at,omitzero"`
}
