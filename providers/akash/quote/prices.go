// Package quote answers what a provider with some prices would bid: for one order line by line (Explain), for many recorded
// ones (ReplayOrders), and what everything costs before and after its prices move to another script (Migrate).
//
// The answers are data that marshals to JSON, and each writes itself as a table made of the same. The package computes no
// price (package price does) and reads nothing: orders, values and scripts are handed to it.
package quote

import (
	"fmt"
	"strings"

	"upkeep/providers/akash/price"
	"upkeep/providers/akash/script"
)

// Format is the version of the JSON of all answers.
const Format = "1.0"

// Prices are a setting and what is wrong with it.
type Prices struct {
	Name     string          `json:"name"` // the files that it is from
	Setting  price.Setting   `json:"setting"`
	Script   string          `json:"script"`
	Problems []price.Problem `json:"problems"`
}

// Source is where prices come from: the chart's values, the bid price script, or both.
type Source struct {
	Names  []string // of the files, for people
	Values map[string]any
	Body   []byte // of the script; nil: none
}

// Of returns the prices of a source. The setting says what is beside the targets (the price of AKT, whose orders these are);
// a version that is named is believed before a script's text.
func Of(source Source, setting price.Setting, named price.Version) (Prices, error) {
	p := Prices{Name: strings.Join(source.Names, ", "), Setting: setting, Problems: []price.Problem{}}
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

// Recognise says which version a script is, or prices like; one that is named is believed before the text.
func Recognise(body []byte, named price.Version) (script.Recognition, error) {
	r := script.Recognise(body)
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
	r, err := Recognise(body, named)
	if err != nil {
		return err
	}
	p.Script = r.String()
	p.Setting.Version, p.Setting.Policy = r.Version, r.Policy
	p.Setting.Targets = r.InForce(p.Setting.Targets)
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
