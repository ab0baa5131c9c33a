package backup_test

import (
	"encoding/json"
	"testing"

	"upkeep/providers"
	"upkeep/providers/backup"
)

// A store is what the configuration names: the same in whatever directory that lies, and another one where it names another.
func TestDigestArgsHasTheStoreAsWritten(t *testing.T) {
	digestArgs := func(store backup.StoreSpec) string {
		t.Helper()
		spec := declared(func(s *backup.Spec) { s.Store = store })
		out, err := backup.Type().DigestArgs(spec, providers.Step{Operation: backup.OperationProve, Args: json.RawMessage(`{"bundle":"20261122-1","level":"hash"}`)})
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	here := digestArgs(backup.StoreSpec{Kind: backup.StoreFile, Path: "/home/ops/upkeep/bundles", Written: "bundles"})
	if there := digestArgs(backup.StoreSpec{Kind: backup.StoreFile, Path: "/builds/7/bundles", Written: "bundles"}); there != here {
		t.Errorf("the same store in another directory: %s, not %s", there, here)
	}
	for _, other := range []backup.StoreSpec{
		{Kind: backup.StoreFile, Path: "/home/ops/upkeep/bundles"},
		{Kind: backup.StoreFile, Path: "/home/ops/upkeep/others", Written: "others"},
		{Kind: backup.StoreNode, Node: "cp1", Path: "/home/ops/upkeep/bundles"},
		{Kind: backup.StoreS3, Bucket: "bundles"},
	} {
		if digestArgs(other) == here {
			t.Errorf("%+v is the same store", other)
		}
	}
}
