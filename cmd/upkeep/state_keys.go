package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/urfave/cli/v3"

	"upkeep/config"
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
	if !s.Exists() || slices.Contains(desired.State.PublicKeys, s.Signing.Public()) {
		return nil
	}
	_, err := fmt.Fprintf(env.stderr, "Warning: bundles are signed with the key %s, and only the state has its public half.\n"+
		"If the state is lost, nothing proves who wrote a bundle. Write the public key into public_keys of the state block:\n  upkeep state public-key\n",
		facts.KeyFingerprint(s.Signing.Public()))
	return err
}

// stateRotateKeyCommand gives the state a new key for signing bundles.
func stateRotateKeyCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "rotate-key", Usage: "sign bundles with a new key from now on",
		Description: "For a state that somebody else may have read. The old public half stays: bundles that were signed with it until now count. " +
			"Write the new one into public_keys of the state block, too.",
		Flags: append([]cli.Flag{&cli.BoolFlag{Name: "force", Usage: "do not ask"}, lockTimeoutFlag()}, configurationFlags()...),
		Action: func(ctx context.Context, cmd *cli.Command) (err error) {
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
			lock, err := takeLock(ctx, env, cmd, backend, "rotate-key", w.key)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, lock.Unlock()) }()
			rotated, err := lock.Write(ctx, lock.State().Rotated(env.now()))
			if err != nil {
				return err
			}
			return writeKeys(env, rotated)
		},
	}
}
