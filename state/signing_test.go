package state_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/facts"
	"upkeep/state"
)

// secretOf returns the signing key in a stored state.
func secretOf(stored []byte) string {
	var file struct {
		Signing string `json:"signing_key"`
	}
	_ = json.Unmarshal(stored, &file)
	return file.Signing
}

// What a state signs, the public half in its memory checks; a rotated key's public half stays, with its dates.
func TestSigningKey(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	first := state.New()
	second := first.Rotated(at)
	want := []facts.Signer{{Key: first.Signing.Public(), Until: at}, {Key: second.Signing.Public(), Since: at}}
	if diff := cmp.Diff(want, second.Memory.Signers); diff != "" {
		t.Errorf("signers (-want +got):\n%s", diff)
	}
	if first.Signing.Equal(second.Signing) || len(first.Memory.Signers) != 1 || !first.Memory.Signers[0].Until.IsZero() {
		t.Error("rotating changed the state that it was made from, or nothing")
	}
	statement := []byte("a statement")
	signature := first.Signing.Sign(statement)
	if !signature.Signs(statement) || signature.Signs([]byte("another")) || signature.Key != first.Signing.Public() {
		t.Errorf("signature %+v", signature)
	}
	for name, broken := range map[string]facts.Signature{
		"another key":  {Key: second.Signing.Public(), Value: signature.Value},
		"no key":       {Key: "ed25519:AAAA", Value: signature.Value},
		"no signature": {Key: signature.Key},
		"cut":          {Key: signature.Key, Value: signature.Value[:40]},
	} {
		if broken.Signs(statement) {
			t.Errorf("%s signs", name)
		}
	}
}

// A write keeps the signing key, whatever the memory that it was given says; only a rotation changes it.
func TestNextKeepsTheSigningKey(t *testing.T) {
	current := state.New()
	emptied := current.Clone()
	emptied.Memory = facts.Memory{Durations: map[string]float64{"backup.take": 1}}
	next, _, err := state.Next(current, emptied)
	if err != nil || !next.Signing.Equal(current.Signing) || !cmp.Equal(next.Memory.Signers, current.Memory.Signers) {
		t.Errorf("signers %+v, %v", next.Memory.Signers, err)
	}
	rotated := current.Rotated(time.Unix(1e9, 0))
	next, changed, err := state.Next(current, rotated)
	if err != nil || !changed || !next.Signing.Equal(rotated.Signing) {
		t.Errorf("a rotation was not written: %v", err)
	}
}

// Every reader of a state from before states had a signing key finds the same one, before anybody has written it.
func TestSigningKeyOfVersion2(t *testing.T) {
	s := sample()
	stored, err := state.Encode(s)
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]any
	if err := json.Unmarshal(stored, &file); err != nil {
		t.Fatal(err)
	}
	delete(file, "signing_key")
	delete(file["memory"].(map[string]any), "signers")
	file["version"] = 2
	old, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	one, err := state.Decode(old)
	if err != nil {
		t.Fatal(err)
	}
	two, err := state.Decode(old)
	if err != nil || !one.Signing.Equal(two.Signing) || one.Signing.Equal(s.Signing) || one.Version != state.Version || len(one.Memory.Signers) != 1 {
		t.Errorf("%+v, %+v, %v", one, two, err)
	}
	if strings.Contains(string(old), secretOf(stored)) {
		t.Error("the sample was not a version 2")
	}
}

// hexKey returns the key in a stored state.
func hexKey(stored []byte) string {
	var file struct{ Key string }
	_ = json.Unmarshal(stored, &file)
	return file.Key
}
