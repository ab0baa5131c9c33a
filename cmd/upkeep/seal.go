package main

import (
	"fmt"

	"github.com/urfave/cli/v3"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/state"
)

// macOf returns what stands for a secret under the key of a state.
func macOf(key state.Key) func([]byte) string {
	return func(secret []byte) string { return key.MAC("value", secret) }
}

// keyOf returns the key of a state; before there is one, the key that it will have if this process creates it.
func keyOf(remembered state.State) state.Key {
	if remembered.Exists() {
		return remembered.Key
	}
	return state.New().Key
}

// seal returns desired with the secrets of another reading of the same configuration in the resources that hold some.
func seal(desired, from config.Desired, mac func([]byte) string) (config.Desired, error) {
	read := map[providers.Address]providers.Resource{}
	for _, resource := range providers.Declared[providers.Resource](from) {
		read[resource.Address()] = resource
	}
	out := desired
	out.Resources = append([]config.Declared{}, desired.Resources...)
	for i, declared := range out.Resources {
		confidant, ok := declared.Value.(providers.Confidant)
		if !ok || !confidant.HoldsSecrets() {
			continue
		}
		source, ok := read[confidant.Address()]
		if !ok {
			return out, fmt.Errorf("%s was planned with secrets that no plan file holds, and the configuration no longer has it; make a new plan", confidant.Address())
		}
		sealed, err := confidant.Seal(source, mac)
		if err != nil {
			return out, fmt.Errorf("%s: %w", confidant.Address(), err)
		}
		out.Resources[i].Value = sealed
	}
	return out, nil
}

// holdsSecrets reports whether any resource has secrets.
func holdsSecrets(desired config.Desired) bool {
	for _, resource := range providers.Declared[providers.Resource](desired) {
		if confidant, ok := resource.(providers.Confidant); ok && confidant.HoldsSecrets() {
			return true
		}
	}
	return false
}

// unseal reads the configuration that a saved plan was made from once more, for the secrets that the plan does not hold.
func unseal(env environment, cmd *cli.Command, w workspace) (config.Desired, error) {
	if !holdsSecrets(w.desired) {
		return w.desired, nil
	}
	result := load(env, cmd, w.directory, w.types)
	if err := result.print(env, cmd); err != nil {
		return config.Desired{}, fmt.Errorf("the plan needs secrets that only the configuration in %s has: %w", w.directory, err)
	}
	return result.desired, nil
}
