package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"
)

// completionMark is what the completion scripts append to the words typed so far.
const completionMark = "--generate-shell-completion"

// complete prints what may stand at the place of the last word: flags where it begins with a dash, with as many dashes
// as were typed, else commands. One candidate a line, with its explanation behind a colon, as the scripts want it.
func complete(env environment) cli.ShellCompleteFunc {
	return func(_ context.Context, cmd *cli.Command) {
		word := wordToComplete(env)
		if !strings.HasPrefix(word, "-") {
			for _, sub := range cmd.Commands {
				if !sub.Hidden {
					fmt.Fprintf(env.stdout, "%s:%s\n", sub.Name, sub.Usage)
				}
			}
			return
		}
		dashes := word[:len(word)-len(strings.TrimLeft(word, "-"))]
		for _, flag := range cmd.Flags {
			explanation := ""
			if documented, ok := flag.(cli.DocGenerationFlag); ok {
				_, explanation = placeholder(documented.GetUsage())
			}
			if candidate := dashes + flag.Names()[0]; strings.HasPrefix(candidate, word) && candidate != word {
				fmt.Fprintf(env.stdout, "%s:%s\n", candidate, explanation)
			}
		}
	}
}

// wordToComplete returns the last word that was typed.
func wordToComplete(env environment) (word string) {
	for i, argument := range env.args {
		if argument == completionMark && i > 0 {
			word = env.args[i-1]
		}
	}
	return word
}

// configureCompletion makes the library's command one of ours.
func configureCompletion(env environment) func(*cli.Command) {
	return func(c *cli.Command) {
		c.Hidden, c.Category = false, groupOther
		c.Usage = "print a completion script for bash, zsh, fish or pwsh"
		c.Description = "bash: write this line into ~/.bashrc\n\n  source <(upkeep completion bash)\n\n" +
			"zsh: write this line into ~/.zshrc\n\n  source <(upkeep completion zsh)\n\n" +
			"fish:\n\n  upkeep completion fish > ~/.config/fish/completions/upkeep.fish"
		action := c.Action
		c.Action = func(ctx context.Context, cmd *cli.Command) error {
			if len(cmd.Commands) > 0 || action == nil {
				return nothingAsked(env, cmd)
			}
			return action(ctx, cmd)
		}
		for _, shell := range c.Commands {
			shell.Usage = "print the completion script for " + shell.Name
		}
		prepare(env, c)
	}
}
