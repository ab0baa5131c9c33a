package kube

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A kubeconfig that hands its credentials to whoever answers says so in its facts.
func TestInsecureKubeconfigs(t *testing.T) {
	for name, test := range map[string]struct{ server, cluster, user, want string }{
		"safe":                  {"https://10.0.0.11:6443", "", "token: t", ""},
		"nobody is verified":    {"https://10.0.0.11:6443", "insecure-skip-tls-verify: true", "token: t", "insecure-skip-tls-verify is set"},
		"no TLS and a token":    {"http://10.0.0.11:8080", "", "token: t", "by http://, and the user has a credential"},
		"no TLS and a password": {"http://10.0.0.11:8080", "", "username: u\n    password: p", "by http://, and the user has a credential"},
		"no TLS and a program":  {"http://10.0.0.11:8080", "", "exec: {apiVersion: client.authentication.k8s.io/v1, command: \"true\", interactiveMode: Never}", "by http://, and the user has a credential"},
		"no TLS, no credential": {"http://127.0.0.1:8001", "", "{}", ""},
		"a password in the URL": {"https://u:p@10.0.0.11:6443", "", "token: t", "holds a user and a password"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "config")
			text := "apiVersion: v1\nkind: Config\ncurrent-context: x\nclusters:\n- name: x\n  cluster:\n    server: " + test.server + "\n    " + test.cluster +
				"\ncontexts:\n- name: x\n  context: {cluster: x, user: x}\nusers:\n- name: x\n  user:\n    " + test.user + "\n"
			if strings.HasSuffix(test.user, "{}") {
				text = strings.Replace(text, "user:\n    {}", "user: {}", 1)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			client, err := Open(path, "")
			if err != nil {
				t.Fatal(err)
			}
			got := client.kubeconfigFacts().Insecure
			if test.want == "" && got != "" || !strings.Contains(got, test.want) {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}
