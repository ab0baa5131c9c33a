package kube

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sound is a kubeconfig that nothing is wrong with; tests change one line of it.
const sound = `apiVersion: v1
kind: Config
current-context: x
clusters:
- name: c
  cluster:
    server: https://10.0.0.11:6443
    certificate-authority-data: CA
contexts:
- name: x
  context: {cluster: c, user: u}
users:
- name: u
  user:
    client-certificate-data: CERT
    client-key-data: KEY
`

// expiredPair makes a certificate that has ended, signed by itself, and its key.
func expiredPair(t *testing.T) (certificate, key []byte) {
	t.Helper()
	made, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(-time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, made.Public(), made)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(made)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

// TestCheck breaks a kubeconfig in every way that a person or a half-written file breaks it. Each has a sentence, and
// none tells a credential.
func TestCheck(t *testing.T) {
	ca, key := expiredPair(t) // kubectl reads an expired one, too
	_, anothersKey := expiredPair(t)
	encode := func(pem []byte) string { return base64.StdEncoding.EncodeToString(pem) }
	fill := strings.NewReplacer(": CA\n", ": "+encode(ca)+"\n", ": CERT\n", ": "+encode(ca)+"\n", ": KEY\n", ": "+encode(key)+"\n")
	edit := func(old, made string) string {
		if !strings.Contains(sound, old) {
			t.Fatalf("%q is not in the kubeconfig", old)
		}
		return fill.Replace(strings.Replace(sound, old, made, 1))
	}
	const secret = "s3cr3t-of-nobody"
	for name, test := range map[string]struct {
		text, context string
		want          []string // parts of the problems, in order
		command       string   // part of the last one's
		argument      string   // "kubeconfig" where empty
	}{
		"sound":              {text: edit("x", "x")},
		"by its name":        {text: edit("current-context: x\n", ""), context: "x"},
		"what is not chosen": {text: edit("users:\n", "users:\n- name: v\n  user: {tokenFile: /absent}\n")},
		"empty":              {text: "", want: []string{"is empty"}, command: "scp root@HOST:/etc/kubernetes/admin.conf"},
		"blank":              {text: " \n\n", want: []string{"is empty"}},
		"zeroes":             {text: string(make([]byte, 512)), want: []string{"reading kubeconfig"}},
		"cut":                {text: edit("x", "x")[:60], want: []string{"reading kubeconfig"}},
		"no cluster":         {text: "apiVersion: v1\nkind: Config\n", want: []string{"names no cluster"}},
		"no YAML":            {text: "{{{ " + secret, want: []string{"reading kubeconfig"}},
		"not base64":         {text: edit("CA\n", "'%%'\n"), want: []string{"reading kubeconfig"}},
		"a key twice":        {text: edit("    server:", "    server: https://10.0.0.12:6443\n    server:"), want: []string{"has a key twice", "already set"}},
		"a user twice":       {text: edit("users:\n", "users:\n- name: u\n  user: {token: "+secret+"}\n"), want: []string{`has the user "u" twice`}},
		"a cluster twice":    {text: edit("clusters:\n", "clusters:\n- name: c\n  cluster: {server: https://10.0.0.12}\n"), want: []string{`has the cluster "c" twice`}},
		"a context twice":    {text: edit("contexts:\n", "contexts:\n- name: x\n  context: {cluster: c, user: u}\n"), want: []string{`has the context "x" twice`}},
		"no context":         {text: edit("current-context: x\n", ""), want: []string{"has no current context"}, command: "config get-contexts"},
		"current is not":     {text: edit("current-context: x", "current-context: z"), want: []string{`has no context "z"`}, command: "config get-contexts"},
		"context is not":     {text: edit("x", "x"), context: "y", want: []string{`has no context "y"`}, argument: "context"},
		"cluster is not":     {text: edit("cluster: c,", "cluster: d,"), want: []string{`has no cluster "d", which the context "x" names`}, command: "config set-context x --cluster=NAME"},
		"user is not":        {text: edit("user: u}", "user: w}"), want: []string{`has no user "w", which the context "x" names`}, command: "config set-context x --user=NAME"},
		"no server":          {text: edit("    server: https://10.0.0.11:6443\n", ""), want: []string{"has a server that is not set"}, command: "config set-cluster c --server=https://HOST:6443"},
		"no scheme":          {text: edit("https://10.0.0.11:6443", "10.0.0.11:6443"), want: []string{"has no scheme"}},
		"only a name":        {text: edit("https://10.0.0.11:6443", "kube.example"), want: []string{"has no scheme"}},
		"ftp":                {text: edit("https://", "ftp://"), want: []string{`begins with "ftp://"`}},
		"no host":            {text: edit("https://10.0.0.11:6443", "https://:6443"), want: []string{"names no host"}},
		"no URL":             {text: edit("https://10.0.0.11:6443", "https://u:"+secret+"@[::1"), want: []string{"is not a URL"}},
		"a port of words":    {text: edit("https://10.0.0.11:6443", "https://u:"+secret+"@cp1:six"), want: []string{"is not a URL"}},
		"a password":         {text: edit("https://10", "https://u:"+secret+"@10"), want: []string{"holds a user or a password"}, command: "--server=https://10.0.0.11:6443"},
		"a user":             {text: edit("https://10", "https://"+secret+"@10"), want: []string{"holds a user or a password"}},
		"a proxy":            {text: edit("    server:", "    proxy-url: \"http://u:"+secret+"@[\"\n    server:"), want: []string{"proxy-url that is not a URL"}},
		"a CA without PEM":   {text: edit("CA\n", encode([]byte(secret))+"\n"), want: []string{"has no certificate in certificate-authority-data", "not PEM"}, command: "config set-cluster c --certificate-authority=ca.crt --embed-certs=true"},
		"a key for a CA":     {text: edit("CA\n", encode(key)+"\n"), want: []string{"it holds a"}},
		"a torn CA":          {text: edit("CA\n", encode([]byte("-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n"))+"\n"), want: []string{"cannot be parsed"}},
		"a CA is not there":  {text: edit("certificate-authority-data: CA", "certificate-authority: absent.crt"), want: []string{"certificate-authority that cannot be read", "absent.crt"}},
		"an empty CA file":   {text: edit("certificate-authority-data: CA", "certificate-authority: empty.crt"), want: []string{"certificate-authority of the cluster", "it is empty"}},
		"a CA beside it":     {text: edit("certificate-authority-data: CA", "certificate-authority: ca.crt")},
		"CA and insecure":    {text: edit("    server:", "    insecure-skip-tls-verify: true\n    server:"), want: []string{"has a CA and insecure-skip-tls-verify"}},
		"cert without PEM":   {text: edit("CERT", encode([]byte(secret))), want: []string{"has no PEM in client-certificate-data"}, command: "config set-credentials u --client-certificate=FILE"},
		"key without PEM":    {text: edit("KEY", encode([]byte(secret))), want: []string{"has no PEM in client-key-data"}},
		"no key":             {text: edit("    client-key-data: KEY\n", ""), want: []string{"without its key"}},
		"no certificate":     {text: edit("    client-certificate-data: CERT\n", ""), want: []string{"without its certificate"}},
		"another's key":      {text: strings.Replace(edit("KEY", "THE_KEY"), "THE_KEY", encode(anothersKey), 1), want: []string{"do not fit"}},
		"cert is not there":  {text: edit("client-certificate-data: CERT", "client-certificate: absent.crt"), want: []string{"client-certificate that cannot be read"}},
		"token is not there": {text: edit("  user:\n", "  user:\n    tokenFile: absent\n"), want: []string{"tokenFile that cannot be read"}, command: "config set users.u.tokenFile FILE"},
		"no program":         {text: edit("  user:\n", "  user:\n    exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never}\n"), want: []string{"exec names no command"}},
		"CA twice":           {text: edit("    certificate-authority-data", "    certificate-authority: ca.crt\n    certificate-authority-data"), want: []string{"is refused by kubectl"}},
		"two mistakes":       {text: strings.Replace(edit("CA\n", encode([]byte(secret))+"\n"), "    client-key-data", "    x-data", 1), want: []string{"has no certificate in", "without its key"}},
	} {
		t.Run(name, func(t *testing.T) {
			directory := t.TempDir()
			path := filepath.Join(directory, "config")
			for file, text := range map[string]string{"config": test.text, "ca.crt": string(ca), "empty.crt": ""} {
				if err := os.WriteFile(filepath.Join(directory, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			problems := Check(path, test.context)
			all := ""
			for _, p := range problems {
				all += p.Error() + "\n"
				if want := test.argument; p.Argument != want && (want != "" || p.Argument != "kubeconfig") {
					t.Errorf("it is about %q", p.Argument)
				}
				if p.Text == "" || p.Next == "" || p.Missing {
					t.Errorf("no way out: %+v", p)
				}
			}
			if len(test.want) == 0 && len(problems) > 0 || len(test.want) > 0 && len(problems) == 0 {
				t.Fatalf("%d problems: %s", len(problems), all)
			}
			for _, want := range test.want {
				if !strings.Contains(all, want) {
					t.Errorf("no %q in %s", want, all)
				}
			}
			if test.command != "" && !strings.Contains(problems[len(problems)-1].Command, test.command) {
				t.Errorf("to run is %q, want %q", problems[len(problems)-1].Command, test.command)
			}
			if strings.Contains(all, secret) || strings.Contains(all, encode([]byte(secret))) {
				t.Errorf("the secret stands in %s", all)
			}
			// Open refuses nothing that Check passes.
			if _, err := Open(path, test.context); err != nil && len(problems) == 0 {
				t.Errorf("Open: %v", err)
			} else if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("the secret stands in %v", err)
			}
		})
	}
}

// A kubeconfig that is not there is told apart: another machine may have it.
func TestCheckMissing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "absent")
	problems := Check(path, "")
	if len(problems) != 1 || !problems[0].Missing || !errors.Is(&problems[0], fs.ErrNotExist) {
		t.Fatalf("%+v", problems)
	}
	want := "kubeconfig " + path + " does not exist; write its path as cluster.kubeconfig"
	if diff := cmp.Diff(want, problems[0].Error()); diff != "" {
		t.Error(diff)
	}
}
