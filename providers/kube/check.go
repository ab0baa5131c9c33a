package kube

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/yaml"

	"upkeep/providers"
	"upkeep/providers/bounded"
)

// Problem is what is wrong with a kubeconfig. No text of it holds a credential.
type Problem struct {
	// Argument is the one that the problem is about: "kubeconfig" or "context".
	Argument string
	// Text is a sentence without its stop, and Next what to do, without its stop, too. Command does so; empty where no
	// single command does.
	Text, Next, Command string
	// Missing: there is no kubeconfig, which another machine may have.
	Missing bool
}

func (p *Problem) Error() string {
	switch {
	case p.Next == "":
		return p.Text
	case p.Command == "":
		return p.Text + ". " + p.Next
	}
	return p.Text + ". " + p.Next + ": `" + p.Command + "`"
}

// Unwrap makes errors.Is(err, fs.ErrNotExist) hold for a kubeconfig that is not there.
func (p *Problem) Unwrap() error {
	if p.Missing {
		return fs.ErrNotExist
	}
	return nil
}

// Check says what is wrong with a kubeconfig: with the file, and with all that the context says of the cluster and its
// user. It connects to nothing and runs nothing. An empty context means the file's current one. What other contexts
// say is nobody's problem, as for kubectl.
func Check(path, context string) []Problem {
	raw, err := read(path)
	if err != nil {
		return []Problem{*err}
	}
	at := configPath(path)
	chosen, err := at.choose(raw, context)
	if err != nil {
		return []Problem{*err}
	}
	problems := append(at.clusterProblems(chosen), at.userProblems(chosen)...)
	if context == "" {
		context = raw.CurrentContext
	}
	if err := clientcmd.ConfirmUsable(*raw, context); err != nil && len(problems) == 0 {
		problems = append(problems, *at.problem(advice{next: "Name a kubeconfig that kubectl reads"},
			"is refused by kubectl: %s", err))
	}
	return problems
}

// configPath is the path of a kubeconfig.
type configPath string

// selected is what a context selects. user is nil where the context has none.
type selected struct {
	clusterName, userName string
	cluster               *clientcmdapi.Cluster
	user                  *clientcmdapi.AuthInfo
}

// advice is what to do, and the command that does so.
type advice struct{ next, command string }

func (k configPath) problem(do advice, format string, args ...any) *Problem {
	text := "kubeconfig " + string(k) + " " + fmt.Sprintf(format, args...)
	return &Problem{Argument: "kubeconfig", Text: text, Next: do.next, Command: do.command}
}

// another is the advice where a kubeconfig cannot be repaired by one command.
func (k configPath) another() advice {
	return advice{
		"Get a kubeconfig from a control plane", "scp root@HOST:/etc/kubernetes/admin.conf " + providers.ShellWord(string(k)),
	}
}

// config is the advice to run a command of `kubectl config`.
func (k configPath) config(next string, words ...string) advice {
	command := "kubectl --kubeconfig " + providers.ShellWord(string(k)) + " config"
	for _, word := range words {
		command += " " + providers.ShellWord(word)
	}
	return advice{next, command}
}

// read reads a kubeconfig, and looks at the kind and size of the files that the kubeconfig names. Their paths are
// relative to the kubeconfig, as for kubectl.
func read(path string) (*clientcmdapi.Config, *Problem) {
	k, other := configPath(path), advice{next: "Name a kubeconfig that kubectl reads"}
	text, err := bounded.File(path, bounded.Text)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		missing := k.problem(advice{}, "does not exist; write its path as cluster.kubeconfig")
		missing.Missing = true
		return nil, missing
	case err != nil:
		return nil, &Problem{Argument: "kubeconfig", Text: fmt.Sprintf("reading the kubeconfig: %s", err), Next: other.next}
	case strings.TrimSpace(string(text)) == "":
		return nil, k.problem(k.another(), "is empty")
	}
	if problem := k.twice(text); problem != nil {
		return nil, problem
	}
	raw, err := clientcmd.LoadFromFile(path)
	if err != nil {
		return nil, &Problem{
			Argument: "kubeconfig", Text: fmt.Sprintf("reading kubeconfig %s: %s", path, err), Next: other.next,
		}
	}
	if len(raw.Clusters) == 0 {
		return nil, k.problem(k.another(), "names no cluster")
	}
	if err := clientcmd.ResolveLocalPaths(raw); err != nil {
		return nil, k.problem(advice{next: "Write absolute paths into the kubeconfig"},
			"names files that cannot be found: %s", err)
	}
	for _, named := range filesOf(raw) {
		if err := bounded.Check(named, bounded.Keys); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, k.problem(advice{next: "Name the right file in the kubeconfig"},
				"names a file that cannot be read: %s", err)
		}
	}
	return raw, nil
}

