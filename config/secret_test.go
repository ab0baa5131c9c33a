package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// TestSecretHasNoTextForm tries every usual way to write a secret down.
func TestSecretHasNoTextForm(t *testing.T) {
	const text = "hunter2-hunter2"
	s := NewSecret(text)
	holder := struct {
		Inner Secret
		List  []Secret
	}{s, []Secret{s}}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T %v"} {
		if verb == "%T %v" {
			fmt.Fprintf(&out, verb, s, s)
			continue
		}
		fmt.Fprintf(&out, verb, s)
		fmt.Fprintf(&out, verb, &s)
		fmt.Fprintf(&out, verb, holder)
	}
	fmt.Fprintln(&out, s, holder, fmt.Errorf("bad token %v", s))
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "secret", s, "holder", holder)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "secret", s, "holder", holder)
	if strings.Contains(out.String(), text) || strings.Contains(out.String(), "68756e74657232") {
		t.Errorf("the secret shows: %s", out.String())
	}
	if !strings.Contains(fmt.Sprint(s), "(sensitive)") {
		t.Errorf("got %s", fmt.Sprint(s))
	}
	for _, v := range []any{s, &s, holder, map[string]Secret{"a": s}} {
		if data, err := json.Marshal(v); err == nil {
			t.Errorf("%T was written as JSON: %s", v, data)
		}
	}
	if data, err := s.MarshalText(); err == nil {
		t.Errorf("written as text: %s", data)
	}
	if s.Reveal() != text || s.Empty() || !(Secret{}).Empty() {
		t.Error("Reveal and Empty")
	}
}

// TestSensitiveValuesReachOnlySecrets: a sensitive value, whatever expression it went through, arrives where a secret
// is taken and nowhere else.
func TestSensitiveValuesReachOnlySecrets(t *testing.T) {
	const head = "variable \"token\" {\n  type = string\n  sensitive = true\n}\n" +
		"locals {\n  upper = upper(\"${var.token}!\")\n  held = { a = [var.token] }\n}\n" +
		"node \"a\" {\n  host = \"a\"\n}\n"
	for name, test := range map[string]struct {
		body  string
		wrong bool
	}{
		"direct":              {"token = var.token", false},
		"through a function":  {"token = lower(local.upper)", false},
		"out of a collection": {"token = local.held.a[0]", false},
		"text in the file":    {"token = \"plain\"", false},
		"conditional":         {"token = var.token == \"x\" ? \"a\" : \"b\"", false},
		"as a layout":         {"layout = var.token", true},
		"as a template":       {"layout = \"a${var.token}\"", true},
		"by a condition":      {"layout = var.token == \"x\" ? \"auto\" : \"kubeadm\"", true},
		"in a list":           {"kubeconfigs = [\"/a\", local.upper]", true},
		"in a map":            {"prices = { a = length(var.token) }", true},
		"in a nested block":   {"keep {\n    daily = length(var.token)\n  }", true},
		"in a nested label":   {"store \"x\" {\n    path = var.token\n  }", true},
		"in a selection":      {"kubeconfigs = [for k in [var.token] : k]", true},
	} {
		t.Run(name, func(t *testing.T) {
			directory := write(t, map[string]string{"a.upkeep.hcl": head + "certs \"x\" {\n  nodes = node.a\n  " + test.body + "\n}\n"})
			desired, sources, diags := Load(directory, Options{Types: testTypes(), Environ: []string{"UPKEEP_VAR_token=s3cr3t"}})
			if diags.HasErrors() != test.wrong {
				t.Fatalf("wrong is %t, want %t: %v", diags.HasErrors(), test.wrong, diags)
			}
			if !test.wrong && !desired.Resources[0].Value.(certs).HasToken {
				t.Error("the token did not arrive")
			}
			data, err := json.Marshal(struct {
				D Desired
				V Validation
			}{desired, Validate(diags, sources)})
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(strings.ToLower(string(data)), "s3cr3t") {
				t.Errorf("the secret shows: %s", data)
			}
		})
	}
}
