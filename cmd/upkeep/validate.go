package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/urfave/cli/v3"

	"upkeep/providers/backup"
	"upkeep/providers/kube"
)

func validateCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "validate", Usage: "check the configuration and the files that it names; look at nothing else",
		Flags: slices.Concat([]cli.Flag{jsonFlag()}, trustFlags(), configurationFlags()),
		Action: func(_ context.Context, cmd *cli.Command) error {
			directory, err := directoryOf(cmd)
			if err != nil {
				return err
			}
			result, err := load(env, cmd, directory, domains())
			if err != nil {
				return err
			}
			if !result.diags.HasErrors() && !cmd.Bool("untrusted") { // whose files are another person's to name
				result.diags = append(result.diags, identityDiagnostics(result)...)
			}
			if cmd.Bool("json") {
				return result.printJSON(env)
			}
			if err := result.print(env, cmd); err != nil {
				return err
			}
			_, err = fmt.Fprintln(env.stdout, "Success! The configuration is valid.")
			return err
		},
	}
}

// kubeconfigDiagnostics says what is wrong with the kubeconfig, as a file. One that is not there is fine: a machine
// that only checks configurations has none.
//
// Only `validate` calls it an error. Other commands warn and go on, as they do while the API does not answer: nodes can
// be looked at, and what is wrong may be the copy of admin.conf that upkeep itself repairs there.
func kubeconfigDiagnostics(l loaded, severity hcl.DiagnosticSeverity) (diags hcl.Diagnostics) {
	cluster := l.desired.Cluster
	if cluster == nil {
		return nil
	}
	for _, problem := range kube.Check(cluster.Kubeconfig, cluster.Context) {
		if problem.Missing {
			continue
		}
		detail := strings.ToUpper(problem.Text[:1]) + problem.Text[1:] + "."
		if severity == hcl.DiagWarning {
			detail += " The Kubernetes API cannot be asked."
		}
		detail += "\n" + problem.Next
		if problem.Command != "" {
			detail += ":\n  " + problem.Command
		} else {
			detail += "."
		}
		diags = append(diags, &hcl.Diagnostic{
			Severity: severity, Summary: "Kubeconfig not usable", Detail: detail,
			Subject: l.argument(cluster.Position, problem.Argument),
		})
	}
	return diags
}

// identityDiagnostics says which identity files open no bundle of their block. One that is not there is a warning: another
// machine, which takes the bundles, may have it.
func identityDiagnostics(l loaded) (diags hcl.Diagnostics) {
	for _, spec := range backup.Declared(l.desired) {
		err := spec.CheckIdentity()
		if err == nil {
			continue
		}
		d := &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Identity of no recipient", Detail: err.Error() + "."}
		if errors.Is(err, fs.ErrNotExist) {
			d.Severity, d.Summary = hcl.DiagWarning, "No identity file"
			d.Detail += " No bundle is taken on this machine until the file is there."
		}
		d.Subject = l.line(spec.Position)
		diags = append(diags, d)
	}
	return diags
}
