package acceptance

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

// measuredDrift is what this part reads of `upkeep drift -json`.
type measuredDrift struct {
	Findings findings  `json:"findings"`
	Unknown  []unknown `json:"unknown"`
	Warnings []string  `json:"warnings"`
}

func (d measuredDrift) summary(id string) string {
	for _, f := range d.Findings {
		if f.ID == id {
			return f.Summary
		}
	}
	return ""
}

// testEarnings asks a running pod what only the pod can tell: the pod of the lab runs the price script with bash, jq and bc, and
// answers as the provider's client and its RPC node do. Each fault is made in the pod, and the one finding names its cause.
func testEarnings(t *testing.T, s *suite) {
	repository := s.serveCharts(t)
	s.provider(t, repository)
	d := providerDirectory{s.directory(t), repository}
	d.declare(t, "6.0.5", 1.60, 120)
	// The proof of the upgrade measures the pod that the upgrade leaves.
	d.run(t, "apply", "-auto-approve").want(t, 0)

	t.Run("not asked is not measured", func(t *testing.T) {
		found := d.measuredDrift(t)
		if text := strings.Join(found.Warnings, "\n"); !strings.Contains(text, "upkeep drift -measure-in-pod") || len(found.Unknown) > 0 {
			t.Errorf("warnings %q, unknown %+v", found.Warnings, found.Unknown)
		}
	})
	t.Run("all is well", func(t *testing.T) {
		found := d.measuredDrift(t, "-measure-in-pod")
		for _, id := range []string{"PROVIDER_NOT_BIDDING", "PROVIDER_BALANCE_LOW", "PROVIDER_POD_UNKNOWN", "PRICE_DIFFERS_IN_POD"} {
			if text := found.summary(id); text != "" {
				t.Errorf("%s: %s", id, text)
			}
		}
		if len(found.Unknown) > 0 {
			t.Errorf("unknown: %+v", found.Unknown)
		}
		d.leavesNothing(t)
	})
	t.Run("the answers are those of the real script", func(t *testing.T) {
		facts := filepath.Join(d.path, "facts.json")
		if r := d.run(t, "observe", "-measure-in-pod", "-out="+facts); r.code > 1 {
			t.Fatalf("exit %d\n%s", r.code, r.stderr)
		}
		var recorded struct {
			World struct {
				Releases map[string]struct {
					Measured struct {
						Price struct {
							JQ      string `json:"jq"`
							Answers []struct {
								Stdout   string `json:"stdout"`
								Stderr   string `json:"stderr"`
								ExitCode int    `json:"exit_code"`
							} `json:"answers"`
						} `json:"price"`
					} `json:"measured"`
				} `json:"releases"`
			} `json:"world"`
		}
		if err := json.Unmarshal(readFile(t, facts), &recorded); err != nil {
			t.Fatal(err)
		}
		price := recorded.World.Releases[providerNamespace+"/"+providerRelease].Measured.Price
		// mapped.sh prices GPUs alone, at 100 each: none, one, and two for each of two replicas.
		want := []string{"0.000000", "100.000000", "400.000000"}
		if len(price.Answers) != len(want) || !strings.HasPrefix(price.JQ, "jq-") {
			t.Fatalf("measured %+v", price)
		}
		for i, answer := range price.Answers {
			if answer.Stdout != want[i] || answer.ExitCode != 0 {
				t.Errorf("order %d: %+v, want %s", i+1, answer, want[i])
			}
		}
	})
	t.Run("an empty account", func(t *testing.T) {
		d.inPod(t, `echo '{"balances":[],"pagination":{"next_key":null,"total":"0"}}' >/tmp/balance`)
		defer d.inPod(t, "rm /tmp/balance")
		d.notBidding(t, "the account holds 0 AKT, and each bid deposits 0.5 AKT")
	})
	t.Run("a balance that does not last", func(t *testing.T) {
		d.inPod(t, `echo '{"balances":[{"denom":"uakt","amount":"2600000"}],"pagination":{"next_key":null,"total":"0"}}' >/tmp/balance`)
		defer d.inPod(t, "rm /tmp/balance")
		found := d.measuredDrift(t, "-measure-in-pod")
		want := "the account holds 2.6 AKT, enough for the deposits of 5 bids (0.5 AKT each)"
		if text := found.summary("PROVIDER_BALANCE_LOW"); !strings.HasPrefix(text, want) {
			t.Errorf("got %q, want %q", text, want)
		}
	})
	t.Run("an RPC node that is behind", func(t *testing.T) {
		d.inPod(t, "echo 600 >/tmp/rpc-age")
		defer d.inPod(t, "rm /tmp/rpc-age")
		d.notBidding(t, "the RPC node is behind")
	})
	t.Run("an RPC node that is silent", func(t *testing.T) {
		d.inPod(t, "echo >/tmp/rpc-is-silent")
		defer d.inPod(t, "rm /tmp/rpc-is-silent")
		d.notBidding(t, "the RPC node does not answer the pod (curl: it ended with status 7)")
	})
	t.Run("a role of its own", func(t *testing.T) {
		s.measureAsObserver(t, d)
	})
	t.Run("nothing is left in the pod", func(t *testing.T) { d.leavesNothing(t) })
	t.Run("secrets", func(t *testing.T) {
		text := string(readFile(t, filepath.Join(d.path, "facts.json")))
		for _, secret := range []string{walletKey, walletSecret, providerToken} {
			if strings.Contains(text, secret) || strings.Contains(text, base64Of(secret)) {
				t.Errorf("the facts hold the secret %q", secret)
			}
		}
	})
}

