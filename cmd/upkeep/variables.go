package main

import (
	"errors"
	"strings"

	"github.com/urfave/cli/v3"

	"upkeep/config"
)

// assignments gathers -var and -var-file in the order of the command line: the last one wins, whichever it is.
type assignments struct {
	list []config.VariableAssignment
}

// variableFlags returns the two flags, which fill one list.
func variableFlags() []cli.Flag {
	all := &assignments{}
	return []cli.Flag{
		&cli.GenericFlag{Name: "var", Usage: "set a variable: `NAME=VALUE`; may be repeated", Value: &assignment{all: all}},
		&cli.GenericFlag{Name: "var-file", Usage: "read variables from `FILE`; may be repeated", Value: &assignment{all: all, file: true}},
	}
}

// variables returns what -var and -var-file said.
func variables(cmd *cli.Command) []config.VariableAssignment {
	if all, ok := cmd.Value("var").(*assignments); ok {
		return all.list
	}
	return nil
}

// assignment is the value of one of the two flags.
type assignment struct {
	all  *assignments
	file bool
}

func (a *assignment) Set(text string) error {
	if a.file {
		if strings.TrimSpace(text) == "" {
			return errors.New("-var-file is empty; give a value, or leave the flag out")
		}
		a.all.list = append(a.all.list, config.VariableAssignment{File: text})
		return nil
	}
	parsed, err := config.ParseAssignment(text)
	if err != nil {
		return err
	}
	a.all.list = append(a.all.list, parsed)
	return nil
}

func (a *assignment) Get() any       { return a.all }
func (a *assignment) String() string { return "" }
