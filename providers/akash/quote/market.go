package quote

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"upkeep/providers/akash/price"
)

// Market is what others charge, by the words of price_targets: USD for a unit and month, or hour.
type Market struct {
	// Per is "month", which it is where the file does not say, or "hour".
	Per string
	// Prices are by target ("cpu", "memory") and by GPU model ("gpu a100").
	Prices map[string]price.USD
}

const (
	largestMarket = 1 << 20
	gpuPrefix     = "gpu "
	// farOff is how many times a price may be another one's before it is reported.
	farOff = "5"
)

// ParseMarket reads a market file, in YAML or JSON: the arguments of price_targets that are prices, and per = "month"
// or "hour".
func ParseMarket(data []byte) (Market, error) {
	if len(data) > largestMarket {
		return Market{}, errors.New("a market file has at most 1 MiB")
	}
	var file struct {
		Per    string                    `json:"per"`
		GPU    map[string]jsonNumberText `json:"gpu"`
		Others map[string]jsonNumberText `json:"targets"`
	}
	if err := yaml.UnmarshalStrict(data, &file); err != nil {
		return Market{}, fmt.Errorf("not a market file: %w; write per: month, targets: {cpu: 1.6}, gpu: {a100: 800}", err)
	}
	m := Market{Per: file.Per, Prices: map[string]price.USD{}}
	if m.Per == "" {
		m.Per = "month"
	}
	if m.Per != "month" && m.Per != "hour" {
		return Market{}, fmt.Errorf("per is %q; write month or hour", m.Per)
	}
	add := func(name string, text jsonNumberText) error {
		amount, err := price.ParseUSD(string(text))
		if err != nil || amount.Sign() <= 0 {
			return fmt.Errorf("%s: %q is no price above zero", name, string(text))
		}
		if m.Per == "hour" {
			amount = amount.FromHourly()
		}
		m.Prices[name] = amount
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(file.Others)) {
		if !slices.ContainsFunc(price.NumericTargets(), func(t price.Target) bool { return t.Key == "price_target_"+name }) {
			return Market{}, fmt.Errorf("targets: there is no price target %q", name)
		}
		if err := add(name, file.Others[name]); err != nil {
			return Market{}, err
		}
	}
	for _, model := range slices.Sorted(maps.Keys(file.GPU)) {
		if err := add(gpuPrefix+model, file.GPU[model]); err != nil {
			return Market{}, err
		}
	}
	if len(m.Prices) == 0 {
		return Market{}, errors.New("the market file has no price")
	}
	return m, nil
}

// jsonNumberText is a number as it was written.
type jsonNumberText string

// UnmarshalJSON takes a number, or a text that holds one.
func (n *jsonNumberText) UnmarshalJSON(data []byte) error {
	*n = jsonNumberText(bytes.Trim(data, `"`))
	return nil
}

// Comparison is the answer of `upkeep price compare`; its text is made of the same.
type Comparison struct {
	FormatVersion string         `json:"format_version"`
	Prices        Prices         `json:"prices"`
	Market        string         `json:"market"` // its file
	Rows          []MarketRow    `json:"rows"`
	Warnings      []MarketNotice `json:"warnings"`
}

// Known reports whether every price is known.
func (c Comparison) Known() bool {
	return c.Prices.Known() && !slices.ContainsFunc(c.Rows, func(r MarketRow) bool { return r.Ours == nil })
}

// MarketRow is one price next to the market's, in USD a month.
type MarketRow struct {
	What   string     `json:"what"`
	Ours   *price.USD `json:"usd_month"` // nil where the script cannot compute it
	Market price.USD  `json:"market_usd_month"`
	FarOff bool       `json:"far_off,omitempty"`
}

// MarketNotice says that a price is far off, and what may have been meant.
type MarketNotice struct {
	What string `json:"what"`
	Text string `json:"text"`
}

// FarOff reports whether a price is far off the market's.
func (c Comparison) FarOff() bool {
	return slices.ContainsFunc(c.Rows, func(r MarketRow) bool { return r.FarOff })
}

