package quote

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"upkeep/providers/akash"
	"upkeep/providers/akash/price"
	"upkeep/providers/akash/script"
)

// Migration is the answer of `upkeep price migrate`; its text is made of the same.
type Migration struct {
	FormatVersion string `json:"format_version"`
	Name          string `json:"name"` // the files, or the provider, that the prices are of
	Script        string `json:"script"`
	script.Migration
	// Block is the block price_targets, in the language.
	Block string `json:"block"`
	// Fleet are the GPUs that have their prices.
	Fleet []price.FleetGPU `json:"fleet"`
	// Problems are what is wrong with the values that the prices are taken from, and with those that keep them.
	Problems []price.Problem `json:"problems"`
	// Unknown says why nobody knows what is charged now: the script is not a published one. Prices and Orders then have
	// nothing before. Differences are where the script differs from the published one that it is most like.
	Unknown     string   `json:"unknown,omitempty"`
	Differences []string `json:"differences,omitempty"`
	// Policy stands before the script now, and is kept by the block; nil: none does. Lost are the places of a modified
	// script that refuse orders or raise prices: the published script does not do that.
	Policy *price.Policy `json:"policy,omitempty"`
	Lost   []string      `json:"lost,omitempty"`
}

// Known reports whether what is charged before and after is known.
func (m Migration) Known() bool { return m.Unknown == "" }

// Migrate moves what a provider charges to a version of the script. The name is the prices', for people.
func Migrate(name string, charged akash.Charged, to price.Version) (Migration, error) {
	m := Migration{FormatVersion: Format, Name: name, Script: charged.Script.String(), Fleet: charged.Fleet,
		Problems: []price.Problem{}}
	if err := charged.Script.CheckUsable(); err != nil {
		return m, fmt.Errorf("%s: %w", name, err)
	}
	if u := charged.Script.Unread; len(u) > 0 {
		return m, fmt.Errorf("%s: %s, so its prices cannot be moved; %s", name, u[0], u[0].Fix())
	}
	var err error
	if m.Migration, err = charged.Script.Migrate(charged.Targets, to, charged.Fleet); err != nil {
		return m, fmt.Errorf("%s: %w", name, err)
	}
	from := Prices{Name: name, Setting: m.From, Problems: []price.Problem{}}
	from.lint(charged.Values)
	m.Problems = from.Problems
	for _, p := range price.LintMappings(m.To.Targets.GPUMappings, m.To.Version, charged.Fleet) {
		same := func(has price.Problem) bool { return has.Kind == p.Kind && has.Item == p.Item }
		if !slices.ContainsFunc(m.Problems, same) {
			m.Problems = append(m.Problems, p)
		}
	}
	if !charged.Script.Known {
		m.Unknown = "the script is modified, so only running the script tells what the provider charges"
		m.Differences = differences([]byte(charged.Body))
		if charged.Script.Policy == nil {
			m.Lost = lost([]byte(charged.Body))
		}
		for i := range m.Prices {
			m.Prices[i].Before, m.Prices[i].Percent = nil, ""
		}
		for i := range m.Orders {
			m.Orders[i].Before, m.Orders[i].Percent = nil, ""
		}
	}
	m.Policy = charged.Script.Policy
	if m.Block, err = akash.PriceTargets(m.Values, m.Policy); err != nil {
		return m, fmt.Errorf("%s: %w", name, err)
	}
	return m, nil
}

// Write renders a migration as text.
func (m Migration) Write(w io.Writer) error {
	fmt.Fprintf(w, "%s (%s)\nto %s\n\n", m.Name, m.Script, m.To.Version)
	changed := 0
	lines := [][]string{{"USD a month (an hour)", "per", "before", "now", ""}}
	for _, c := range m.Prices {
		mark, before := "", exactly(c.Before)
		switch {
		case m.Unknown != "":
			mark, before = "?", "?"
		case c.Changed():
			changed++
			mark = changeMark(c.Percent)
		}
		lines = append(lines, []string{c.What, c.Unit, before, exactly(c.After), mark})
	}
	if err := aligned(w, lines); err != nil {
		return err
	}
	fmt.Fprintln(w)
	lines = [][]string{{"Sample orders, USD a month (an hour)", "before", "now", ""}}
	for _, o := range m.Orders {
		mark := ""
		switch {
		case m.Unknown != "":
			mark = "?"
		case dollars(o.Before) != dollars(o.After):
			changed++
			mark = changeMark(o.Percent)
		}
		lines = append(lines, []string{o.Name, dollars(o.Before), dollars(o.After), mark})
	}
	if err := aligned(w, lines); err != nil {
		return err
	}
	fmt.Fprint(w, "\nWrite into the block akash_provider:\n\n")
	for line := range strings.Lines(m.Block) {
		fmt.Fprint(w, "  "+line)
	}
	if m.Policy != nil {
		fmt.Fprintf(w, "\nThe block keeps the policy of the script. A policy needs a published script:\n\n"+
			"  bid_script {\n    published = %q\n  }\n", m.To.Version)
	}
	if len(m.Lost) > 0 {
		fmt.Fprint(w, "\nWARN  The script may refuse orders or raise prices here. The published script does not:\n")
		for _, line := range m.Lost {
			fmt.Fprintf(w, "  %s\n", line)
		}
		fmt.Fprint(w, "To keep such a rule, write a policy into price_targets: minimum, gpu_only, deny, allow.\n")
	}
	switch {
	case m.Unknown != "":
		fmt.Fprintf(w, "\nUNKNOWN  Prices before are unknown: %s.\n", m.Unknown)
		for _, line := range m.Differences {
			fmt.Fprintf(w, "  %s\n", line)
		}
		fmt.Fprint(w, "To run the script in a sandbox with an order:\n  upkeep price explain -run -order=FILE -script=FILE\n")
	case changed > 0:
		fmt.Fprint(w, "\nWhat is marked ~ would cost something else: the two scripts calculate differently. "+
			"Correct the block where that is not meant.\n")
	default:
		fmt.Fprint(w, "\nWith this block no price changes.\n")
	}
	if len(m.Fleet) == 0 {
		fmt.Fprint(w, "Warning: no GPU is named, so none has a price of its own; "+
			"name each model of the fleet with -gpu=MODEL, or let upkeep look at the nodes.\n")
	}
	return writeProblems(w, &Prices{Name: m.Name, Problems: m.Problems})
}

func changeMark(percent string) string {
	if percent == "" {
		return "~"
	}
	return "~ " + signed(percent) + "%"
}

func exactly(u *price.USD) string {
	if u == nil {
		return "cannot be computed"
	}
	return u.String() + " (" + u.Hourly() + ")"
}
