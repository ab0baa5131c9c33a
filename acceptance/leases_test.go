package acceptance

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A tenant of the lab's provider: a lease, its namespace (the id in base32hex of its SHA-224), and the provider's record of it.
const (
	tenantNamespace = "5reb3l87s85t50v77sosktvdeeg6pfbnlboigoprqv3d4"
	leaseNamespace  = "lease"
	manifestsCRD    = "manifests.akash.network"
)

var leaseLabels = `"akash.network": "true", "akash.network/namespace": "` + tenantNamespace + `", "akash.network/lease.id.owner": "akash1h24fljt7p0nh82cq0za0uhsct3sfwsfu9w3c9h",
"akash.network/lease.id.dseq": "8438017", "akash.network/lease.id.gseq": "1", "akash.network/lease.id.oseq": "1", "akash.network/lease.id.provider": "akash1nxq8gmsw2vlz3m68qvyvcf3kh6q269ajvqw6y0"`

// tenant gives the lab's provider a tenant, as the provider itself would have; the part's end removes it.
func (s *suite) tenant(t *testing.T) {
	t.Helper()
	remove := func(ctx context.Context) error {
		for _, args := range [][]string{
			{"delete", "namespace", tenantNamespace, leaseNamespace, "--ignore-not-found"}, {"delete", "crd", manifestsCRD, "--ignore-not-found"},
		} {
			if _, err := s.kubectlIn(ctx, "", args...); err != nil {
				return err
			}
		}
		return nil
	}
	if err := remove(s.ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		if err := remove(ctx); err != nil {
			t.Error("cleaning up:", err)
		}
	})
	apply := func(text string) {
		file := filepath.Join(t.TempDir(), "objects.json")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.kubectlIn(s.ctx, "", "apply", "-f", file); err != nil {
			t.Fatal(err)
		}
	}
	apply(`{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "` + manifestsCRD + `"}, "spec": {
"group": "akash.network", "scope": "Namespaced", "names": {"plural": "manifests", "singular": "manifest", "kind": "Manifest"},
"versions": [{"name": "v2beta2", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}}`)
	if _, err := s.kubectlIn(s.ctx, "", "wait", "--for=condition=Established", "--timeout=60s", "crd/"+manifestsCRD); err != nil {
		t.Fatal(err)
	}
	for _, object := range []string{
		`{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "` + leaseNamespace + `"}}`,
		`{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "` + tenantNamespace + `", "labels": {` + leaseLabels + `}}}`,
		`{"apiVersion": "akash.network/v2beta2", "kind": "Manifest", "metadata": {"name": "` + tenantNamespace + `", "namespace": "` + leaseNamespace + `", "labels": {` + leaseLabels + `}}}`,
		`{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "` + tenantNamespace + `", "labels": {"akash.network": "true",
"akash.network/namespace": "` + tenantNamespace + `", "akash.network/manifest-service": "web"}}, "spec": {"automountServiceAccountToken": false,
"tolerations": [{"operator": "Exists"}], "containers": [{"name": "web", "image": "` + providerImage + `", "command": ["env", "wait"]}]}}`,
	} {
		apply(object)
	}
	if _, err := s.kubectlIn(s.ctx, tenantNamespace, "wait", "--for=condition=Ready", "--timeout=120s", "pod/web"); err != nil {
		t.Fatal(err)
	}
}

// providerStanding is the provider's StatefulSet: how many replicas it wants, how often that changed, and who keeps it stopped.
type providerStanding struct{ replicas, generation, stopped string }

func (s *suite) providerStanding(t *testing.T) providerStanding {
	t.Helper()
	text := s.kubectl(t, "get", "statefulset", providerRelease, "-o", `jsonpath={.spec.replicas};{.metadata.generation};{.metadata.annotations.upkeep\.dev/stopped-by}`)
	parts := strings.SplitN(text, ";", 3)
	if len(parts) != 3 {
		t.Fatalf("the StatefulSet is %q", text)
	}
	return providerStanding{parts[0], parts[1], parts[2]}
}