// twice refuses keys and names that stand twice: which of the two counts is for each reader to choose. client-go's
// own error would print the users.
func (k configPath) twice(text []byte) *Problem {
	if _, err := yaml.YAMLToJSON(text); err != nil {
		return nil // no YAML: client-go says so
	}
	next := advice{next: "Remove one of the two"}
	if _, err := yaml.YAMLToJSONStrict(text); err != nil {
		return k.problem(next,
			"has a key twice: %s", strings.TrimPrefix(strings.Join(strings.Fields(err.Error()), " "), "yaml: "))
	}
	type named []struct {
		Name string `json:"name"`
	}
	var lists struct {
		Clusters named `json:"clusters"`
		Contexts named `json:"contexts"`
		Users    named `json:"users"`
	}
	if yaml.Unmarshal(text, &lists) != nil {
		return nil // client-go says what is wrong
	}
	for _, list := range []struct {
		kind  string
		names named
	}{{"cluster", lists.Clusters}, {"context", lists.Contexts}, {"user", lists.Users}} {
		seen := map[string]bool{}
		for _, entry := range list.names {
			if seen[entry.Name] {
				return k.problem(next, "has the %s %q twice", list.kind, entry.Name)
			}
			seen[entry.Name] = true
		}
	}
	return nil
}

// choose returns what a context selects.
func (k configPath) choose(raw *clientcmdapi.Config, context string) (selected, *Problem) {
	argument, list := "context", k.config("List its contexts", "get-contexts")
	if context == "" {
		if argument = "kubeconfig"; raw.CurrentContext == "" {
			return selected{}, k.problem(
				k.config("Write `context` into the block `cluster`; its contexts are listed by", "get-contexts"),
				"has no current context")
		}
		context = raw.CurrentContext
	}
	named := raw.Contexts[context]
	if named == nil {
		problem := k.problem(list, "has no context %q", context)
		problem.Argument = argument
		return selected{}, problem
	}
	out := selected{
		clusterName: named.Cluster, userName: named.AuthInfo,
		cluster: raw.Clusters[named.Cluster], user: raw.AuthInfos[named.AuthInfo],
	}
	if out.cluster == nil {
		return out, k.problem(k.config("Name a cluster of the file", "set-context", context, "--cluster=NAME"),
			"has no cluster %q, which the context %q names", named.Cluster, context)
	}
	if out.user == nil && named.AuthInfo != "" {
		return out, k.problem(k.config("Name a user of the file", "set-context", context, "--user=NAME"),
			"has no user %q, which the context %q names", named.AuthInfo, context)
	}
	what := serverProblem(out.cluster.Server)
	if what != "" {
		return out, k.problem(
			k.config("Write the address of the API server", "set-cluster", out.clusterName, "--server=https://HOST:6443"),
			"has a server that %s, in the cluster %q", what, out.clusterName)
	}
	if proxy, err := url.Parse(out.cluster.ProxyURL); out.cluster.ProxyURL != "" && (err != nil || proxy.Host == "") {
		return out, k.problem(
			k.config("Write the address of the proxy", "set-cluster", out.clusterName, "--proxy-url=http://HOST:PORT"),
			"has a proxy-url that is not a URL, in the cluster %q", out.clusterName)
	}
	return out, nil
}

// serverProblem says why a text is no address of an API server; empty where it is one. The text may hold a password,
// so that nothing of it is told but the scheme.
func serverProblem(server string) string {
	if server == "" {
		return "is not set"
	}
	parsed, err := url.Parse(server)
	scheme, _, has := strings.Cut(server, "://")
	switch {
	case !has:
		return "has no scheme, https://"
	case err != nil:
		return "is not a URL"
	case parsed.Scheme != "https" && parsed.Scheme != "http":
		return fmt.Sprintf("begins with %q, not https://", scheme+"://")
	case parsed.Hostname() == "":
		return "names no host"
	}
	return ""
}

