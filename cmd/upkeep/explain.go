package main

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v3"

	"upkeep/docs/findings"
	"upkeep/providers"
)

// explanation is the page of a finding, as -json prints it.
type explanation struct {
	ID    string          `json:"id"`
	Title string          `json:"title"`
	Class providers.Class `json:"class"`
	// Meaning and Remedy are Markdown.
	Meaning string `json:"meaning"`
	Remedy  string `json:"remedy"`
}

func explainCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "explain", Usage: "say what a finding means, and what to do about it",
		ArgsUsage: "[FINDING... | xid CODE... | sxid CODE...]",
		Description: "Without a name, every finding is listed with its title.\n" +
			"`upkeep explain xid 79` says what a code in the kernel log of an NVIDIA GPU means, and `sxid` of an NVSwitch.\n" +
			"-json prints one JSON object for each finding or code. Its meaning and remedy are Markdown.",
		Flags:         []cli.Flag{jsonFlag()},
		ShellComplete: completeFindings(env),
		Action: func(_ context.Context, cmd *cli.Command) error {
			if look := codeTable(cmd.Args().First()); look != nil {
				return explainCodes(env, cmd, look)
			}
			pages, err := explanations(domains(), cmd.Args().Slice())
			if err != nil {
				return err
			}
			if cmd.Bool("json") {
				for _, page := range pages {
					if err := printJSON(env.stdout, page); err != nil {
						return err
					}
				}
				return nil
			}
			if !cmd.Args().Present() {
				return listExplanations(env.stdout, pages)
			}
			width := min(terminalOf(env, env.stdout, false).Width, helpWidth)
			for i, page := range pages {
				if i > 0 {
					fmt.Fprintln(env.stdout)
				}
				if err := writeExplanation(env.stdout, page, width); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// explanations returns the pages of some findings, in the given order; of all, sorted by id, where none is named.
func explanations(types []providers.Type, words []string) ([]explanation, error) {
	classes := map[string]providers.Class{}
	for _, doc := range findingDocs(types) {
		classes[doc.ID] = doc.Class
	}
	ids := words
	if len(words) == 0 {
		ids = findings.IDs()
	}
	var pages []explanation
	for _, word := range ids {
		id := strings.ToUpper(word)
		class, known := classes[id]
		if !known {
			return nil, unknownFinding(word)
		}
		page, err := findings.Page(id)
		if err != nil {
			return nil, err
		}
		pages = append(pages, explanation{id, page.Title, class, page.Meaning, page.Remedy})
	}
	return pages, nil
}

func unknownFinding(word string) error {
	if near := nearest(strings.ToUpper(word), findings.IDs()); near != "" {
		return fmt.Errorf("there is no finding %q; did you mean `upkeep explain %s`?", word, near)
	}
	return fmt.Errorf("there is no finding %q; `upkeep explain` lists them", word)
}

func listExplanations(w io.Writer, pages []explanation) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, page := range pages {
		fmt.Fprintf(table, "%s\t%s\n", page.ID, page.Title)
	}
	return table.Flush()
}

// writeExplanation writes a page as plain text. Backquotes stay: they show where a command or a name begins and ends.
func writeExplanation(w io.Writer, page explanation, width int) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s)\n", page.ID, page.Class)
	section := func(heading, text string) {
		b.WriteString(heading)
		for _, line := range folded(text, width-2) {
			b.WriteString(strings.TrimRight("  "+line, " ") + "\n")
		}
	}
	section("", page.Title)
	section("\nWhat it means:\n", page.Meaning)
	section("\nWhat to do:\n", page.Remedy)
	_, err := io.WriteString(w, b.String())
	return err
}

var (
	listItem = regexp.MustCompile(`^(?:[0-9]+\.|-) `) // how a line of a list begins
	codeSpan = regexp.MustCompile("`[^`]+`")
)

// folded breaks Markdown into lines: the lines of a paragraph are joined first, an item of a list hangs behind its mark, and
// what is indented stays as it is. A command is never broken, so that it can be copied: one that is too long sticks out.
func folded(text string, width int) (lines []string) {
	paragraph := ""
	flush := func() {
		if paragraph == "" {
			return
		}
		mark := listItem.FindString(paragraph)
		unbroken := codeSpan.ReplaceAllStringFunc(paragraph[len(mark):], func(s string) string { return strings.ReplaceAll(s, " ", "\x00") })
		for i, line := range fold(unbroken, width-len(mark)) {
			before := strings.Repeat(" ", len(mark))
			if i == 0 {
				before = mark
			}
			lines = append(lines, before+strings.ReplaceAll(line, "\x00", " "))
		}
		paragraph = ""
	}
	for line := range strings.SplitSeq(text, "\n") {
		switch {
		case line == "":
			flush()
			lines = append(lines, "")
		case paragraph == "" && strings.HasPrefix(line, " "):
			lines = append(lines, line)
		case paragraph == "" || listItem.MatchString(line):
			flush()
			paragraph = line
		default:
			paragraph += " " + strings.TrimSpace(line)
		}
	}
	flush()
	return lines
}

// completeFindings offers the ids of findings where a flag was not begun.
func completeFindings(env environment) cli.ShellCompleteFunc {
	flags := complete(env)
	return func(ctx context.Context, cmd *cli.Command) {
		if strings.HasPrefix(wordToComplete(env), "-") {
			flags(ctx, cmd)
			return
		}
		for _, id := range findings.IDs() {
			if page, err := findings.Page(id); err == nil {
				fmt.Fprintf(env.stdout, "%s:%s\n", id, page.Title)
			}
		}
	}
}