// changes are how often the StatefulSet's specification changed.
func (p providerStanding) changes(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(p.generation)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// testLeases restarts a control plane beside a provider that would close a lease at its first failed look: the provider is
// stopped meanwhile, under a mark, and started again, also by the run after one that was killed. The tenant notices nothing.
func testLeases(t *testing.T, s *suite) {
	repository := s.serveCharts(t)
	s.provider(t, repository, map[string]any{"monitor": map[string]any{"maxRetries": "0"}})
	s.tenant(t)
	s.prices(t, map[string]string{"AKASH_MONITOR_MAX_RETRIES": "0"})
	tenant := s.tenantUID(t)

	t.Run("a change of prices touches no lease", func(t *testing.T) {
		d := providerDirectory{s.directory(t), repository}
		d.declare(t, "6.0.5", 1.60, 120)
		text := d.run(t, "plan", "-verbose").want(t, 1).stdout // the prices change by more than is allowed unasked
		if !strings.Contains(strings.Join(strings.Fields(text), " "), "leases touched 1 lease -> none is touched") {
			t.Errorf("the plan does not count the tenant's lease:\n%s", text)
		}
	})

	d := s.declare(t, declaration{renewBefore: time.Hour})
	block := fmt.Sprintf("akash_provider \"main\" {\n  chart {\n    repository = %q\n    version    = \"6.0.5\"\n  }\n}\n", repository)
	if err := os.WriteFile(filepath.Join(d.path, "provider.upkeep.hcl"), []byte(block), 0o600); err != nil {
		t.Fatal(err)
	}
	const replace = "-replace=certificates.control_plane@n3"
	bracket := []string{"certificates.renew", "akash.stop", "certificates.restart", "akash.start"}
	running := func(t *testing.T) {
		t.Helper()
		if is := s.providerStanding(t); is.replicas != "1" || is.stopped != "" {
			t.Errorf("the provider is left as %+v", is)
		}
		if _, err := s.kubectlIn(s.ctx, providerNamespace, "wait", "--for=condition=Ready", "--timeout=60s", "pod/"+providerPod); err != nil {
			t.Error(err)
		}
		if now := s.tenantUID(t); now != tenant {
			t.Errorf("the tenant's pod is another one: %s, was %s", now, tenant)
		}
	}
	t.Run("a restart of the control plane", func(t *testing.T) {
		before, pod := s.providerStanding(t), s.podUID(t)
		if p, r := d.plan(t, replace); !slices.Equal(p.operations(), bracket) {
			t.Fatalf("steps %q\n%s", p.operations(), r.stdout)
		}
		d.run(t, "apply", "-auto-approve", replace).want(t, 0)
		if after := s.providerStanding(t); after.generation == before.generation || s.podUID(t) == pod {
			t.Errorf("the provider was not stopped: %+v before, %+v after", before, after)
		}
		running(t)
	})
	t.Run("somebody starts the provider meanwhile", func(t *testing.T) {
		before := s.providerStanding(t)
		u := d.begin(t, "apply", "-auto-approve", "-replace=certificates.control_plane@n2", replace)
		deadline := time.Now().Add(2 * time.Minute)
		for !strings.Contains(u.said(), "akash_provider.main: done") {
			select {
			case <-u.ended:
				t.Fatalf("it ended before it had stopped the provider:\n%s", u.said())
			case <-time.After(50 * time.Millisecond):
			}
			if time.Now().After(deadline) {
				t.Fatalf("it does not stop the provider:\n%s", u.said())
			}
		}
		s.kubectl(t, "-n", providerNamespace, "scale", "statefulset", providerRelease, "--replicas=1")
		defer time.AfterFunc(4*time.Minute, func() { u.signal(t, syscall.SIGKILL) }).Stop()
		if code := u.wait(); code != 0 {
			t.Errorf("exit code %d:\n%s", code, u.said())
		}
		if !strings.Contains(strings.Join(strings.Fields(u.said()), " "), `the guard "leases", which step`) {
			t.Errorf("it does not say that the guard was begun again:\n%s", u.said())
		}
		// Stopped, started by hand, stopped again, started: each changes the StatefulSet once.
		if is, was := s.providerStanding(t).changes(t), before.changes(t); is < was+4 {
			t.Errorf("the StatefulSet changed %d times", is-was)
		}
		running(t)
	})
	t.Run("one that is killed", func(t *testing.T) {
		d.killedAt(t, "runs as", "apply", "-auto-approve", replace)
		if is := s.providerStanding(t); is.replicas != "0" || is.stopped == "" {
			t.Fatalf("the provider is %+v after the kill, so this proves nothing", is)
		}
		if p, r := d.plan(t); !p.has("PROVIDER_STOPPED") || !slices.Contains(p.operations(), "akash.start") {
			t.Errorf("steps %q\n%s", p.operations(), r.stdout)
		}
		d.run(t, "apply", "-auto-approve").want(t, 0)
		running(t)
		if p, r := d.plan(t); len(p.Upkeep.Steps) > 0 {
			t.Errorf("still due: %q\n%s", p.operations(), r.stdout)
		}
	})
}

// tenantUID tells one pod of the tenant from the next.
func (s *suite) tenantUID(t *testing.T) string {
	t.Helper()
	uid, err := s.kubectlIn(s.ctx, tenantNamespace, "get", "pod", "web", "-o", "jsonpath={.metadata.uid}")
	if err != nil {
		t.Fatal(err)
	}
	return uid
}
