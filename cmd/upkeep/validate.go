package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

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
				result.diags = append(result.diags, kubeconfigDiagnostics(result)...)
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

// kubeconfigDiagnostics says what is wrong with the kubeconfig as a file. One that is not there is fine: a machine
// that only checks configurations has none.
func kubeconfigDiagnostics(l loaded) hcl.Diagnostics {
	cluster := l.desired.Cluster
	if cluster == nil {
		return nil
	}
	err := kube.CheckFile(cluster.Kubeconfig, cluster.Context)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return hcl.Diagnostics{{
		Severity: hcl.DiagError, Summary: "Kubeconfig not usable", Detail: err.Error() + ". Name a kubeconfig that kubectl reads.",
		Subject: l.argument(cluster.Position, "kubeconfig"),
	}}
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
