package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestReach: a configuration that another person wrote reads regular files below its directory, and of the environment
// what is allowed by name.
func TestReach(t *testing.T) {
	directory := directoryWith(t, map[string]string{"in": "in", "below/in": "below", "../out": "canary", "../outside/deep": "canary"})
	for name, to := range map[string]string{
		"link-in": "in", "link-below": "below/in", "link-out": "../out", "link-abs": filepath.Join(filepath.Dir(directory), "out"),
		"link-dir": "../outside", "dangling": "../nowhere", "link-dev": "/dev/zero",
	} {
		if err := os.Symlink(to, filepath.Join(directory, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mkfifo(filepath.Join(directory, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := reach{directory: directory, trust: Untrusted}
	for path, want := range map[string]string{
		"in": "in", "./below/../in": "in", "below/in": "below", "link-in": "in", "link-below": "below", filepath.Join(directory, "in"): "in",
		"link-out": "", "link-abs": "", "link-dir/deep": "", "dangling": "", "link-dev": "", "pipe": "", "../out": "", "below": "", "missing": "",
		"below/../../out": "", "/etc/hostname": "", "/proc/self/environ": "", "/dev/zero": "", "": "",
	} {
		got, err := r.read(path, 100)
		if string(got) != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", path, got, err, want)
		}
	}
	// Its user's own configuration reads any regular file, and waits for no pipe.
	r.trust = Trusted
	for path, want := range map[string]string{"link-out": "canary", "../out": "canary", "pipe": "", "link-dev": "", "below": ""} {
		if got, err := r.read(path, 100); string(got) != want || (err == nil) != (want != "") {
			t.Errorf("trusted %q: %q, %v; want %q", path, got, err, want)
		}
	}
	if _, err := r.read("in", 1); err == nil {
		t.Error("a file that is too large was read")
	}
}

// TestUntrusted: what another person's configuration must not read reaches nobody, by whatever construct.
func TestUntrusted(t *testing.T) {
	const canary = "s3cr3t-of-the-environment"
	for name, files := range map[string]map[string]string{
		"env":              {"a" + Suffix: "node \"n\" {\n  host = env(\"CANARY\")\n}\n"},
		"env in try":       {"a" + Suffix: "node \"n\" {\n  host = \"${try(env(\"CANARY\"), \"!\")} !\"\n}\n"},
		"env in a message": {"a" + Suffix: "variable \"v\" {\n  default = 1\n  validation {\n    condition     = var.v == 2\n    error_message = \"${env(\"CANARY\")}\"\n  }\n}\n"},
		"env of a local":   {"a" + Suffix: "locals {\n  c = env(\"CANARY\")\n}\nvariable \"v\" {\n  default = 1\n  validation {\n    condition     = var.v == 2\n    error_message = local.c\n  }\n}\n"},
		"file":             {"a" + Suffix: "node \"n\" {\n  host = file(\"../canary\")\n}\n", "../canary": canary},
		"file by a message": {
			"a" + Suffix: "variable \"v\" {\n  default = 1\n  validation {\n    condition     = var.v == 2\n    error_message = file(\"../canary\")\n  }\n}\n", "../canary": canary,
		},
	} {
		for _, trust := range []Trust{Untrusted, Unread} {
			directory := directoryWith(t, files)
			_, sources, diags := Load(directory, Options{Environ: []string{"CANARY=" + canary}, Trust: trust})
			var text strings.Builder
			if err := WriteText(&text, Describe(diags, sources), TextOptions{Width: 100}); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(text.String(), canary) || len(diags) == 0 {
				t.Errorf("%s, trust %d: %s", name, trust, text.String())
			}
			if trust == Unread && name != "env in a message" && !strings.Contains(text.String(), "Not checked") {
				t.Errorf("%s is not said to be unchecked: %s", name, text.String())
			}
		}
	}
	allowed := directoryWith(t, map[string]string{"a" + Suffix: "node \"n\" {\n  host = env(\"CANARY\")\n}\n"})
	if desired, _, diags := Load(allowed, Options{Environ: []string{"CANARY=h1"}, Trust: Untrusted, AllowEnv: []string{"CANARY"}}); diags.HasErrors() || desired.Nodes[0].Host != "h1" {
		t.Error(diags)
	}
}

// TestUntrustedFiles: neither include nor a link brings in what lies outside.
func TestUntrustedFiles(t *testing.T) {
	const outside = "node \"canary\" {\n  host = \"10.0.0.9\"\n}\n"
	for name, include := range map[string]string{
		"upwards": "include {\n  files = [\"../out" + Suffix + "\"]\n}\n", "absolute": "include {\n  files = [\"/etc/*" + Suffix + "\"]\n}\n", "a link": "",
	} {
		directory := directoryWith(t, map[string]string{"a" + Suffix: include, "../out" + Suffix: outside})
		if name == "a link" {
			if err := os.Symlink("../out"+Suffix, filepath.Join(directory, "b"+Suffix)); err != nil {
				t.Fatal(err)
			}
		}
		_, sources, diags := Load(directory, Options{Trust: Untrusted})
		if !diags.HasErrors() || len(sources) != 1 {
			t.Errorf("%s: %d files, %v", name, len(sources), diags)
		}
	}
	below := directoryWith(t, map[string]string{"a" + Suffix: "include {\n  files = [\"gpu/*" + Suffix + "\"]\n}\n", "gpu/b" + Suffix: outside})
	if desired, _, diags := Load(below, Options{Trust: Untrusted}); diags.HasErrors() || len(desired.Nodes) != 1 {
		t.Error(diags)
	}
	// A block's own file is read by the same rule.
	b := Block{reach: reach{directory: below, trust: Untrusted}}
	if _, err := b.reach.read("../out", 10); !errors.Is(err, errOutside) {
		t.Error(err)
	}
}

// TestSensitiveNamesAreNotTold: the name of a variable or file that was made of a secret is in no message, whatever is read.
func TestSensitiveNamesAreNotTold(t *testing.T) {
	const secret = "variable \"s\" {\n  sensitive = true\n  default   = \"c4nary\"\n}\n"
	for name, value := range map[string]string{
		"env": `env(var.s)`, "a part of a name": `env("A_${var.s}")`, "in try": `try(env(var.s), env("B_${var.s}"))`,
		"a file outside": `file("/${var.s}")`, "a file upwards": `file("../${var.s}")`, "a file inside": `file(var.s)`,
	} {
		directory := directoryWith(t, map[string]string{"a" + Suffix: secret + "locals {\n  x = " + value + "\n}\n"})
		for _, trust := range []Trust{Trusted, Untrusted, Unread} {
			_, sources, diags := Load(directory, Options{Trust: trust})
			var text strings.Builder
			if err := WriteText(&text, Describe(diags, sources), TextOptions{}); err != nil {
				t.Fatal(err)
			}
			if len(diags) == 0 || strings.Contains(text.String(), "c4nary") {
				t.Errorf("%s, trust %d: %s", name, trust, text.String())
			}
		}
	}
	// What such a file says is as sensitive as its name.
	directory := directoryWith(t, map[string]string{"a" + Suffix: secret + "node \"n\" {\n  host = file(\"./${var.s}\")\n}\n", "c4nary": "10.0.0.1"})
	if _, _, diags := Load(directory, Options{}); !diags.HasErrors() || diags[0].Summary != "Sensitive value not allowed here" {
		t.Error(diags)
	}
}
