package release

import (
	"encoding/json"
	"slices"
	"strconv"

	"upkeep/config"
	"upkeep/providers/helm/values"
)

// part takes a tree of values apart the way in which observation masks one (values.Mask): what stands at a sensitive path
// or below it, or under a key that looks like a secret's, is secret, text by text and list by list; a list that holds a
// secret is one as a whole. Nulls, booleans and empty texts are no secrets. So both sides of a comparison have the same
// seals in the same places.
//
// sensitive are the paths that the configuration says are; the secrets are JSON as values.Seal has it, by path.
func part(tree values.Tree, sensitive [][]string) (plain values.Tree, secrets map[string]config.Secret) {
	secrets = map[string]config.Secret{}
	plain, _ = partOf(tree, nil, sensitive, false, secrets).(values.Tree)
	return plain, secrets
}

// removed stands for a value that went to the secrets.
type removed struct{}

func partOf(value any, at []string, sensitive [][]string, secret bool, secrets map[string]config.Secret) any {
	secret = secret || isSecret(at, sensitive)
	switch node := value.(type) {
	case values.Tree:
		out := values.Tree{}
		for key, below := range node {
			kept := partOf(below, append(slices.Clone(at), key), sensitive, secret, secrets)
			if _, gone := kept.(removed); !gone {
				out[key] = kept
			}
		}
		return out
	case []any:
		if !secret && !hides(node, at, sensitive) {
			return node
		}
	case nil, bool:
		return value
	default:
		if !secret || value == "" {
			return value
		}
	}
	data, err := json.Marshal(value)
	if err != nil {
		return value // values came out of JSON
	}
	secrets[values.Path(at)] = config.NewSecret(string(data))
	return removed{}
}

func isSecret(at []string, sensitive [][]string) bool {
	return len(at) > 0 && values.Suspicious(at[len(at)-1]) ||
		slices.ContainsFunc(sensitive, func(path []string) bool { return slices.Equal(path, at) })
}

// hides reports whether a list holds a secret.
func hides(list []any, at []string, sensitive [][]string) bool {
	inside := map[string]config.Secret{}
	for i, element := range list {
		partOf(element, append(slices.Clone(at), strconv.Itoa(i)), sensitive, false, inside)
	}
	return len(inside) > 0
}
