package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/urfave/cli/v3"

	"upkeep/config"
	"upkeep/planner"
)

func schemaCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "schema", Usage: "print every block type, its arguments and their types",
		Flags: []cli.Flag{jsonFlag()},
		Action: func(_ context.Context, cmd *cli.Command) error {
			types := planner.BlockTypes(domains())
			if cmd.Bool("json") {
				data, err := config.SchemaJSON(types)
				if err != nil {
					return err
				}
				_, err = env.stdout.Write(data)
				return err
			}
			return writeSchema(env.stdout, append(config.Language(), config.WithMetaArguments(types)...))
		},
	}
}

// writeSchema lists blocks and their arguments; docs/reference says more of each.
func writeSchema(w io.Writer, types []config.BlockType) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i, t := range types {
		if i > 0 {
			if err := table.Flush(); err != nil {
				return err
			}
			fmt.Fprintln(w)
		}
		header := t.Name
		if t.Label != "" {
			header += ` "NAME"`
		}
		if err := table.Flush(); err != nil { // the columns of one block are not those of the next
			return err
		}
		for _, line := range fold(t.Doc, helpWidth-2) {
			fmt.Fprintf(w, "# %s\n", line)
		}
		if t.Label != "" {
			for _, line := range fold("NAME: "+t.Label+".", helpWidth-2) {
				fmt.Fprintf(w, "# %s\n", line)
			}
		}
		fmt.Fprintln(w, header)
		writeBody(table, "  ", t.Schema)
	}
	return table.Flush()
}

func writeBody(w io.Writer, indent string, schema config.Schema) {
	for _, a := range schema.Attributes {
		need := "optional"
		if a.Required {
			need = "required"
		}
		fmt.Fprintf(w, "%s%s\t%s\t%s\n", indent, a.Name, config.TypeName(a.Type), need)
	}
	for _, b := range schema.Blocks {
		fmt.Fprintf(w, "%s%s {\n", indent, b.Name)
		writeBody(w, indent+"  ", b.Schema)
		fmt.Fprintf(w, "%s}\n", indent)
	}
}
