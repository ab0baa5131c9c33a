package backup_test

import (
	"encoding/json"
	"testing"

	"upkeep/providers"
	"upkeep/providers/backup"
)

// The ids of bundles contain times, so digests leave them out; the policy and the store are covered.
func TestEssenceOfBackups(t *testing.T) {
	essence := func(spec backup.Spec, operation, args string) string {
		out, err := backup.Type().Essence(spec, providers.Step{Operation: operation, Args: json.RawMessage(args)})
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	spec := declared()
	other := declared()
	other.Store.Path += "/elsewhere"
	for _, test := range []struct {
		operation, a, b string
		same            bool
	}{
		{backup.OperationProve, `{"bundle":"a-20261122T030000Z","verify":"hash"}`, `{"bundle":"a-20261122T080000Z","verify":"hash"}`, true},
		{backup.OperationProve, `{"bundle":"a","verify":"hash"}`, `{"bundle":"a","verify":"restore"}`, false},
		{backup.OperationPrune, `{"remove":["a"],"scraps":["b"],"keep":{"last":3}}`, `{"remove":["c"],"keep":{"last":3}}`, true},
		{backup.OperationPrune, `{"remove":["a"],"keep":{"last":3}}`, `{"remove":["a"],"keep":{"last":2}}`, false},
		{backup.OperationTake, `{"max_age":"24h"}`, `{"max_age":"25h"}`, false},
	} {
		if same := essence(spec, test.operation, test.a) == essence(spec, test.operation, test.b); same != test.same {
			t.Errorf("%s: %s and %s are the same: %v", test.operation, test.a, test.b, same)
		}
		if essence(spec, test.operation, test.a) == essence(other, test.operation, test.a) {
			t.Errorf("%s: another store has the same digest", test.operation)
		}
	}
}
