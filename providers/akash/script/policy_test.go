package script

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/fixtures/scripttools"
	"upkeep/providers/akash/price"
)

const alice, bob = "akash1fxa9ss3dg6nqyz8aluyaa6svypgprk5tw9fa4q", "akash1fhe3uk7d95vvr69pna7cxmwa8777as46uyxcz8"

// everything is a policy with all that one can ask.
func everything() price.Policy {
	return price.Policy{
		Minimum: "2.5", GPUOnly: true,
		Deny:  price.Names{Accounts: []string{bob}, Models: []string{"t4"}},
		Allow: price.Names{Accounts: []string{bob, alice}, Models: []string{"a100.80Gi", "h100"}},
	}
}

func compiled(t testing.TB, p price.Policy, body []byte) []byte {
	t.Helper()
	text, err := Compile(p, price.Newest, body)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// The digest of every generator is kept, so that a script that an older upkeep wrote stays known: a change of
// policy.sh needs a new number.
func TestGeneratorsKeepTheirDigests(t *testing.T) {
	c, ok := ReadCompiled(compiled(t, price.Policy{GPUOnly: true}, []byte("echo 1\n")))
	if !ok || c.Generator != Generator {
		t.Fatalf("%+v, %t", c, ok)
	}
	begin, rest, _ := strings.Cut(preamble, policyBegin)
	_, end, _ := strings.Cut(rest, policyEnd)
	end, _, _ = strings.Cut(end, publishedMark)
	begin = strings.Join(strings.SplitAfterN(begin, "\n", 3)[2:], "")
	if want := logicOf([]byte(begin), []byte(end)); !c.Exact || generators()[Generator] != want {
		t.Errorf("policy.sh has changed: raise Generator, and add its digest %s to generators", want)
	}
	if len(generators()) != Generator {
		t.Errorf("there are %d digests of %d generators", len(generators()), Generator)
	}
}

// What Compile writes is read back, whatever the policy, and the published script is in it byte for byte.
func TestCompiledReadsBack(t *testing.T) {
	body := read(t, "mapped.sh")
	for name, p := range map[string]price.Policy{"nothing": {}, "everything": everything(), "a minimum": {Minimum: "0.000001"}} {
		text := compiled(t, p, body)
		c, ok := ReadCompiled(text)
		if !ok || !c.Exact || c.Version != price.Newest {
			t.Fatalf("%s: %+v, %t", name, c, ok)
		}
		if diff := cmp.Diff(p, c.Policy); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
		if !strings.HasSuffix(string(text), publishedMark+string(body)) {
			t.Errorf("%s: the published script is not as it was", name)
		}
		r := Recognise(text, knownScript(body, price.Feb04ACT))
		if !r.Known || r.Version != price.Feb04ACT || r.Policy == nil || r.SHA256 != digest(text) {
			t.Errorf("%s: recognised as %+v", name, r)
		}
		if line := lines(text)[r.Targets[0].Line-1]; !strings.HasPrefix(line, "TARGET_CPU=") {
			t.Errorf("%s: the first target stands in line %d, %q", name, r.Targets[0].Line, line)
		}
	}
}

// A preamble that somebody changed is not known, and a text that only looks compiled is none.
func TestCompiledByOthers(t *testing.T) {
	body := read(t, "mapped.sh")
	text := string(compiled(t, everything(), body))
	for _, test := range []struct {
		name, old, text string
		read, exact     bool
	}{
		{"as it is", "", "", true, true},
		{"a newer generator", "# upkeep policy 1,", "# upkeep policy 2,", true, false},
		{"another filter", `"the order asks for no GPU"`, `""`, true, false},
		{"a command more", "  order=$(cat)\n", "  order=$(cat)\n  curl example.net\n", true, false},
		{"another minimum", `"minimum":"2.5"`, `"minimum":"1"`, true, true},
		{"a minimum that is none", `"minimum":"2.5"`, `"minimum":"2.5; curl"`, false, false},
		{"a policy in other words", `"minimum":"2.5"`, `"minimum": "2.5"`, false, false},
		{"a key more", `"minimum":"2.5"`, `"minimum":"2.5","more":1`, false, false},
		{"an account that is none", bob, "akash1x", false, false},
		{"another published script", "TARGET_CPU=", "TARGET_GPU=", false, false},
		{"another first line", "# upkeep policy 1,", "# upkeep  policy 1,", false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if !strings.Contains(text, test.old) {
				t.Fatalf("there is no %q", test.old)
			}
			c, ok := ReadCompiled([]byte(strings.Replace(text, test.old, test.text, 1)))
			if ok != test.read || c.Exact != test.exact {
				t.Errorf("read %t, exact %t", ok, c.Exact)
			}
		})
	}
}

