package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v3"

	"upkeep/config"
	"upkeep/providers/bounded"
	"upkeep/state/durable"
)

// exitUnformatted is what `fmt -check` exits with, as Terraform does.
const exitUnformatted = 3

func fmtCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "fmt", Usage: "rewrite configuration files in the canonical layout",
		ArgsUsage: "[FILE|DIRECTORY|-]...",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "check", Usage: "change nothing; exit 3 if a file is not formatted"},
			&cli.BoolFlag{Name: "recursive", Usage: "go into directories"},
			&cli.BoolFlag{Name: "list", Value: true, Usage: "print the names of files that differ"},
			&cli.BoolFlag{Name: "write", Value: true, Usage: "write the files"},
		},
		Action: func(_ context.Context, cmd *cli.Command) error {
			if cmd.Args().First() == "-" {
				return formatStream(env)
			}
			return formatFiles(env, cmd)
		},
	}
}

func formatStream(env environment) error {
	source, err := bounded.All(env.stdin, 0, bounded.Text)
	if err != nil {
		return err
	}
	formatted, err := format("standard input", source)
	if err != nil {
		return err
	}
	out := env.stdout
	if !terminalOf(env, out, true).Live {
		out = behind(out) // it is the text that came in, byte by byte, on its way to a file
	}
	_, err = out.Write(formatted)
	return err
}

func formatFiles(env environment, cmd *cli.Command) error {
	files, err := formattable(cmd)
	if err != nil {
		return err
	}
	differ := false
	for _, file := range files {
		if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
			return errors.Join(err, fmt.Errorf("%s is not a regular file; `upkeep fmt -` reads standard input", file))
		}
		source, err := bounded.File(file, bounded.Text)
		if err != nil {
			return err
		}
		formatted, err := format(file, source)
		if err != nil {
			return err
		}
		if bytes.Equal(source, formatted) {
			continue
		}
		differ = true
		if cmd.Bool("list") {
			fmt.Fprintln(env.stdout, file)
		}
		if cmd.Bool("write") && !cmd.Bool("check") {
			info, err := os.Stat(file)
			if err != nil {
				return err
			}
			if err := durable.Replace(followed(file), formatted, info.Mode().Perm(), nil); err != nil {
				return err
			}
		}
	}
	if differ && cmd.Bool("check") {
		return exit{code: exitUnformatted}
	}
	return nil
}

// format refuses a file that does not parse: laying out half a file could lose what was meant.
func format(name string, source []byte) ([]byte, error) {
	if diags := config.Syntax(source, name); diags.HasErrors() {
		return nil, fmt.Errorf("%w; `upkeep validate` shows where", diags)
	}
	return config.Format(source), nil
}

// formattable returns the configuration files that the arguments name, the current directory's without arguments.
func formattable(cmd *cli.Command) ([]string, error) {
	directory, err := directoryOf(cmd)
	if err != nil {
		return nil, err
	}
	arguments := cmd.Args().Slice()
	if len(arguments) == 0 {
		arguments = []string{directory}
	}
	var files []string
	for _, argument := range arguments {
		info, err := os.Stat(argument)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no file or directory %s", argument)
		}
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			files = append(files, argument)
			continue
		}
		err = filepath.WalkDir(argument, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.IsDir() && path != argument && !cmd.Bool("recursive"):
				return filepath.SkipDir
			case !entry.IsDir() && strings.HasSuffix(path, ".upkeep.hcl"):
				if relative, err := filepath.Rel(directory, path); err == nil {
					path = relative
				}
				files = append(files, path)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}
