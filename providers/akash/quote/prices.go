// Package quote answers what a provider with some prices would bid: for one order line by line (Explain), for many
// recorded ones (ReplayOrders), and what everything costs before and after its prices move to another script
// (Migrate).
//
// The answers are data that marshals to JSON, and each writes itself as a table made of the same. The package
// computes no price (package price does) and reads nothing: orders, values and scripts are handed to it.
package quote

import (
	"fmt"
	"strings"

	"upkeep/providers/akash/price"
	"upkeep/providers/akash/script"
	"upkeep/providers/facts"
)

// Format is the version of the JSON of all answers.
const Format = "1.0"

// Prices are a setting and what is wrong with it.
type Prices struct {
	Name     string          `json:"name"` // the files that it is from
	Setting  price.Setting   `json:"setting"`
	Script   string          `json:"script"`
	Problems []price.Problem `json:"problems"`
	// Unknown says why nobody knows what these prices make of an order: the script is not a published one. Differences
	// are then where the script differs from the published one that it is most like.
	Unknown     string   `json:"unknown,omitempty"`
	Differences []string `json:"differences,omitempty"`
	// Measured are the answers of the script to the orders that are asked about, where the script ran.
	Measured *facts.PriceMeasurement `json:"measured,omitempty"`
	// Probed are the answers with another price of AKT.
	Probed *facts.PriceMeasurement `json:"-"`

	body   []byte
	values map[string]any
	flags  string // that name these prices
}

// Question asks what the script answers to an order when it runs; false where there is no script to run.
func (p Prices) Question(o price.Order) (facts.PriceQuestion, bool) {
	if p.body == nil {
		return facts.PriceQuestion{}, false
	}
	akt := p.Setting.AKT
	if akt == "" {
		akt = script.AKT
	}
	return script.Question(string(p.body), p.values, akt, []price.Order{o}), true
}

// Known reports whether what these prices make of an order is known.
func (p Prices) Known() bool { return p.Unknown == "" || p.Measured != nil }

// Source is where prices come from: the chart's values, the bid price script, or both.
type Source struct {
	Names  []string // of the files, for people
	Flags  string   // of the command line that name the files
	Values map[string]any
	Body   []byte // of the script; nil: none
}

// Of returns the prices of a source. The setting says what is in addition to the targets (the price of AKT, whose
// orders these are); a version that is named is believed before a script's text.
func Of(source Source, setting price.Setting, named price.Version) (Prices, error) {
	p := Prices{Name: strings.Join(source.Names, ", "), Setting: setting, Problems: []price.Problem{}, body: source.Body,
		values: source.Values, flags: source.Flags}
	p.Setting.Version = price.Newest
	p.Setting.Targets = price.TargetsOf(source.Values)
	if named != "" {
		p.Setting.Version = named
	}
	if source.Body != nil && named != price.Scale {
		if err := p.read(source.Body, named); err != nil {
			return p, err
		}
	}
	if p.Name == "" {
		p.Name = "the script's defaults"
	}
	if p.Script == "" {
		p.Script = string(p.Setting.Version)
	}
	p.lint(source.Values)
	return p, nil
}

// differences says where a script differs from the published one that it is most like, with the lines that it has
// instead.
func differences(body []byte) []string {
	d, ok := script.Compare(body)
	if !ok {
		return []string{"like no published script"}
	}
	out := []string{"nearest published script: " + string(d.Nearest.Version) + " (" + d.Nearest.URL() + ")"}
	for _, h := range d.Hunks {
		out = append(out, h.String())
		for _, line := range h.Added {
			out = append(out, "  + "+line)
		}
	}
	return out
}

// lost names the places of a modified script that seem to refuse orders or to raise prices, with their lines.
func lost(body []byte) []string {
	d, ok := script.Compare(body)
	if !ok {
		return []string{"like no published script: upkeep cannot tell which orders the script refuses"}
	}
	return rules(d)
}

func rules(d script.Difference) []string {
	var out []string
	for _, h := range d.Hunks {
		if h.Kind != script.Filter && h.Kind != script.Floor || len(h.Added) == 0 {
			continue
		}
		out = append(out, h.String())
		for _, line := range h.Added {
			out = append(out, "  + "+line)
		}
	}
	return out
}

func unread(u script.Unread) price.Problem {
	return price.Problem{
		Kind: price.TargetUnread, Key: price.ScriptKey, Item: u.Name, Breaks: true,
		Message: u.String(), Fix: u.Fix(),
	}
}

// Recognise says which version a script is, or prices like; one that is named is believed before the text.
func Recognise(body []byte, named price.Version) (script.Recognition, error) {
	r := script.Recognise(body)
	if err := r.CheckUsable(); err != nil {
		return r, err
	}
	if named != "" {
		r.Version = named
	}
	return r, Known(r)
}

// Known returns an error that says how to go on where a script is none that prices are known of.
func Known(r script.Recognition) error {
	if r.Version != "" {
		return nil
	}
	return fmt.Errorf("this script, sha256 %.12s, is none that upkeep knows; name the version that it prices like with -script-version", r.SHA256)
}

// read takes the version and the targets of a script.
func (p *Prices) read(body []byte, named price.Version) error {
	r := script.Recognise(body)
	if err := r.CheckUsable(); err != nil {
		return err
	}
	if named != "" {
		r.Version = named
	}
	p.Script = r.String()
	p.Setting.Version, p.Setting.Policy = r.Version, r.Policy
	p.Setting.Targets = r.InForce(p.Setting.Targets)
	if r.Known {
		return nil
	}
	p.Differences = differences(body)
	for _, u := range r.Unread {
		p.Problems = append(p.Problems, unread(u))
	}
	switch {
	case named == "" || len(r.Unread) > 0:
		p.Unknown = "the script is modified, so only running the script tells what the provider bids"
	default:
		p.Script = fmt.Sprintf("as %s prices; the script itself is %s", named, script.Recognise(body))
	}
	return nil
}

// lint judges values as they were written; what a script holds of its own are plain numbers.
func (p *Prices) lint(values map[string]any) {
	if p.Setting.Version == price.Scale {
		p.Problems = append(p.Problems, price.LintSetting(price.Setting{}, []price.FleetGPU{{}})...) // as if there were GPUs
		return
	}
	for _, key := range price.TargetKeys() {
		switch value := values[key]; key {
		case price.MappingsKey:
			p.Problems = append(p.Problems, price.LintMappings(price.Rendered(value), p.Setting.Version, nil)...)
		case price.DebugKey:
		default:
			p.Problems = append(p.Problems, price.LintValue(key, value)...)
		}
	}
	if p.Setting.Version == "" {
		return
	}
	given := p.Setting
	given.Targets = price.TargetsOf(values)
	p.Problems = append(p.Problems, price.LintSetting(given, nil)...)
}

// VersionWords lists the versions of the script for people.
func VersionWords() string {
	var words []string
	for _, v := range price.Versions() {
		words = append(words, string(v))
	}
	return strings.Join(append(words, string(price.Scale)), ", ")
}
