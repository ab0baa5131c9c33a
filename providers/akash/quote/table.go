package quote

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"upkeep/providers/akash/price"
)

// aligned writes lines of cells in columns, without space at the ends of lines.
func aligned(w io.Writer, lines [][]string) error {
	var text bytes.Buffer
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, cells := range lines {
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(text.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// denomWord names a denomination for people.
func denomWord(denom string) string {
	switch denom {
	case price.USDC:
		return "uusdc"
	case price.USDCBox:
		return "uausdc"
	}
	return denom
}

// writeProblems says what is wrong with prices.
func writeProblems(w io.Writer, all ...*Prices) error {
	for _, p := range all {
		if p == nil {
			continue
		}
		for _, problem := range p.Problems {
			name := problem.Key
			if problem.Item != "" {
				name += ", " + strings.TrimSpace(problem.Item)
			}
			severity := "Warning"
			if problem.Kind == price.TargetUnread {
				severity = "Error"
			}
			if _, err := fmt.Fprintf(w, "%s: %s: %s: %s; %s.\n", severity, p.Name, name, problem.Message,
				problem.Fix); err != nil {
				return err
			}
		}
	}
	return nil
}
