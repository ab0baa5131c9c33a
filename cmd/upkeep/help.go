package main

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/urfave/cli/v3"

	"upkeep/providers/plain"
)

// The groups of `upkeep help`, in the order in which a newcomer meets them.
const (
	groupWork     = "The main job"
	groupLook     = "Look, and change nothing"
	groupWrite    = "Write a configuration"
	groupRemember = "What upkeep remembers"
	groupOther    = "Other"
)

var groups = []string{groupWork, groupLook, groupWrite, groupRemember, groupOther}

// helpWidth is the width of help texts. It does not follow the terminal, so that help reads the same in a bug report.
const helpWidth = 100

// prepare gives a command, and those below it, what all of them have: -help, our words for mistakes, and completion.
// Commas never split a value.
func prepare(env environment, command *cli.Command) {
	command.DisableSliceFlagSeparator = true
	command.OnUsageError = usageError
	if command.ShellComplete == nil {
		command.ShellComplete = complete(env)
	}
	wanted := new(helpWanted)
	command.Flags = append(command.Flags, &cli.GenericFlag{Name: "help", Aliases: []string{"h"}, Usage: "show this help", Value: wanted})
	action := command.Action
	command.Action = func(ctx context.Context, cmd *cli.Command) error {
		if *wanted {
			return writeHelp(env.stdout, cmd)
		}
		if err := checkLine(cmd); err != nil {
			return err
		}
		if action == nil {
			return nothingAsked(env, cmd)
		}
		if err := enter(cmd); err != nil {
			return err
		}
		return action(ctx, cmd)
	}
	for _, sub := range command.Commands {
		prepare(env, sub)
	}
}

// nothingAsked is what a command without an action of its own does, upkeep itself among them: nothing was asked for, so nothing was
// done, and a script must notice.
func nothingAsked(env environment, cmd *cli.Command) error {
	if name := cmd.Args().First(); name != "" {
		return unknownCommand(cmd, name)
	}
	if err := writeHelp(env.stderr, cmd); err != nil {
		return err
	}
	return exit{code: exitError}
}

// helpWanted is the value of -help. It is not a bool, since the library shows its own help where a flag -help holds one.
type helpWanted bool

func (h *helpWanted) Set(text string) error {
	value, err := strconv.ParseBool(text)
	*h = helpWanted(value)
	return err
}
func (h *helpWanted) Get() any         { return *h }
func (h *helpWanted) String() string   { return "" }
func (h *helpWanted) IsBoolFlag() bool { return true }

func helpCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "help", Category: groupOther, Usage: "show help for a command, or a topic: exit-codes", ArgsUsage: "[COMMAND...]",
		Action: func(_ context.Context, cmd *cli.Command) error {
			at := cmd.Root()
			if cmd.Args().Len() == 1 && cmd.Args().First() == "exit-codes" {
				_, err := io.WriteString(env.stdout, exitCodesHelp)
				return err
			}
			for _, name := range cmd.Args().Slice() {
				next := at.Command(name)
				if next == nil {
					return unknownCommand(at, name)
				}
				at = next
			}
			return writeHelp(env.stdout, at)
		},
	}
}

// fullName is how a command is typed: "upkeep state show".
func fullName(command *cli.Command) string {
	var words []string
	for _, c := range command.Lineage() {
		words = append([]string{c.Name}, words...)
	}
	return strings.Join(words, " ")
}

// unknownCommand is the error of a word that is no command; nearest words are suggested only when they are near.
func unknownCommand(parent *cli.Command, name string) error {
	var names []string
	for _, c := range parent.Commands {
		if !c.Hidden {
			names = append(names, c.Name)
		}
	}
	if near := nearest(name, names); near != "" {
		return fmt.Errorf("there is no command %q; did you mean `%s %s`?", name, fullName(parent), near)
	}
	if parent.Root() == parent {
		return fmt.Errorf("there is no command %q; `upkeep help` lists them", name)
	}
	return fmt.Errorf("%s has no command %q; it has %s", parent.Name, name, strings.Join(names, ", "))
}

// nearest returns the word that was most likely meant; empty when none is near.
func nearest(word string, words []string) string {
	best, distance := "", max(1, len(word)/3)+1
	for _, w := range words {
		if d := levenshtein.Distance(word, w, nil); d < distance {
			best, distance = w, d
		}
	}
	return best
}

func usageError(_ context.Context, cmd *cli.Command, err error, _ bool) error {
	name, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: ")
	if !unknown {
		return usage(cmd, "%s", valueError(cmd, err))
	}
	name = strings.TrimLeft(name, "-")
	var names []string
	for _, flag := range cmd.Flags {
		names = append(names, flag.Names()[0])
	}
	if near := nearest(name, names); near != "" {
		return usage(cmd, "there is no flag -%s; did you mean -%s?", name, near)
	}
	return usage(cmd, "there is no flag -%s", name)
}

