package main

import (
	"fmt"
	"slices"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/state"
)

// macOf returns what stands for a secret under the key of a state.
func macOf(key state.Key) func([]byte) string {
	return func(secret []byte) string { return key.MAC("value", secret) }
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
		confidant, ok := declared.Value.(providers.SecretHolder)
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

// reseal returns desired with what stood for its secrets when facts were recorded.
func reseal(desired config.Desired, seals map[facts.Address]map[string]string) config.Desired {
	out := desired
	out.Resources = slices.Clone(desired.Resources)
	for i, declared := range out.Resources {
		if confidant, ok := declared.Value.(providers.SecretHolder); ok && confidant.HoldsSecrets() {
			out.Resources[i].Value = confidant.Resealed(seals[confidant.Address()])
		}
	}
	return out
}

// seals returns what stands for the secrets of a sealed configuration, by resource.
func seals(desired config.Desired) map[facts.Address]map[string]string {
	out := map[facts.Address]map[string]string{}
	for _, resource := range providers.Declared[providers.Resource](desired) {
		if confidant, ok := resource.(providers.SecretHolder); ok && len(confidant.Seals()) > 0 {
			out[confidant.Address()] = confidant.Seals()
		}
	}
	return out
}
