package price

import (
	"fmt"
	"regexp"
	"strings"
)

// Problem is something in a value that does not mean what it seems to.
type Problem struct {
	Kind    Kind   `json:"kind"`
	Message string `json:"message"`
	Fix     string `json:"fix"`
	// Breaks: with it the provider bids on nothing, bids what nobody meant, or charges nothing. Without it, it is a
	// surprise that may be meant.
	Breaks bool `json:"breaks"`
	// Key is the chart's value, Item what in it: the model of a mapping.
	Key  string `json:"key"`
	Item string `json:"item,omitempty"`
	// Offset and Length are the culprit's, in bytes of the value.
	Offset int `json:"offset"`
	Length int `json:"length"`
}

// Kind is a stable word for a kind of problem.
type Kind string

const (
	ZeroDropped     Kind = "zero_dropped"      // the number 0, which the chart takes for absent
	EmptyIsDefault  Kind = "empty_is_default"  // "", which the chart takes for absent
	Exponent        Kind = "exponent"          // 1e-05, which bc cannot read: no bids at all
	NotANumber      Kind = "not_a_number"      // abc, which counts as zero, or stops all bids
	Comma           Kind = "comma"             // 1,60
	Space           Kind = "space"             // " 1.60"
	NegativePrice   Kind = "negative"          //
	NoKey           Kind = "no_key"            // an item without a model ends the script's loop
	NoPrice         Kind = "no_price"          // an item without a price, such as a bare number
	Duplicate       Kind = "duplicate"         // the last one wins
	BadKey          Kind = "bad_key"           // no model is called that: T4, a100_80g
	BadInterface    Kind = "bad_interface"     // sxm4, PCIe: orders say sxm and pcie
	Star            Kind = "star"              // * catches nothing
	RAMTooNew       Kind = "ram_too_new"       // the script does not read RAM
	InterfaceTooNew Kind = "interface_too_new" // the script does not read interfaces
	DecimalsTooNew  Kind = "decimals_too_new"  // the script does not read fractions
	ModelsTooNew    Kind = "models_too_new"    // the script does not read PRICE_TARGET_* at all
	Floor           Kind = "floor"             // prices below 100, and what is not listed costs 100
	Unpriced        Kind = "unpriced"          // a model of the fleet without a price
	Absent          Kind = "absent"            // a price for a model that the fleet has not
	DebugOn         Kind = "debug_bid_script"  // no bids at all
	NoACT           Kind = "no_uact"           // the script does not price uact
	NoScript        Kind = "no_script"         // GPUs are free
	TargetUnread    Kind = "target_unread"     // the script sets a target in a form that is not read
)

// LintValue judges a target as written in a release's values or a file of values: a typed value, not what is rendered
// of it. Give GPU mappings to LintMappings.
func LintValue(key string, value any) []Problem {
	p := Problem{Key: key}
	switch v := value.(type) {
	case nil:
		return nil
	case string:
		if v == "" {
			return []Problem{p.of(EmptyIsDefault, false, "an empty value is the script's default, not nothing",
				"leave the key out, or write the price")}
		}
		return LintWord(key, v)
	case bool:
		return []Problem{p.of(NotANumber, true, fmt.Sprintf("%t is no price", v), "write a number")}
	}
	word := Rendered(value)
	if word == "" {
		return []Problem{p.of(ZeroDropped, true, "the chart leaves out the number 0, so the script charges its default",
			`write "0", in quotation marks`)}
	}
	return LintWord(key, word)
}

func (p Problem) of(kind Kind, breaks bool, message, fix string) Problem {
	p.Kind, p.Breaks, p.Message, p.Fix = kind, breaks, message, fix
	return p
}

var (
	plainNumber = regexp.MustCompile(`^([0-9]+\.?[0-9]*|\.[0-9]+)$`)
	exponential = regexp.MustCompile(`^[-+]?[0-9]*\.?[0-9]+[eE][-+]?[0-9]+$`)
)

// LintWord judges a target as the script finds it in its environment.
func LintWord(key, word string) []Problem {
	return lintPrice(Problem{Key: key, Length: len(word)}, word)
}

// lintPrice judges the word of a price.
func lintPrice(p Problem, word string) []Problem {
	trimmed := strings.TrimSpace(word)
	var out []Problem
	switch {
	case word == "" || plainNumber.MatchString(word):
		return nil
	case trimmed != word && trimmed != "":
		out = append(out, p.of(Space, false, fmt.Sprintf("there is a space around %q", trimmed), "write "+trimmed))
	}
	switch {
	case plainNumber.MatchString(trimmed):
	case exponential.MatchString(trimmed):
		out = append(out, p.of(Exponent, true, fmt.Sprintf("bc cannot read %s: every order would cost nothing, and the provider bids on none", trimmed), "write it without an exponent, as text"))
	case strings.HasPrefix(trimmed, "-") && plainNumber.MatchString(trimmed[1:]):
		out = append(out, p.of(NegativePrice, true, fmt.Sprintf("%s is below zero", trimmed),
			"write a price of zero or more"))
	case strings.Contains(trimmed, ","):
		out = append(out, p.of(Comma, true, fmt.Sprintf("%q has a comma, which bc cannot read", trimmed),
			"write a point: "+strings.Replace(trimmed, ",", ".", 1)))
	default:
		out = append(out, p.of(NotANumber, true, fmt.Sprintf("%q is no number: the script takes it for zero, or bids on nothing", trimmed), "write a number"))
	}
	return out
}

// LintSetting judges what surrounds the prices: the debug switch, and whether the script can price what tenants pay
// with. For a provider without a script, give the empty version.
func LintSetting(s Setting, fleet []FleetGPU) []Problem {
	if s.Version == "" {
		if len(fleet) == 0 {
			return nil
		}
		return []Problem{Problem{Key: ScriptKey}.of(NoScript, true,
			"without a script the provider prices by scale, which has no term for GPUs: they are free", "give the release a bid price script")}
	}
	t, ok := s.Version.Traits()
	if !ok {
		return nil
	}
	var out []Problem
	if s.Targets.Debug != "" && t.PrintsDebug {
		out = append(out, Problem{Key: DebugKey, Length: len(s.Targets.Debug)}.of(DebugOn, true,
			"with it the script prints more than a number, and the provider bids on nothing", "remove "+DebugKey))
	}
	if !knows(t, UACT) {
		out = append(out, Problem{Key: ScriptKey}.of(NoACT, true,
			fmt.Sprintf("%s cannot price uact, in which orders on mainnet have been placed since March 2026: it fails on each of them", s.Version), "take the script of chart 15.0.0 or newer"))
	}
	if !t.Parameterised {
		for _, key := range TargetKeys() {
			if word, _ := s.Targets.Get(key); word != "" && key != DebugKey {
				out = append(out, Problem{Key: key, Length: len(word)}.of(ModelsTooNew, true,
					fmt.Sprintf("%s has its targets in its text and does not read %s", s.Version, key), "take a newer script"))
			}
		}
	}
	return out
}
