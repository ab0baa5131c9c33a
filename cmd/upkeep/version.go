package main

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/urfave/cli/v3"
)

func versionCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "version", Usage: "print the version",
		Flags: []cli.Flag{jsonFlag()},
		Action: func(_ context.Context, cmd *cli.Command) error {
			return writeVersion(env, cmd.Bool("json"))
		},
	}
}

func writeVersion(env environment, asJSON bool) error {
	platform := runtime.GOOS + "_" + runtime.GOARCH
	if asJSON {
		return printJSON(env.stdout, struct {
			Version  string `json:"upkeep_version"`
			Platform string `json:"platform"`
			Go       string `json:"go_version"`
		}{version, platform, runtime.Version()})
	}
	_, err := fmt.Fprintf(env.stdout, "upkeep %s\non %s\n", version, platform)
	return err
}

func jsonFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "print JSON"}
}

// printJSON prints one indented JSON document.
func printJSON(w interface{ Write([]byte) (int, error) }, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(data, '\n'))
	return err
}
