package values_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"upkeep/providers/helm/values"
)

// Nothing that a release has is shown unless somebody knows it: not under a harmless name, not in a list, not in a URL.
func TestMask(t *testing.T) {
	in := tree{
		"key": "wallet", "keysecret": "pass", "empty_password": "", "token_set": false, "api-token": 7.0, "replicas": 2.0, "nothing": nil,
		"letsEncrypt": tree{"providers": tree{"cloudflare": tree{"apiToken": "t0ken", "enabled": true}}},
		"attributes":  []any{tree{"key": "region", "value": "eu"}, tree{"password": "p"}},
		"secrets":     tree{"a": "x", "b": []any{"y"}},
		"extraEnv":    []any{tree{"name": "LOG", "value": "debug"}, tree{"name": "DB", "value": "hunter2"}},
		"domain":      "old.example.net",
		"url":         "https://ops:hunter2@db.example.net",
		"dsn":         "host=db password=hunter2",
		"args":        []any{"--password=hunter2"},
		"cert":        "-----BEGIN EC PRIVATE KEY-----\nMHcC\n",
	}
	rule := values.Rule{
		Secret: []string{"key", "env.*.value"},
		Show:   []string{"domain", "url", "cert", "secrets.a"},
		Known:  []string{"LOG", "debug", "region"},
		Keys:   values.Keys(in),
	}
	want := tree{
		"key": `hmac:"WA…`, "keysecret": `hmac:"PA…`, "empty_password": "", "token_set": false, "api-token": `hmac:7…`, "replicas": 2.0, "nothing": nil,
		"letsEncrypt": tree{"providers": tree{"cloudflare": tree{"apiToken": `hmac:"T0…`, "enabled": true}}},
		"attributes":  []any{tree{"key": "region", "value": `hmac:"EU…`}, tree{"password": `hmac:"P"…`}},
		"secrets":     tree{"a": `hmac:"X"…`, "b": `hmac:["Y…`},
		"extraEnv":    []any{tree{"name": "LOG", "value": "debug"}, tree{"name": `hmac:"DB…`, "value": `hmac:"HU…`}},
		"domain":      "old.example.net",
		"url":         `hmac:"HT…`,
		"dsn":         `hmac:"HO…`,
		"args":        []any{`hmac:"--…`},
		"cert":        `hmac:"--…`,
	}
	if diff := cmp.Diff(want, values.Mask(in, rule, mac)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	secrets := []string{"-----BEGIN EC PRIVATE KEY-----\nMHcC\n", "https://ops:hunter2@db.example.net", "wallet"}
	if diff := cmp.Diff(secrets, values.Secrets(in, rule.Secret)); diff != "" {
		t.Errorf("secrets (-want +got):\n%s", diff)
	}
	if got := values.Unknown(in, rule); slices.Contains(got, "old.example.net") || !slices.Contains(got, "hunter2") || !slices.Contains(got, "--password=hunter2") {
		t.Errorf("unknown are %q", got)
	}
}

// A text that nobody knows never leaves, wherever in a release it stands.
func TestNoUnknownTextLeaves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := trees().Draw(t, "tree")
		canary := "canary-" + rapid.StringMatching(`[a-z0-9]{4}`).Draw(t, "canary")
		planted := plant(in, canary, rapid.Int64Range(0, 1<<20).Draw(t, "at"))
		data, err := json.Marshal(values.Mask(planted, values.Rule{Known: []string{"x", "hello"}, Keys: values.Keys(in)}, mac))
		if err != nil || strings.Contains(string(data), canary) {
			t.Fatalf("%s, %v", data, err)
		}
	})
}

// plant puts a text into one of the places of a tree.
func plant(in tree, text string, at int64) tree {
	out := values.Clone(in)
	keys := make([]string, 0, len(out))
	for key := range out {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	if len(keys) == 0 || at%3 == 0 {
		out["planted"] = []any{tree{"name": "A", "value": text}, text, "--dsn=" + text, tree{text: 1.0}}
		out[text] = tree{"user:" + text: true}
		return out
	}
	key := keys[int(at)%len(keys)]
	if below, ok := out[key].(tree); ok {
		out[key] = plant(below, text, at/7)
	} else {
		out[key] = text
	}
	return out
}

// What a block says itself is shown on both sides, so that an equal value is no difference.
func TestWhatABlockSaysIsShown(t *testing.T) {
	block := tree{"domain": "new.example.net", "image": tree{"tag": "1.2"}, "extraEnv": []any{tree{"name": "LOG", "value": "debug"}}, "url": "https://a:b@c"}
	w := values.Part(block, nil)
	rule := values.Rule{Secret: w.Paths(), Show: w.Show(), Known: w.Known(), Keys: w.Keys()}
	if diff := cmp.Diff([]string{"domain", "image.tag"}, rule.Show); diff != "" {
		t.Errorf("shown (-want +got):\n%s", diff)
	}
	sealed, err := w.Seal(w, mac)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sealed.Masked(), values.Mask(block, rule, mac)); diff != "" {
		t.Errorf("the same values differ (-block +release):\n%s", diff)
	}
}
