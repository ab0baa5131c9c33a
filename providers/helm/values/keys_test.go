package values_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/helm/values"
)

// A key is shown where the configuration, the chart or Kubernetes names it. Another one may be a secret.
func TestMaskOfKeys(t *testing.T) {
	in := tree{
		"users":        tree{"hunter2": true, "alice": tree{"role": 1.0}},
		"nodeSelector": tree{"kubernetes.io/os": true, "canary-label": true},
		"resources":    tree{"limits": tree{"cpu": 1.0, "example.net/hunter2": 2.0}},
		"ports":        tree{"8443": 1.0, "71717171": 2.0},
		"bidprize":     1.0,
		"list":         []any{tree{"hunter2": 1.0}},
		"shown":        tree{"below": 1.0},
	}
	rule := values.Rule{
		Keys: append(values.ChartKeys(tree{"users": tree{}, "ports": nil}, []byte(`{"properties": {"list": {}}}`),
			[]byte(`{{ .Values.bidprice }} {{ range $k, $v := .Values.users }}{{ $v.role }}{{ end }}`), []byte(`{{ index .Values "alice" }}`)), "note"),
		Show: []string{"shown.below"},
	}
	want := tree{
		"users":        tree{`hmac:"HU…`: true, "alice": tree{"role": 1.0}},
		"nodeSelector": tree{"kubernetes.io/os": true, `hmac:"CA…`: true},
		"resources":    tree{"limits": tree{"cpu": 1.0, `hmac:"EX…`: 2.0}},
		"ports":        tree{"8443": 1.0, `hmac:"71…`: 2.0},
		"bidprize":     1.0, // a letter beside what the chart reads
		"list":         []any{tree{`hmac:"HU…`: 1.0}},
		"shown":        tree{"below": 1.0},
	}
	if diff := cmp.Diff(want, values.Mask(in, rule, mac)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"71717171", "canary-label", "example.net/hunter2", "hunter2"}, values.UnknownKeys(in, rule)); diff != "" {
		t.Errorf("unknown (-want +got):\n%s", diff)
	}
	// Without a key of the state no two are told apart, and none gets lost.
	if got := values.Mask(tree{"hunter2": 1.0, "hunter3": 2.0}, values.Rule{}, nil); len(got) != 2 {
		t.Errorf("%v", got)
	}
}

// A map at the path of a secret is one secret, keys included, on both sides of a comparison.
func TestAMapIsOneSecret(t *testing.T) {
	block := tree{"users": tree{"hunter2": 1.0, "more": tree{"canary": true}}, "plain": tree{"a": 1.0}, "none": tree{}}
	sensitive := [][]string{{"users"}, {"none"}}
	w, err := values.Part(block, sensitive).Seal(values.Part(block, sensitive), mac)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(w)
	if err != nil || strings.Contains(string(data), "hunter2") || strings.Contains(string(data), "canary") {
		t.Errorf("%s, %v", data, err)
	}
	if diff := cmp.Diff([]string{"users"}, w.SecretMaps()); diff != "" {
		t.Errorf("secret maps (-want +got):\n%s", diff)
	}
	rule := values.Rule{Secret: w.Paths(), Show: w.Show(), Known: w.Known(), Keys: w.Keys()}
	if diff := cmp.Diff(w.Masked(), values.Mask(block, rule, mac)); diff != "" {
		t.Errorf("the same values differ (-block +release):\n%s", diff)
	}
	if diff := cmp.Diff(block, w.All()); diff != "" {
		t.Errorf("all (-want +got):\n%s", diff)
	}
	revealed, err := w.Reveal(w.Masked())
	if diff := cmp.Diff(block, revealed); err != nil || diff != "" {
		t.Errorf("revealed: %v (-want +got):\n%s", err, diff)
	}
	for _, key := range []string{"hunter2", "canary"} {
		if secrets := values.Secrets(block, w.Paths()); !strings.Contains(strings.Join(secrets, " "), key) {
			t.Errorf("%q is looked for nowhere: %q", key, secrets)
		}
	}
}
