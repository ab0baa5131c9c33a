package quote

import (
	"fmt"
	"io"
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
}

// Migrate moves what a provider charges to a version of the script. The name is the prices', for people.
func Migrate(name string, charged akash.Charged, to price.Version) (Migration, error) {
	m := Migration{FormatVersion: Format, Name: name, Script: charged.Script.String(), Fleet: charged.Fleet}
	var err error
	if m.Migration, err = charged.Script.Migrate(charged.Targets, to, charged.Fleet); err != nil {
		return m, fmt.Errorf("%s: %w", name, err)
	}
	if m.Block, err = akash.PriceTargets(m.Values); err != nil {
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
		mark := ""
		if c.Changed() {
			changed++
			mark = changeMark(c.Percent)
		}
		lines = append(lines, []string{c.What, c.Unit, exactly(c.Before), exactly(c.After), mark})
	}
	if err := aligned(w, lines); err != nil {
		return err
	}
	fmt.Fprintln(w)
	lines = [][]string{{"Sample orders, USD a month (an hour)", "before", "now", ""}}
	for _, o := range m.Orders {
		mark := ""
		if dollars(o.Before) != dollars(o.After) {
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
	switch {
	case changed > 0:
		fmt.Fprint(w, "\nWhat is marked ~ would cost something else: the two scripts calculate differently. Correct the block where that is not meant.\n")
	default:
		fmt.Fprint(w, "\nWith this block no price changes.\n")
	}
	if len(m.Fleet) == 0 {
		fmt.Fprint(w, "Warning: no GPU is named, so none has a price of its own; name each model of the fleet with -gpu=MODEL, or let upkeep look at the nodes.\n")
	}
	return nil
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
