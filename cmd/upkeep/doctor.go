package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/planner/report"
	"upkeep/planner/report/text"
	"upkeep/providers"
)

// doctorCommand looks at nodes or a cluster that nobody has declared. Like drift it is handed no operation.
func doctorCommand(env environment) *cli.Command {
	flags := append(connectionFlags(),
		&cli.StringFlag{Name: "kubeconfig", Usage: "ask the Kubernetes API, too, or alone, by the kubeconfig `FILE`"},
		&cli.StringFlag{Name: "context", Usage: "the `NAME` of the kubeconfig's context; its current one where this is not given"},
		&cli.StringFlag{Name: "renew-before", Value: "30d", Usage: "report what ends within `DURATION`"},
		&cli.BoolFlag{Name: "verbose", Usage: "name every node and object"},
		&cli.BoolFlag{Name: "no-color", Usage: "print without colour"},
		jsonFlag(),
	)
	return &cli.Command{
		Name: "doctor", Usage: "look at control planes or a cluster without any configuration file; changes nothing",
		ArgsUsage: "[[USER@]HOST[:PORT]...]",
		Description: "Looks at what upkeep would watch, says what is wrong, and prints what to declare.\n" +
			"Of a configuration in this directory it reads one thing: whether the public key of bundles is kept.\n" +
			"Exits 0 when nothing is wrong, 2 when something is, 1 when not everything could be checked or an error occurs.",
		Flags: append(flags, observationFlags()...),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			began := env.now()
			desired, err := doctorDesired(cmd)
			if err != nil {
				return err
			}
			w := workspace{env: env, types: domains(), desired: desired, releases: &releases{}}
			world, err := w.observeAll(ctx, cmd)
			if err != nil {
				return err
			}
			plan, err := planner.Build(planner.Request{Desired: desired, World: world, Now: world.ObservedAt}, w.types)
			if err != nil {
				return err
			}
			plan.UpkeepVersion = version
			if text := unkeptKeyHere(ctx, env, cmd); text != "" {
				plan.Warnings = append(plan.Warnings, text+": upkeep state public-key")
			}
			unnamed := unnamedMembers(plan)
			doctor := report.Doctor(onlyAsked(plan, unnamed), advise(plan, unnamed))
			if cmd.Bool("json") {
				err = report.JSON(env.stdout, doctor)
			} else {
				err = text.Doctor(env.stdout, doctor, text.Run{Took: took(env, plan, began)}, styleOf(env, cmd))
			}
			if err != nil {
				return err
			}
			return ending(verdictExit(doctor.Status, exitChanges))
		},
	}
}

// doctorDesired declares what the command line names.
func doctorDesired(cmd *cli.Command) (config.Desired, error) {
	var desired config.Desired
	directory, err := directoryOf(cmd)
	if err != nil {
		return desired, err
	}
	before, err := config.ParseDuration(cmd.String("renew-before"))
	if err != nil {
		return desired, fmt.Errorf("-renew-before: %w", err)
	}
	if before <= 0 {
		return desired, usage(cmd, "-renew-before must be longer than zero")
	}
	hosts := cmd.Args().Slice()
	kubeconfig := cmd.String("kubeconfig")
	switch {
	case len(hosts) == 0 && kubeconfig == "":
		return desired, usage(cmd, "name control planes (`upkeep doctor root@cp1 root@cp2`), a kubeconfig (`upkeep doctor -kubeconfig FILE`), or both")
	case kubeconfig != "":
		if !filepath.IsAbs(kubeconfig) {
			kubeconfig = filepath.Join(directory, kubeconfig)
		}
		desired.Cluster = &config.Cluster{Kubeconfig: kubeconfig, Context: cmd.String("context")}
	case cmd.IsSet("context"):
		return desired, usage(cmd, "-context is a context of a kubeconfig; give -kubeconfig, too")
	}
	if desired.Connections, desired.Nodes, err = doctorNodes(cmd, directory, hosts); err != nil {
		return desired, err
	}
	desired.Resources = doctorResources(desired, before)
	return desired, nil
}

// onlyAsked takes out what is unknown only because the command line named neither a kubeconfig nor the node in question, so
// that nothing was asked (the advice says what that was), and that nobody has a copy of admin.conf that nobody declared.
func onlyAsked(plan planner.Plan, unnamed []string) planner.Plan {
	cluster := plan.Request.Desired.Cluster != nil
	asked := func(findings []providers.Finding) []providers.Finding {
		out := []providers.Finding{}
		for _, f := range findings {
			switch {
			case !cluster && (f.ID == "CERT_CONFIGURATION_UNKNOWN" || f.ID == "API_UNREACHABLE"),
				f.ID == "CERT_MISSING" && f.Object == rootKubeconfig,
				f.ID == "ETCD_UNHEALTHY" && slices.Contains(unnamed, f.Object):
				continue
			case !cluster && strings.HasPrefix(f.Hint, "upkeep cannot renew it: the cluster's kubeadm configuration is not known"):
				f.Hint = ""
			}
			out = append(out, f)
		}
		return out
	}
	plan.Findings, plan.Remaining = asked(plan.Findings), asked(plan.Remaining)
	plan.Complete = len(plan.Unknown()) == 0 && !slices.ContainsFunc(plan.Findings, func(f providers.Finding) bool { return f.Unknown })
	return plan
}

// unnamedMembers returns the etcd members that run on none of the nodes that were named. While one of these did not answer
// either, any member may be its own.
func unnamedMembers(plan planner.Plan) []string {
	if len(plan.Unknown()) > 0 {
		return nil
	}
	var out []string
	for _, m := range plan.Request.World.Etcd.Members {
		if m.Node == "" && m.Unknown != "" {
			out = append(out, m.Name)
		}
	}
	return out
}