// notValue is what the library says of a value that is not of a flag's type, with the words of Go's own parsers.
var notValue = regexp.MustCompile(`(?s)^invalid value (".*") for flag -([a-z-]+): `)

// valueError says what to write in the place of a value that a flag cannot have.
func valueError(cmd *cli.Command, err error) string {
	if name, lacks := strings.CutPrefix(err.Error(), "flag needs an argument: "); lacks {
		return fmt.Sprintf("-%s needs a value: -%[1]s=VALUE", strings.TrimLeft(name, "-"))
	}
	found := notValue.FindStringSubmatch(err.Error())
	if found == nil {
		return err.Error()
	}
	value, unquoted := strconv.Unquote(found[1])
	if unquoted != nil {
		value = found[1]
	}
	for _, flag := range cmd.Flags {
		if !slices.Contains(flag.Names(), found[2]) {
			continue
		}
		switch flag.(type) {
		case *cli.IntFlag:
			return fmt.Sprintf("-%s=%s: write a number from 1", found[2], plain.Line(value))
		case *cli.BoolFlag:
			return fmt.Sprintf("-%s=%s: write true or false", found[2], plain.Line(value))
		}
	}
	return err.Error() // our own words
}

// writeHelp writes the help of a command, the root's too.
func writeHelp(w io.Writer, command *cli.Command) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage: %s\n", usageLine(command))
	paragraph := func(text string) {
		for line := range strings.SplitSeq(text, "\n") {
			for _, folded := range fold(line, helpWidth-2) {
				b.WriteString(strings.TrimRight("  "+folded, " ") + "\n")
			}
		}
	}
	b.WriteString("\n")
	paragraph(upper(command.Usage) + ".")
	if command.Description != "" {
		b.WriteString("\n")
		paragraph(command.Description)
	}
	writeCommands(&b, command)
	writeFlags(&b, command)
	_, err := io.WriteString(w, b.String())
	return err
}

func usageLine(command *cli.Command) string {
	if command.UsageText != "" {
		return command.UsageText
	}
	line := strings.Replace(fullName(command), "upkeep ", "upkeep [-chdir=DIR] ", 1)
	if len(command.Commands) > 0 {
		return line + " COMMAND"
	}
	return strings.TrimRight(line+" [flags] "+command.ArgsUsage, " ")
}

func writeCommands(b *strings.Builder, command *cli.Command) {
	width := 0
	for _, sub := range command.Commands {
		width = max(width, len(sub.Name))
	}
	list := func(title, group string) {
		first := true
		for _, sub := range command.Commands {
			if sub.Hidden || group != "" && sub.Category != group {
				continue
			}
			if first {
				fmt.Fprintf(b, "\n%s:\n", title)
				first = false
			}
			fmt.Fprintf(b, "  %-*s  %s\n", width, sub.Name, sub.Usage)
		}
	}
	if command.Root() != command {
		list("Commands", "")
		return
	}
	for _, group := range groups {
		list(group, group)
	}
}

// flagColumn is where the explanation of a flag begins; a longer flag has a line of its own.
const flagColumn = 28

func writeFlags(b *strings.Builder, command *cli.Command) {
	b.WriteString("\nFlags:\n")
	for _, flag := range command.Flags {
		documented, ok := flag.(cli.DocGenerationFlag)
		if !ok {
			continue
		}
		value, explanation := placeholder(documented.GetUsage())
		text := "  -" + flag.Names()[0]
		if takesValue(flag) {
			text += "=" + value
		}
		if standard := strings.Trim(documented.GetValue(), `"`); takesValue(flag) && standard != "" && standard != "[]" {
			explanation += " (default " + standard + ")"
		}
		if len(text) > flagColumn-2 {
			b.WriteString(text + "\n")
			text = ""
		}
		for _, line := range fold(explanation, helpWidth-flagColumn) {
			fmt.Fprintf(b, "%-*s%s\n", flagColumn, text, line)
			text = ""
		}
	}
}

func takesValue(flag cli.Flag) bool {
	switch f := flag.(type) {
	case *cli.BoolFlag:
		return false
	case *cli.GenericFlag:
		_, help := f.Value.(*helpWanted)
		return !help
	}
	return true
}

// placeholder splits a flag's usage into the name of its value, which stands in backquotes, and the text without them.
func placeholder(usage string) (value, text string) {
	before, rest, found := strings.Cut(usage, "`")
	if !found {
		return "VALUE", usage
	}
	value, after, _ := strings.Cut(rest, "`")
	return value, before + value + after
}

// fold breaks a text into lines at spaces. A text that is indented stays as it is.
func fold(text string, width int) []string {
	if strings.HasPrefix(text, " ") || text == "" {
		return []string{text}
	}
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case len(line)+1+len(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

func upper(text string) string {
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