// Compare puts prices next to the market's. The name is the market file's, for people.
func Compare(name string, m Market, prices Prices) (Comparison, error) {
	c := Comparison{FormatVersion: Format, Prices: prices, Market: name, Warnings: []MarketNotice{}}
	for _, what := range slices.Sorted(maps.Keys(m.Prices)) {
		row := MarketRow{What: what, Market: m.Prices[what]}
		var err error
		if prices.Unknown == "" {
			if row.Ours, err = charged(prices.Setting, what); err != nil {
				return c, fmt.Errorf("%s: %s: %w", prices.Name, what, err)
			}
		}
		if prices.Unknown != "" {
			c.Warnings = append(c.Warnings, MarketNotice{what, "the price is unknown: " + prices.Unknown})
		} else if row.Ours == nil {
			c.Warnings = append(c.Warnings, MarketNotice{what, "the script cannot compute the price"})
		} else if text := notice(*row.Ours, row.Market); text != "" {
			row.FarOff = true
			c.Warnings = append(c.Warnings, MarketNotice{what, text})
		}
		c.Rows = append(c.Rows, row)
	}
	return c, nil
}

// charged is what a unit costs a month; nil where the script cannot compute it.
func charged(s price.Setting, what string) (*price.USD, error) {
	if name, gpu := strings.CutPrefix(what, gpuPrefix); gpu {
		model, rest, _ := strings.Cut(name, ".")
		asked := price.FleetGPU{Vendor: "nvidia", Model: model}
		for part := range strings.SplitSeq(rest, ".") {
			if strings.HasSuffix(part, "Gi") {
				asked.RAM = part
			} else if part != "" {
				asked.Interface = part
			}
		}
		all, err := price.EffectivePrices([]price.FleetGPU{asked}, s.Targets, s.Version)
		if err != nil {
			return nil, err
		}
		if last := all[len(all)-1]; last.Fault == "" {
			return &last.USD, nil
		}
		return nil, nil
	}
	for _, target := range price.NumericTargets() {
		if target.Key != "price_target_"+what {
			continue
		}
		word, _ := s.Targets.Get(target.Key)
		if word == "" {
			word = target.Default
		}
		if amount, err := price.ParseUSD(word); err == nil {
			return &amount, nil
		}
	}
	return nil, nil
}

// notice says why a price is far off; nothing where it is not.
func notice(ours, market price.USD) string {
	most, err := price.ParseUSD(farOff)
	if err != nil || ours.Cmp(market.Times(most)) <= 0 && market.Cmp(ours.Times(most)) <= 0 {
		return ""
	}
	text := fmt.Sprintf("%s is more than %s times off the market's %s", ours.Both(), farOff, both(market))
	switch {
	case near(ours.FromHourly(), market):
		text += fmt.Sprintf("; %s looks like a price an hour: write per_hour(%s)", ours, ours)
	case near(ours, market.Times(hundred())):
		text += fmt.Sprintf("; %s looks like cents: write dollars", ours)
	}
	return text
}

// near reports whether two amounts are within a factor of two.
func near(a, b price.USD) bool { return a.Cmp(b.Plus(b)) <= 0 && b.Cmp(a.Plus(a)) <= 0 }

func hundred() price.USD {
	amount, _ := price.ParseUSD("100") // it is a plain decimal
	return amount
}

// Write renders a comparison as text.
func (c Comparison) Write(w io.Writer) error {
	fmt.Fprintf(w, "%s (%s)\nnext to the market of %s\n\n", c.Prices.Name, c.Prices.Script, c.Market)
	lines := [][]string{{"USD a month (an hour)", "ours", "market", ""}}
	for _, r := range c.Rows {
		ours, mark := "cannot be computed", ""
		if c.Prices.Unknown != "" {
			ours, mark = "?", "?"
		}
		if r.Ours != nil {
			ours = both(*r.Ours)
		}
		if r.FarOff {
			mark = "WARN"
		}
		lines = append(lines, []string{r.What, ours, both(r.Market), mark})
	}
	if err := aligned(w, lines); err != nil {
		return err
	}
	if len(c.Warnings) > 0 {
		fmt.Fprintln(w)
	}
	for _, warning := range c.Warnings {
		fmt.Fprintf(w, "WARN %s: %s.\n", warning.What, warning.Text)
	}
	return writeProblems(w, &c.Prices)
}
