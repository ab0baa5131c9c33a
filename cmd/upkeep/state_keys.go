package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"upkeep/config"
	"upkeep/providers/backup"
	"upkeep/providers/facts"
	"upkeep/state"
)

// statePublicKeyCommand prints the public halves of the keys that sign bundles. The private half is never printed.
func statePublicKeyCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "public-key", Usage: "print the public half of the key that signs bundles",
		Description: "Keep it apart from the state, and write it into the state block: public_keys = [...]. When the state is lost, `upkeep backup restore` knows the bundles by it. " +
			"Old keys follow, each with the time at which it was taken out of use: bundles that they signed before count.",
		Flags: append([]cli.Flag{jsonFlag()}, configurationFlags()...),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if err := noArguments(cmd); err != nil {
				return err
			}
			w, err := open(env, cmd)
			if err != nil {
				return err
			}
			s, err := readState(ctx, w)
			if err != nil {
				return err
			}
			if !s.Exists() {
				return errors.New("there is no state yet, so there is no key; `upkeep backup take` makes both")
			}
			if cmd.Bool("json") {
				return printJSON(env.stdout, struct {
					Keys []facts.Signer `json:"keys"`
				}{s.Memory.Signers})
			}
			return writeKeys(env, s)
		},
	}
}

// writeKeys prints the key in use first, then those from before.
func writeKeys(env environment, s state.State) error {
	signers := s.Memory.Signers
	for i := len(signers) - 1; i >= 0; i-- {
		note := facts.KeyFingerprint(signers[i].Key)
		if until := signers[i].Until; !until.IsZero() {
			note += ", until " + until.UTC().Format(time.RFC3339)
		}
		if _, err := fmt.Fprintf(env.stdout, "%s  # %s\n", signers[i].Key, note); err != nil {
			return err
		}
	}
	return nil
}

// noteKey says, until the configuration has it, which key signs bundles: with the state alone it would be lost.
func noteKey(env environment, desired config.Desired, s state.State) error {
	text := unkeptKey(desired, s)
	if text == "" {
		return nil
	}
	_, err := fmt.Fprintf(env.stderr, "Warning: %s:\n  upkeep state public-key\n", text)
	return err
}

// unkeptKey says that only the state has the public half of the key that signs the bundles of a configuration; empty where the
// configuration has it, too, or declares no backup.
func unkeptKey(desired config.Desired, s state.State) string {
	if !s.Exists() || len(backup.Declared(desired)) == 0 || slices.Contains(desired.State.PublicKeys, s.Signing.Public()) {
		return ""
	}
	return fmt.Sprintf("bundles are signed with the key %s, and only the state has its public half.\n"+
		"If the state is lost, nothing proves who wrote a bundle. Write the public key into public_keys of the state block",
		facts.KeyFingerprint(s.Signing.Public()))
}

// unkeptKeyHere is unkeptKey for the configuration of the current directory, if there is one that can be read.
func unkeptKeyHere(ctx context.Context, env environment, cmd *cli.Command) string {
	directory, err := directoryOf(cmd)
	if err != nil {
		return ""
	}
	read, err := load(env, cmd, directory, domains())
	if err != nil {
		return ""
	}
	remembered, err := readState(ctx, workspace{env: env, directory: directory, desired: read.desired})
	if err != nil {
		return ""
	}
	return strings.ReplaceAll(unkeptKey(read.desired, remembered), "\n", " ")
}

// stateRotateKeyCommand gives the state a new key for signing bundles.
func stateRotateKeyCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "rotate-key", Usage: "sign bundles with a new key from now on",
		Description: "For a state that somebody else may have read. The old public half stays: bundles that were signed with it until now count. " +
			"Write the new one into public_keys of the state block, too.",
		Flags: append([]cli.Flag{&cli.BoolFlag{Name: "force", Usage: "do not ask"}, lockTimeoutFlag()}, configurationFlags()...),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if err := noArguments(cmd); err != nil {
				return err
			}
			w, err := open(env, cmd)
			if err != nil {
				return err
			}
			backend, err := stateBackend(w)
			if err != nil {
				return err
			}
			if !cmd.Bool("force") {
				fmt.Fprintf(env.stdout, "Bundles will be signed with a new key. Rotate the key of the state %s?\n  Only 'yes' will be accepted.\n\n  Enter a value: ", backend.Describe())
				if err := readYes(env); err != nil {
					return err
				}
			}
			return underLock(ctx, env, cmd, w, func(lock state.Lock) error {
				rotated, err := lock.Write(ctx, lock.State().Rotated(env.now()))
				if err != nil {
					return err
				}
				return writeKeys(env, rotated)
			})
		},
	}
}
