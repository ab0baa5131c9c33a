package facts

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// PriceQuestion asks what a bid price script answers to some orders when it really runs, with a fixed price in place of
// the price feed.
type PriceQuestion struct {
	// Script is the text to run.
	Script string `json:"script"`
	// Targets are all variables that the script is given, by name.
	Targets map[string]string `json:"targets,omitempty"`
	// AKT is the price of one AKT in USD.
	AKT string `json:"akt_usd"`
	// Orders are what the script reads, one run each.
	Orders []string `json:"orders"`
}

// Key names a question: equal questions have equal keys.
func (q PriceQuestion) Key() string {
	data, err := json.Marshal(q)
	if err != nil {
		panic(err) // texts have a JSON form
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Answers returns the answers of a measurement to a question, in the order of its orders. It is an error, which says
// why, where there are none: the measurement failed, or it is another question's.
func (q PriceQuestion) Answers(m PriceMeasurement) ([]PriceAnswer, error) {
	sum := sha256.Sum256([]byte(q.Script))
	switch {
	case m.Unknown != "":
		return nil, fmt.Errorf("the measurement failed: %s", m.Unknown)
	case m.Script != hex.EncodeToString(sum[:]) || m.AKT != q.AKT || !maps.Equal(m.Targets, q.Targets):
		return nil, fmt.Errorf("the measurement is of another script or of other targets")
	case !slices.EqualFunc(m.Answers, q.Orders, func(a PriceAnswer, order string) bool { return a.Order == order }):
		return nil, fmt.Errorf("the measurement is of other orders")
	}
	return m.Answers, nil
}