// measureAsObserver takes the rights of somebody who may only observe: what the pod says is unknown to that user, and known once
// the role that is named for it is bound.
func (s *suite) measureAsObserver(t *testing.T, d providerDirectory) {
	t.Helper()
	const account = "upkeep-acceptance-observer"
	remove := func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		for _, args := range [][]string{
			{"delete", "clusterrolebinding", account}, {"delete", "clusterrole", "upkeep-observe", "upkeep-apply", "upkeep-measure-in-pod"},
		} {
			if _, err := s.kubectlIn(ctx, "", append(args, "--ignore-not-found")...); err != nil {
				t.Error("cleaning up:", err)
			}
		}
	}
	t.Cleanup(remove)
	roles := filepath.Join(t.TempDir(), "roles.yaml")
	printed := d.run(t, "access", "-print", "-kubernetes").want(t, 0).stdout
	if err := os.WriteFile(roles, []byte(printed), 0o600); err != nil {
		t.Fatal(err)
	}
	s.kubectl(t, "apply", "-f", roles)
	s.kubectl(t, "create", "serviceaccount", account)
	s.kubectl(t, "create", "clusterrolebinding", account, "--clusterrole=upkeep-observe", "--serviceaccount="+providerNamespace+":"+account)
	token := strings.TrimSpace(s.kubectl(t, "create", "token", account, "--duration=1h"))

	var file map[string]any
	if err := yaml.Unmarshal(readFile(t, s.kubeconfig), &file); err != nil {
		t.Fatal(err)
	}
	for _, user := range file["users"].([]any) {
		user.(map[string]any)["user"] = map[string]any{"token": token}
	}
	text, err := yaml.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig := filepath.Join(t.TempDir(), "observer.conf")
	if err := os.WriteFile(kubeconfig, text, 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(d.path, "provider.upkeep.hcl")
	configuration := readFile(t, path)
	observed := strings.ReplaceAll(string(configuration), s.kubeconfig, kubeconfig)
	if err := os.WriteFile(path, []byte(observed), 0o600); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := os.WriteFile(path, configuration, 0o600); err != nil {
			t.Error(err)
		}
	}()

	r := d.run(t, "drift", "-json", "-measure-in-pod").want(t, 1)
	if !strings.Contains(r.stdout, "PROVIDER_POD_UNKNOWN") || !strings.Contains(r.stdout, "forbidden") {
		t.Errorf("the refusal does not show:\n%s", r.stdout)
	}
	s.kubectl(t, "create", "rolebinding", account, "--clusterrole=upkeep-measure-in-pod", "--serviceaccount="+providerNamespace+":"+account)
	s.until(t, 30*time.Second, "the role to count", func(ctx context.Context) error {
		_, err := s.kubectlIn(ctx, providerNamespace, "auth", "can-i", "create", "pods", "--subresource=exec", "--as=system:serviceaccount:"+providerNamespace+":"+account)
		return err
	})
	if found := d.measuredDrift(t, "-measure-in-pod"); found.summary("PROVIDER_POD_UNKNOWN") != "" {
		t.Errorf("still unknown: %+v", found.Findings)
	}
}

// measuredDrift runs drift; what it exits with is the business of other tests.
func (d providerDirectory) measuredDrift(t *testing.T, args ...string) measuredDrift {
	t.Helper()
	r := d.run(t, append([]string{"drift", "-json"}, args...)...)
	var out measuredDrift
	if err := json.Unmarshal([]byte(r.stdout), &out); err != nil {
		t.Fatalf("drift -json (exit %d): %v\n%s\n%s", r.code, err, r.stdout, r.stderr)
	}
	return out
}

// notBidding wants the one finding, with its cause.
func (d providerDirectory) notBidding(t *testing.T, cause string) {
	t.Helper()
	found := d.measuredDrift(t, "-measure-in-pod")
	count := 0
	for _, f := range found.Findings {
		if f.ID == "PROVIDER_NOT_BIDDING" {
			count++
		}
	}
	if text := found.summary("PROVIDER_NOT_BIDDING"); count != 1 || !strings.HasPrefix(text, cause) {
		t.Errorf("%d findings, %q, want %q", count, text, cause)
	}
	if len(found.Unknown) > 0 {
		t.Errorf("unknown: %+v", found.Unknown)
	}
}

// inPod runs a line of shell in the provider's container, and returns what it prints.
func (d providerDirectory) inPod(t *testing.T, line string) string {
	t.Helper()
	return d.s.kubectl(t, "exec", providerPod, "-c", "provider", "--", "bash", "-c", line)
}

// leavesNothing wants no directory of a measurement in the pod.
func (d providerDirectory) leavesNothing(t *testing.T) {
	t.Helper()
	if left := strings.TrimSpace(d.inPod(t, "find /tmp -maxdepth 1 -name 'upkeep-*'")); left != "" {
		t.Errorf("left in the pod: %s", left)
	}
}
