package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var (
	commandLine = regexp.MustCompile("(?m)`(upkeep [^`\n]+)`|^ {4}(?:\\$ )?(?:sudo )?(upkeep .*)$")
	quoted      = regexp.MustCompile(`'[^']*'|"[^"]*"|[^\s'"]+|\s+`)
)

// wordsOf splits a command line as a shell does, without what follows it: a comment, a redirection, another command.
func wordsOf(line string) (words []string) {
	word, open := "", false
	for _, part := range quoted.FindAllString(line, -1) {
		switch {
		case strings.TrimSpace(part) == "":
			if open {
				words = append(words, word)
			}
			word, open = "", false
			continue
		case !open && strings.ContainsAny(part[:1], "#>|;&"):
			return words
		case part[0] == '\'' || part[0] == '"':
			part = part[1 : len(part)-1]
		}
		word, open = word+part, true
	}
	if open {
		words = append(words, word)
	}
	return words
}

// TestCommandsInPagesRun: each command line of README and docs is read to its end without a complaint, and those that plan from
// facts that lie in the repository are run where the page says.
func TestCommandsInPagesRun(t *testing.T) {
	pages := texts(t)
	root, err := filepath.Abs(repository)
	if err != nil {
		t.Fatal(err)
	}
	upkeep := func(words []string) (int, string, string) {
		var stdout, stderr bytes.Buffer
		code := run(context.Background(), environment{
			args: words, stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, environ: []string{"HOME=/home/ops", "NO_COLOR=1"}, now: time.Now,
		})
		return code, stdout.String(), stderr.String()
	}
	read, planned := 0, 0
	for path, text := range pages {
		for _, match := range commandLine.FindAllStringSubmatch(text, -1) {
			words := wordsOf(match[1] + match[2])
			if len(words) < 2 || strings.Contains(words[1], "|") {
				continue
			}
			read++
			if code, said, wrong := upkeep(append(words[:len(words):len(words)], "-help")); code != exitDone || !strings.HasPrefix(said, "Usage: upkeep") {
				t.Errorf("%s: %q exits %d: %s%s", path, match[0], code, said, wrong)
			}
			if !strings.Contains(match[0], "-facts=facts.json") || !strings.Contains(match[0], "-facts-max-age=") {
				continue
			}
			directory := root
			if page, err := filepath.Abs(filepath.Join(root, "cmd", "upkeep", filepath.Dir(path))); err == nil && !strings.Contains(match[0], "-chdir") {
				directory = page
			}
			planned++
			t.Run(strings.Join(words[1:], " "), func(t *testing.T) {
				t.Chdir(directory)
				if _, err := os.Stat("facts.json"); err != nil && !strings.Contains(match[0], "-chdir") {
					t.Fatal(err)
				}
				if code, said, wrong := upkeep(words); !strings.Contains(said, "Plan: ") {
					t.Errorf("%s: it exits %d: %s%s", path, code, said, wrong)
				}
			})
		}
	}
	if read < 50 || planned == 0 {
		t.Errorf("only %d command lines were found, and %d were run", read, planned)
	}
}