func TestSamePolicy(t *testing.T) {
	body := read(t, "mapped.sh")
	text := string(compiled(t, everything(), body))
	newer := strings.Replace(text, "# upkeep policy 1,", "# upkeep policy 7,", 1)
	if !SamePolicy([]byte(newer), []byte(text)) {
		t.Error("another generator is another policy")
	}
	if SamePolicy([]byte(strings.Replace(text, "  order=$(cat)\n", "  order=$(cat)\n  curl example.net\n", 1)), []byte(text)) {
		t.Error("a preamble that somebody changed is the same policy")
	}
	for name, other := range map[string][]byte{
		"another policy": compiled(t, price.Policy{GPUOnly: true}, body), "another script": compiled(t, everything(), read(t, "literal.sh")), "no policy": body,
	} {
		if SamePolicy([]byte(text), other) {
			t.Errorf("%s is the same", name)
		}
	}
}

func TestCompileRefusesNames(t *testing.T) {
	for _, bad := range []price.Policy{
		{Minimum: "1e5"}, {Minimum: "-1"}, {Minimum: "$(id)"},
		{Deny: price.Names{Accounts: []string{"akash1\nUPKEEP_POLICY\nid\n"}}},
		{Allow: price.Names{Models: []string{"*"}}}, {Deny: price.Names{Models: []string{"t4", "a100"}}}, {Deny: price.Names{Models: []string{alice}}},
	} {
		if _, err := Compile(bad, price.Newest, nil); err == nil {
			t.Errorf("%+v compiles", bad)
		}
	}
}

// The preamble is clean by shellcheck, with every policy.
func TestPreambleIsCleanByShellcheck(t *testing.T) {
	program := scripttools.Program(t, "shellcheck")
	for name, p := range map[string]price.Policy{"nothing": {}, "everything": everything()} {
		file := t.TempDir() + "/policy.sh"
		if err := os.WriteFile(file, compiled(t, p, nil), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), program, "--severity=style", file).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// Every version of the script that can be asked for by name has a digest and an address of its own.
func TestPublishedScripts(t *testing.T) {
	seen := map[string]bool{}
	for _, v := range price.Versions() {
		p, ok := PublishedAs(v)
		if !ok || len(p.SHA256) != 64 || len(p.Revision) != 40 || seen[p.SHA256] || seen[p.Revision] {
			t.Errorf("%s: %+v, %t", v, p, ok)
		}
		seen[p.SHA256], seen[p.Revision] = true, true
		if found, ok := PublishedWith(p.SHA256); !ok || found.Version != v {
			t.Errorf("%s is found as %+v", v, found)
		}
		if want := fmt.Sprintf("https://raw.githubusercontent.com/akash-network/helm-charts/%s/charts/akash-provider/scripts/price_script_generic.sh", p.Revision); p.URL() != want {
			t.Errorf("%s stands at %s", v, p.URL())
		}
	}
	if _, ok := PublishedWith(digest(nil)); ok {
		t.Error("an empty script is published")
	}
}

func FuzzReadCompiled(f *testing.F) {
	f.Add(compiled(f, everything(), []byte("echo 1\n")))
	f.Add(compiled(f, price.Policy{}, nil))
	f.Add([]byte("#!/bin/bash\n# upkeep policy 1, bid script x, sha256 " + digest(nil) + "\n" + policyBegin + "{}" + policyEnd + publishedMark))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, ok := ReadCompiled(text)
		if !ok {
			return
		}
		if err := c.Policy.Check(); err != nil {
			t.Fatal(err)
		}
		if !c.Exact || c.Generator != Generator {
			return
		}
		again, err := Compile(c.Policy, c.Version, c.Published)
		if err != nil || string(again) != string(text) {
			t.Fatalf("an exact text is written otherwise: %v", err)
		}
	})
}
