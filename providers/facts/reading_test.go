package facts_test

import (
	"bytes"
	"strings"
	"testing"
	"unsafe"

	"upkeep/fixtures/twice"
	"upkeep/providers/facts"
)

// TestReadingFacts: a file is read node by node, and what a decoder of all of it would refuse is refused.
func TestReadingFacts(t *testing.T) {
	const head = `{"facts_version": 1, "world": {"observed_at": "2026-11-22T12:00:00Z", `
	for name, test := range map[string]struct{ text, want string }{
		"two nodes":             {head + `"nodes": {"a": {"name": "a"}, "b": {"name": "b"}}}}`, ""},
		"no nodes":              {head + `"nodes": null}}`, ""},
		"a node twice":          {head + `"nodes": {"a": {"name": "a"}, "a": {"name": "a"}}}}`, `the key "a" stands twice`},
		"a word of a node":      {head + `"nodes": {"a": {"name": "a", "host_": "x"}}}}`, `unknown field "host_"`},
		"a word of the world":   {head + `"node": {}}}`, `unknown field "node"`},
		"a word of the file":    {head + `"nodes": {}}, "more": 1}`, `unknown field "more"`},
		"a list in their place": {head + `"nodes": []}}`, "where an object should begin"},
		"something follows":     {head + `"nodes": {}}} {}`, "something follows the facts"},
		"cut off":               {head + `"nodes": {"a": {"name": "a"}`, "not a facts file"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := facts.DecodeRecording([]byte(test.text))
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v; want %q", err, test.want)
			}
		})
	}
}

// TestFactsKeysStandOnce: which of two counts must not be the reader's choice: a person reviews what a plan is made from.
func TestFactsKeysStandOnce(t *testing.T) {
	good := []byte(`{"facts_version": 2, "world": {"observed_at": "2026-11-22T12:00:00Z", "nodes": {"a": {"name": "a", "system": {"kernel": "6"}}},
		"releases": {"n/r": {"namespace": "n", "values": {"a": {"b": 1}}}}}, "state": {"lineage": "l", "serial": 1, "memory": {}}}`)
	if _, err := facts.DecodeRecording(good); err != nil {
		t.Fatal(err)
	}
	texts := twice.Texts(good)
	for _, text := range append(texts, bytes.Replace(good, []byte(`"kernel": "6"`), []byte(`"kernel": "6", "Kernel": "7"`), 1)) {
		if _, err := facts.DecodeRecording(text); err == nil || !strings.Contains(err.Error(), "stands twice") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if len(texts) < 9 {
		t.Errorf("%d texts", len(texts))
	}
}

// TestNodesShareTexts: what nodes have in common is in memory once.
func TestNodesShareTexts(t *testing.T) {
	w, err := facts.Decode([]byte(`{"facts_version": 1, "world": {"observed_at": "2026-11-22T12:00:00Z", "nodes": {
		"a": {"name": "a", "system": {"kernel": "6.1.0-41-amd64"}}, "b": {"name": "b", "system": {"kernel": "6.1.0-41-amd64"}}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	a, b := w.Nodes["a"].System.Kernel, w.Nodes["b"].System.Kernel
	if a != "6.1.0-41-amd64" || unsafe.StringData(a) != unsafe.StringData(b) {
		t.Errorf("%q and %q are two", a, b)
	}
}

// TestVersionBeforeWords: whatever a newer file says, and where, its version is what is wrong with it.
func TestVersionBeforeWords(t *testing.T) {
	for _, text := range []string{
		`{"weather": {"a": [1, {}]}, "facts_version": 9}`,
		`{"world": {"weather": 1, "nodes": {"a": {"weather": "fine"}}}, "facts_version": 9}`,
		`{"state": {"weather": 1}, "facts_version": 9, "facts_version": 9}`,
	} {
		if _, err := facts.DecodeRecording([]byte(text)); err == nil || !strings.Contains(err.Error(), "has version 9") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