// clusterProblems says what is wrong with the cluster that is chosen.
func (k configPath) clusterProblems(chosen selected) (problems []Problem) {
	c := chosen.cluster
	if server, err := url.Parse(c.Server); err == nil && server.User != nil {
		problems = append(problems, *k.problem(
			k.config("Remove them from the URL", "set-cluster", chosen.clusterName, "--server="+server.Scheme+"://"+server.Host),
			"has a server whose URL holds a user or a password, in the cluster %q", chosen.clusterName))
	}
	authority := k.config("Embed the CA of the cluster, which control planes have as /etc/kubernetes/pki/ca.crt",
		"set-cluster", chosen.clusterName, "--certificate-authority=ca.crt", "--embed-certs=true")
	data, err := c.CertificateAuthorityData, error(nil)
	field := "certificate-authority-data"
	if len(data) == 0 && c.CertificateAuthority != "" {
		field = "certificate-authority"
		data, err = bounded.File(c.CertificateAuthority, bounded.Keys)
	}
	named := len(data) > 0 || c.CertificateAuthority != ""
	switch {
	case err != nil:
		problems = append(problems, *k.problem(authority, "names a certificate-authority that cannot be read: %s", err))
	case named && c.InsecureSkipTLSVerify:
		problems = append(problems, *k.problem(
			k.config("Verify the server", "set-cluster", chosen.clusterName, "--insecure-skip-tls-verify=false"),
			"has a CA and insecure-skip-tls-verify, in the cluster %q", chosen.clusterName))
	case named && len(certificates(data)) == 0:
		problems = append(problems, *k.problem(authority,
			"has no certificate in %s of the cluster %q: %s", field, chosen.clusterName, notPEM(data)))
	}
	return problems
}

// userProblems says what is wrong with the user that is chosen.
func (k configPath) userProblems(chosen selected) (problems []Problem) {
	u := chosen.user
	if u == nil {
		return nil
	}
	if u.Token == "" && u.TokenFile != "" {
		if _, err := bounded.File(u.TokenFile, bounded.Keys); err != nil {
			problems = append(problems, *k.problem(
				k.config("Name the file of the token", "set", "users."+chosen.userName+".tokenFile", "FILE"),
				"names a tokenFile that cannot be read: %s", err))
		}
	}
	if u.Exec != nil && u.Exec.Command == "" {
		problems = append(problems, *k.problem(
			k.config("Name the program", "set-credentials", chosen.userName, "--exec-command=PROGRAM"),
			"has a user %q whose exec names no command", chosen.userName))
	}
	embed := k.config("Embed the certificate and its key",
		"set-credentials", chosen.userName, "--client-certificate=FILE", "--client-key=FILE", "--embed-certs=true")
	read := func(data []byte, file, field string) []byte {
		var err error
		if name := field; len(data) == 0 && file != "" {
			if data, err = bounded.File(file, bounded.Keys); err != nil {
				problems = append(problems, *k.problem(embed, "names a %s that cannot be read: %s", name, err))
				return nil
			}
		} else if field += "-data"; len(data) == 0 {
			return nil
		}
		if block, _ := pem.Decode(data); block == nil {
			problems = append(problems, *k.problem(embed,
				"has no PEM in %s of the user %q: %s", field, chosen.userName, notPEM(data)))
			return nil
		}
		return data
	}
	before := len(problems)
	certificate := read(u.ClientCertificateData, u.ClientCertificate, "client-certificate")
	key := read(u.ClientKeyData, u.ClientKey, "client-key")
	switch {
	case len(problems) > before, certificate == nil && key == nil:
	case key == nil:
		problems = append(problems, *k.problem(embed,
			"has a client certificate without its key, of the user %q", chosen.userName))
	case certificate == nil:
		problems = append(problems, *k.problem(embed,
			"has a client key without its certificate, of the user %q", chosen.userName))
	default:
		if _, err := tls.X509KeyPair(certificate, key); err != nil {
			problems = append(problems, *k.problem(embed,
				"has a client certificate and a key that do not fit, of the user %q: %s", chosen.userName, err))
		}
	}
	return problems
}

// notPEM says what stands where PEM is expected.
func notPEM(data []byte) string {
	switch block, _ := pem.Decode(data); {
	case len(strings.TrimSpace(string(data))) == 0:
		return "it is empty"
	case block == nil:
		return "it is not PEM"
	case block.Type != "CERTIFICATE":
		return fmt.Sprintf("it holds a %q", block.Type)
	}
	return "its certificate cannot be parsed"
}
