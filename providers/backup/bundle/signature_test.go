package bundle_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"upkeep/fixtures/twice"
	"upkeep/providers/backup/bundle"
	"upkeep/providers/facts"
	"upkeep/state"
)

// full is a label in which every field that a label can have is set.
const full = `{
  "format": 1, "id": "a", "taken_at": "2026-11-22T02:00:00.5Z", "address": "etcd_backup.daily", "upkeep": "0.1.0",
  "datastore": "etcd", "cluster_id": "cafe", "member_id": "1", "member": "cp1", "authority": "ca", "kube_system_uid": "uid",
  "revision": 7, "keys": 3, "hash": 9, "hash_revision": 6, "versions": {"etcd": "3.6.5"}, "cold": true, "unproved": "cold",
  "members": [{"id": "1", "name": "cp1", "peer_urls": ["https://10.0.0.11:2380"], "learner": true}], "alarms": ["NOSPACE"],
  "gaps": [{"what": "PKI of cp3", "why": "ssh: \ufffd <&>"}],
  "parts": [{"name": "etcd/snapshot.db", "size": 5, "sha256": "%[1]s"}],
  "encrypted_to": ["age1x"], "stored_size": 5, "stored_sha256": "%[1]s", "manifest_sha256": "%[1]s"
}`

// TestSignatureCoversTheLabel: whatever is changed in a label, taken out of it or added to it, the signature is none of
// it any more. How the label is written does not matter.
func TestSignatureCoversTheLabel(t *testing.T) {
	keeper := state.New()
	signers := []facts.Signer{{Key: keeper.Signing.Public()}}
	text := fmt.Sprintf(full, strings.Repeat("ab", 32))
	label, err := bundle.ParseLabel([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	label.Signature = keeper.Signing.Sign(bundle.Statement(label.Facts()))
	if text, err := label.Encode(); err != nil {
		t.Fatal(err)
	} else if label, err = bundle.ParseLabel(text); err != nil || bundle.SignedBy(label.Facts(), signers, 0) == "" {
		t.Fatalf("it is not signed as stored: %v", err)
	}
	var fields map[string]any
	if err := json.Unmarshal([]byte(text), &fields); err != nil {
		t.Fatal(err)
	}
	signed := func(changed map[string]any) bool {
		text, err := json.Marshal(changed)
		if err != nil {
			t.Fatal(err)
		}
		var l bundle.Label // what ParseLabel refuses is not signed either
		if err := json.Unmarshal(text, &l); err != nil {
			t.Fatal(err)
		}
		l.Signature = label.Signature
		return bundle.SignedBy(l.Facts(), signers, time.Hour) != ""
	}
	if !signed(fields) {
		t.Fatal("the same label in another order is not signed")
	}
	tried := 0
	for path, changed := range changes(fields) {
		tried++
		if signed(changed) {
			t.Errorf("%s was changed, and the label is signed", path)
		}
	}
	if tried < 50 {
		t.Errorf("%d changes were tried", tried)
	}
}

// changes are objects in which one value is another one, or gone, by the path of that value.
func changes(object map[string]any) map[string]map[string]any {
	out := map[string]map[string]any{}
	with := func(key string, value any) map[string]any {
		copied := maps.Clone(object)
		copied[key] = value
		return copied
	}
	for key, value := range object {
		gone := maps.Clone(object)
		delete(gone, key)
		out[key+" gone"] = gone
		for path, other := range others(value) {
			out[key+path] = with(key, other)
		}
	}
	return out
}

func others(value any) map[string]any {
	switch v := value.(type) {
	case bool:
		return map[string]any{"": !v}
	case float64:
		return map[string]any{"": v + 1}
	case string:
		if at, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return map[string]any{"": at.Add(time.Second).Format(time.RFC3339Nano)}
		}
		return map[string]any{"": v + "x"}
	case map[string]any:
		out := map[string]any{}
		for path, changed := range changes(v) {
			out["."+path] = changed
		}
		return out
	case []any:
		out := map[string]any{" twice": append(slices.Clone(v), v[0])}
		for path, changed := range others(v[0]) {
			out["[0]"+path] = append([]any{changed}, v[1:]...)
		}
		return out
	}
	panic(fmt.Sprintf("no other value of %T", value))
}

// TestFullLabelIsFull: the label of the test above sets every field, so that a new one is tried as well.
func TestFullLabelIsFull(t *testing.T) {
	label, err := bundle.ParseLabel([]byte(fmt.Sprintf(full, strings.Repeat("ab", 32))))
	if err != nil {
		t.Fatal(err)
	}
	label.Signature = facts.Signature{Key: "x", Value: "y"}
	for _, path := range zeros(label) {
		t.Errorf("%s is not set", path)
	}
}

// TestPartialSignatures: an older upkeep signed a part of the label. Such a signature proves nothing, and is known.
func TestPartialSignatures(t *testing.T) {
	keeper := state.New()
	b := facts.Bundle{ID: "a", Format: 1, SHA256: "s", TakenAt: time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC), Keys: 3, LabelSHA256: "l"}
	const statement = `upkeep bundle 1
{"format":1,"id":"a","authority":"","cluster_id":"","address":"","taken_at":"2026-11-22T02:00:00Z","stored_sha256":"s","manifest_sha256":""}`
	b.Signature = keeper.Signing.Sign([]byte(statement))
	if !bundle.SignedInPart(b) || bundle.SignedBy(b, []facts.Signer{{Key: keeper.Signing.Public()}}, 0) != "" {
		t.Error("an older signature is unknown, or believed")
	}
	b.Signature = keeper.Signing.Sign(bundle.Statement(b))
	if bundle.SignedInPart(b) {
		t.Error("a signature of the label is one of a part")
	}
}

// zeros are the fields of a value that are not set, by their paths.
func zeros(value any) []string {
	var out []string
	var walk func(path string, v reflect.Value)
	walk = func(path string, v reflect.Value) {
		switch {
		case v.IsZero():
			out = append(out, path)
		case v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[time.Time]():
			for i := range v.NumField() {
				walk(path+"."+v.Type().Field(i).Name, v.Field(i))
			}
		case v.Kind() == reflect.Slice:
			for i := range v.Len() {
				walk(path, v.Index(i))
			}
		}
	}
	walk("label", reflect.ValueOf(value))
	return out
}

// TestLabelKeysStandOnce: a label is read by people and other programs, too, and all of them must read the one that was
// signed.
func TestLabelKeysStandOnce(t *testing.T) {
	good := []byte(fmt.Sprintf(full, strings.Repeat("ab", 32)))
	texts := twice.Texts(good)
	for _, text := range append(texts, []byte(strings.Replace(string(good), `"stored_size"`, `"Stored_Size": 6, "stored_size"`, 1))) {
		if _, err := bundle.ParseLabel(text); !errors.Is(err, bundle.ErrForeign) || !strings.Contains(err.Error(), "stands twice") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if len(texts) < 3 {
		t.Errorf("%d objects", len(texts))
	}
}
