package pki_test

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	fixture "upkeep/fixtures/pki"
	"upkeep/providers/node/agent/pki"
)

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

const handmade = `# made by hand; keep this comment
apiVersion: v1
kind: Config
current-context: b
contexts:
- {name: a, context: {cluster: one, user: alice}}
- {name: b, context: {cluster: two, user: bob, namespace: tools}}
clusters:
- {name: one, cluster: {server: "https://one:6443", insecure-skip-tls-verify: true}}
- name: two
  cluster:
    server: https://two:6443 # behind the balancer
    certificate-authority-data: QSBidW5kbGUgb2YgQ0Fz
users:
- {name: alice, user: {token: "s3cr3t"}}
- name: bob
  user:
    client-certificate-data: b2xkLWNlcnQ=
    client-key-data: b2xkLWtleQ==
`

func TestWithClientKeepsEverythingElse(t *testing.T) {
	config, err := pki.ParseKubeconfig([]byte(handmade))
	if err != nil {
		t.Fatal(err)
	}
	if config.Server != "https://two:6443" || string(config.Certificate) != "old-cert" || string(config.Authorities) != "A bundle of CAs" {
		t.Errorf("read %q %q %q", config.Server, config.Certificate, config.Authorities)
	}
	got, err := config.WithClient([]byte("new-cert"), []byte("new-key"))
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer(b64("old-cert"), b64("new-cert"), b64("old-key"), b64("new-key")).Replace(handmade)
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestWithClientWritesAnewWhereTextCannotBeExchanged(t *testing.T) {
	// The same certificate stands twice, and the key is folded.
	text := strings.Replace(handmade, `{token: "s3cr3t"}`, `{client-certificate-data: b2xkLWNlcnQ=}`, 1)
	text = strings.Replace(text, "b2xkLWtleQ==", "\"b2xkLW\\\n      tleQ==\"", 1)
	config, err := pki.ParseKubeconfig([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	got, err := config.WithClient([]byte("new-cert"), []byte("new-key"))
	if err != nil {
		t.Fatal(err)
	}
	var before, after map[string]any
	if err := yaml.Unmarshal([]byte(text), &before); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(got, &after); err != nil {
		t.Fatal(err)
	}
	bob := before["users"].([]any)[1].(map[string]any)["user"].(map[string]any)
	bob["client-certificate-data"], bob["client-key-data"] = b64("new-cert"), b64("new-key")
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestKubeconfigsThatCannotBeUsed(t *testing.T) {
	for _, c := range []struct{ name, old, new, want string }{
		{"no YAML", "apiVersion: v1", "a: b: c", "cannot be parsed"},
		{"a key twice", "apiVersion: v1", "apiVersion: v1\napiVersion: v1", `the key "apiVersion" stands twice`},
		{"a certificate twice", "client-certificate-data: b2xkLWNlcnQ=", "client-certificate-data: b2xkLWNlcnQ=\n    client-certificate-data: b2xkLWNlcnQ=", `stands twice`},
		{"no context", "current-context: b", "current-context: z", `no context "z"`},
		{"no current context", "current-context: b", "", "no current-context"},
		{"no cluster", "name: two", "name: three", `no cluster "two"`},
		{"no user", "name: bob", "name: carol", `no user "bob"`},
		{"not base64", "b2xkLWNlcnQ=", "%%%%", "not base64"},
		{"certificate in a file", "client-certificate-data: b2xkLWNlcnQ=", "client-certificate: /x.pem", "file of its own"},
		{"token only", "client-certificate-data: b2xkLWNlcnQ=", "token: abc", "no client certificate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := pki.ParseKubeconfig([]byte(strings.Replace(handmade, c.old, c.new, 1)))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want it to say %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "b2xk") {
				t.Errorf("the error quotes the file: %v", err)
			}
		})
	}
}

func FuzzKubeconfig(f *testing.F) {
	f.Add([]byte(handmade))
	f.Add([]byte("users: [{name: x, user: null}]\ncurrent-context: x\ncontexts: [{name: x, context: {user: x}}]"))
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		config, err := pki.ParseKubeconfig(text)
		if err != nil {
			return
		}
		replaced, err := config.WithClient([]byte("new-cert"), []byte("new-key"))
		if err != nil {
			t.Fatalf("readable, but not replaceable: %v", err)
		}
		again, err := pki.ParseKubeconfig(replaced)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, replaced)
		}
		if string(again.Certificate) != "new-cert" || string(again.Key) != "new-key" || again.Server != config.Server ||
			!bytes.Equal(again.Authorities, config.Authorities) {
			t.Fatalf("written %q, read %+v", replaced, again)
		}
	})
}

func FuzzParsePEM(f *testing.F) {
	made, err := fixture.NewKubeadmTree(f.TempDir(), fixture.Options{Now: now})
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range []string{"pki/ca.crt", "pki/ca.key", "admin.conf"} {
		text, err := os.ReadFile(filepath.Join(made.Dir, "etc/kubernetes", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		certs, err := pki.ParseCertificates(data)
		if (err == nil) == (len(certs) == 0) {
			t.Fatalf("%d certificates and error %v", len(certs), err)
		}
		for _, c := range certs {
			if d := pki.Describe(c); d.Serial == "" || len(d.SHA256) != 64 {
				t.Fatalf("described as %+v", d)
			}
		}
		if key, err := pki.ParseKey(data); (err == nil) == (key == nil) {
			t.Fatalf("key %v and error %v", key != nil, err)
		}
	})
}
