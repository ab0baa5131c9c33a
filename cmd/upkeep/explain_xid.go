package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/urfave/cli/v3"

	"upkeep/providers/nvidia/xid"
)

// highestCode is more than any Xid or SXid that a driver writes: it writes SXids with five digits.
const highestCode = 99999

// codeTable returns the table of codes that a word names, or nil where it names none.
func codeTable(word string) func(int) xid.Entry {
	switch strings.ToLower(word) {
	case "xid":
		return xid.Lookup
	case "sxid":
		return xid.LookupSwitch
	}
	return nil
}

// explainCodes prints what some codes mean. A mistake prints no page at all.
func explainCodes(env environment, cmd *cli.Command, look func(int) xid.Entry) error {
	entries, err := codeEntries(strings.ToLower(cmd.Args().First()), cmd.Args().Tail(), look)
	if err != nil {
		return err
	}
	width := min(terminalOf(env, env.stdout, false).Width, helpWidth)
	for i, e := range entries {
		if cmd.Bool("json") {
			if err := printJSON(env.stdout, e); err != nil {
				return err
			}
			continue
		}
		if i > 0 {
			fmt.Fprintln(env.stdout)
		}
		if err := writeCode(env.stdout, e, width); err != nil {
			return err
		}
	}
	return nil
}

// codeEntries looks codes up, in the given order. A code that nobody describes is an error that says what to do.
func codeEntries(table string, words []string, look func(int) xid.Entry) (entries []xid.Entry, err error) {
	example := map[string]string{"xid": "79", "sxid": "26006"}[table]
	if len(words) == 0 {
		return nil, fmt.Errorf("which code? For example: `upkeep explain %s %s`", table, example)
	}
	for _, word := range words {
		code, err := strconv.Atoi(word)
		if err != nil || code < 0 || code > highestCode || strings.HasPrefix(word, "+") {
			return nil, fmt.Errorf("%q is no code: it is a number from 0 to %d, as in `upkeep explain %s "+
				"%s`", word, highestCode, table, example)
		}
		e := look(code)
		if !e.Known {
			return nil, fmt.Errorf("%s\n%s", unknownCode(e), e.Remedy)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// unknownCode is what is said of an unknown code, with its source.
func unknownCode(e xid.Entry) string {
	return fmt.Sprintf("%s %d is unknown, which does not make it harmless: %s", e.Kind, e.Code, e.Source)
}

// writeCode writes what is known of a code as plain text, in the shape of a finding's page.
func writeCode(w io.Writer, e xid.Entry, width int) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %d (%s)\n", e.Kind, e.Code, e.Class)
	section := func(heading, text string) {
		b.WriteString(heading)
		for _, line := range folded(strings.TrimSpace(text), width-2) {
			b.WriteString(strings.TrimRight("  "+line, " ") + "\n")
		}
	}
	section("", e.Meaning)
	section("\nNVIDIA's action:\n", actionsOf(e))
	section("\nWhat to do:\n", e.Remedy)
	if len(e.Others) > 0 {
		section("\nOther tools:\n", strings.Join(e.Others, "\n\n"))
	}
	section("\nSource:\n", e.Source+".")
	_, err := io.WriteString(w, b.String())
	return err
}

// actionsOf says what NVIDIA asks for.
func actionsOf(e xid.Entry) string {
	switch {
	case e.Immediate == "":
		return "None is published."
	case e.Investigate == "" || e.Investigate == e.Immediate:
		return e.Immediate
	}
	return e.Immediate + ", then " + e.Investigate
}
