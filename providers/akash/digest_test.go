package akash_test

import (
	"encoding/json"
	"testing"

	"upkeep/providers"
	"upkeep/providers/akash"
	"upkeep/providers/helm/values"
)

// What stands for a secret is another text in every state and no part of a digest; a value that only looks like it is.
func TestDigestArgsLeavesSecretsOut(t *testing.T) {
	spec := akash.Spec{Name: "a", Wanted: values.Wanted{Sealed: map[string]string{"key": ""}}}
	digestArgs := func(operation, args string) string {
		out, err := akash.Type().DigestArgs(spec, providers.Step{Operation: operation, Args: json.RawMessage(args)})
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	const upgrade = akash.OperationUpgrade
	if digestArgs(upgrade, `{"values":{"key":"hmac:1","n":9007199254740993}}`) != digestArgs(upgrade, `{"values":{"key":"hmac:2","n":9007199254740993}}`) {
		t.Error("another key of the state gives another digest")
	}
	for _, args := range []string{
		`{"values":{"n":9007199254740993}}`, `{"values":{"key":"hmac:1","n":9007199254740992}}`, `{"values":{"key":"hmac:1","n":9007199254740993,"other":"hmac:1"}}`,
	} {
		if digestArgs(upgrade, args) == digestArgs(upgrade, `{"values":{"key":"hmac:1","n":9007199254740993}}`) {
			t.Errorf("%s has the same digest", args)
		}
	}
	if _, err := akash.Type().DigestArgs(stranger{}, providers.Step{Operation: upgrade}); err == nil {
		t.Error("a block of another type is taken for one of this")
	}
	if got := digestArgs(akash.OperationRepair, `{"a": 1}`); got != `{"a": 1}` {
		t.Errorf("arguments without secrets become %s", got)
	}
}

// stranger is a block of another type.
type stranger struct{ akash.Spec }
