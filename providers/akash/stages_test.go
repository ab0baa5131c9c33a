package akash_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clienttesting "k8s.io/client-go/testing"

	"upkeep/fixtures/fakeprovider"
	"upkeep/planner"
	"upkeep/planner/apply"
	"upkeep/providers"
	"upkeep/providers/akash"
	"upkeep/providers/facts"
	"upkeep/providers/helm/values"
	"upkeep/providers/release"
)

// crds is a definition of Akash's, with some versions; the last one is stored.
func crds(versions ...string) string {
	text := `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: manifests.akash.network
spec:
  group: akash.network
  scope: Namespaced
  names: {kind: Manifest, plural: manifests}
  versions:
`
	for i, v := range versions {
		stored := "false"
		if i == len(versions)-1 {
			stored = "true"
		}
		text += "    - {name: " + v + ", served: true, storage: " + stored + ", schema: {openAPIV3Schema: {type: object}}}\n"
	}
	return text
}

func sum(text string) string {
	s := sha256.Sum256([]byte(text))
	return hex.EncodeToString(s[:])
}

// withOperators is a world with a provider, operators and definitions of a version, and a block that wants another one.
func withOperators(t *testing.T, from, to, tag string) (*fakeprovider.World, akash.Spec) {
	t.Helper()
	w := open(t, from, map[string]any{"price_target_cpu": "1.6", "price_target_memory": "0.8", "price_target_gpu_mappings": "a100=120,t4=80", "bidpricescript": newest, "key": "canary-key"})
	w.Kubernetes, w.Tenancies = kubernetes(), tenancies()
	if err := w.ApplyDefinitions(context.Background(), []byte(crds("v2beta1")), nil); err != nil {
		t.Fatal(err)
	}
	for release, chart := range map[string]string{"akash-hostname-operator": "akash-hostname-operator", "inventory-operator": "akash-inventory-operator"} {
		if err := w.InstallChart(fakeprovider.Namespace, release, chart, from, map[string]any{"inventoryConfig": map[string]any{"cluster_storage": []any{"default", "beta3"}}}); err != nil {
			t.Fatal(err)
		}
	}
	s := spec(w, to, nil)
	text := crds("v2beta1", "v2beta2")
	s.Definitions = &akash.Definitions{Tag: tag, File: "crd.yaml", Text: text, SHA256: sum(text)}
	return w, s
}

// TestStages: a larger step is definitions, operators, then the provider; each is proved, and nothing else changes.
func TestStages(t *testing.T) {
	w, s := withOperators(t, "11.6.3", "12.1.3", "v0.8.3")
	p := plan(t, w, s)
	want := []string{"akash.crds", "akash.archive", "akash.operator", "akash.archive", "akash.operator", "akash.archive", "akash.replace", "akash.upgrade"}
	if diff := cmp.Diff(want, operationsOf(p)); diff != "" {
		t.Fatalf("steps (-want +got):\n%s%+v", diff, p.Findings)
	}
	if len(ids(p.Remaining)) > 0 || len(p.Refusals) > 0 {
		t.Fatalf("%v remain, refused: %v", ids(p.Remaining), p.Refusals)
	}
	for i, step := range p.Steps {
		if i > 0 && !slices.Contains(step.After, p.Steps[i-1].ID) {
			t.Errorf("%s does not wait for %s", step.ID, p.Steps[i-1].ID)
		}
	}
	if walked, err := planner.Rehearse(p, types(), nil); err != nil || walked.Ended(planner.Proved) != len(p.Steps) || len(walked.Due) > 0 {
		t.Errorf("a rehearsal ends with %+v, %v", walked, err)
	}
	if result := execute(t, w, p, s); result.Outcome != apply.Complete {
		t.Fatalf("%+v", result.Steps)
	}
	if again := plan(t, w, s); len(again.Steps) > 0 || len(ids(again.Findings)) > 0 {
		t.Errorf("a second plan has %v and %+v", operationsOf(again), again.Findings)
	}
	kept, revision, err := w.Values(context.Background(), fakeprovider.Namespace, "inventory-operator")
	want2 := map[string]any{"inventoryConfig": map[string]any{"cluster_storage": []any{"default", "beta3"}}}
	if diff := cmp.Diff(want2, kept); err != nil || diff != "" || revision != 2 {
		t.Errorf("the operator is at revision %d, %v; values (-want +got):\n%s", revision, err, diff)
	}
	if got := w.Kept("inventory-operator", 1, "inventory-operator.yaml"); !strings.Contains(got, `"beta3"`) {
		t.Errorf("the archived values of the operator are %q", got)
	}
	if got := w.Kept(fakeprovider.Release, 1, "provider.yaml"); !strings.Contains(got, "canary-key") {
		t.Errorf("the archived values of the provider are %q", got)
	}
	if d := w.Definition(context.Background(), "manifests.akash.network"); strings.Join(d.Served, " ") != "v2beta1 v2beta2" {
		t.Errorf("%+v", d)
	}
}

// TestStagesFromURL: definitions behind a URL are pinned by their digest.
func TestStagesFromURL(t *testing.T) {
	w, s := withOperators(t, "11.6.3", "12.1.3", "v0.8.3")
	const url = "https://raw.example.net/crd.yaml"
	w.Texts = map[string]string{url: s.Definitions.Text}
	s.Definitions = &akash.Definitions{Tag: "v0.8.3", URL: url, SHA256: s.Definitions.SHA256}
	if result := execute(t, w, plan(t, w, s), s); result.Outcome != apply.Complete {
		t.Fatalf("%+v", result.Steps)
	}
	w, s = withOperators(t, "11.6.3", "12.1.3", "v0.8.3")
	w.Texts = map[string]string{url: s.Definitions.Text + "# more\n"}
	s.Definitions = &akash.Definitions{Tag: "v0.8.3", URL: url, SHA256: s.Definitions.SHA256}
	p := plan(t, w, s)
	if len(p.Steps) > 0 || !said(p, "CRD_UNKNOWN", "has the SHA-256 "+sum(w.Texts[url])) {
		t.Errorf("steps %v, findings %+v", operationsOf(p), p.Findings)
	}
}

// said reports whether a plan has a finding with some words in its summary or its hint.
func said(p planner.Plan, id, words string) bool {
	return slices.ContainsFunc(p.Findings, func(f providers.Finding) bool {
		return f.ID == id && strings.Contains(f.Summary+" "+f.Hint, words)
	})
}

// TestStagesAreRefused says what is missing, and changes nothing.
func TestStagesAreRefused(t *testing.T) {
	tests := []struct {
		name      string
		change    func(*testing.T, *fakeprovider.World, *akash.Spec)
		id, words string
	}{
		{"no definitions are named", func(_ *testing.T, _ *fakeprovider.World, s *akash.Spec) { s.Definitions = nil },
			"CHART_GATE", `crds { tag = "v0.8.3", url = "https://raw.githubusercontent.com/akash-network/provider/v0.8.3/pkg/apis/akash.network/crd.yaml", sha256 =`},
		{"definitions of another tag", func(_ *testing.T, _ *fakeprovider.World, s *akash.Spec) { s.Definitions.Tag = "v0.6.11" },
			"CHART_GATE", "brings the program 0.8.3, and the block's definitions are of v0.6.11"},
		{"definitions without a version that objects are stored in", func(t *testing.T, w *fakeprovider.World, _ *akash.Spec) {
			if err := w.ApplyDefinitions(context.Background(), []byte(crds("v2beta1", "v9")), nil); err != nil {
				t.Fatal(err)
			}
		}, "CHART_GATE", "may be stored as v9"},
		{"the definitions cannot be read", func(_ *testing.T, w *fakeprovider.World, _ *akash.Spec) {
			w.Dynamic.PrependReactor("get", "customresourcedefinitions", func(clienttesting.Action) (bool, runtime.Object, error) {
				return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "customresourcedefinitions"}, "a", errors.New("no"))
			})
		}, "CRD_UNKNOWN", "forbidden"},
		{"an operator of another chart", func(t *testing.T, w *fakeprovider.World, _ *akash.Spec) {
			if err := w.InstallChart(fakeprovider.Namespace, "akash-ip-operator", "akash-hostname-operator", "11.6.3", nil); err != nil {
				t.Fatal(err)
			}
		}, "CHART_GATE", "upgrade akash-ip-operator to the version of its chart that goes with 12.1.3"},
		{"an operator that is being upgraded", func(t *testing.T, w *fakeprovider.World, _ *akash.Spec) {
			if err := w.SetStatus(fakeprovider.Namespace, "inventory-operator", 1, facts.ReleasePendingUpgrade, clock); err != nil {
				t.Fatal(err)
			}
		}, "RELEASE_PENDING", "another Helm may still work until 2026-11-22T12:10:00Z"},
		{"an operator that is being removed", func(t *testing.T, w *fakeprovider.World, _ *akash.Spec) {
			if err := w.SetStatus(fakeprovider.Namespace, "inventory-operator", 1, "uninstalling", clock); err != nil {
				t.Fatal(err)
			}
		}, "RELEASE_FAILED", "`helm history -n akash-services inventory-operator`"},
		{"a failed operator whose chart cannot be had", func(t *testing.T, w *fakeprovider.World, _ *akash.Spec) {
			if err := w.InstallChart(fakeprovider.Namespace, "akash-ip-operator", "akash-hostname-operator", "12.1.3", nil); err != nil {
				t.Fatal(err)
			}
			if err := w.SetStatus(fakeprovider.Namespace, "akash-ip-operator", 1, facts.ReleaseFailed, clock); err != nil {
				t.Fatal(err)
			}
		}, "RELEASE_FAILED", "upkeep cannot upgrade it (the chart cannot be had: "},
		{"the provider's chart is at a path", func(_ *testing.T, _ *fakeprovider.World, s *akash.Spec) {
			s.Chart = &akash.Chart{Source: facts.ChartSource{Path: "../../fixtures/charts/provider"}, Version: "12.1.3"}
		}, "CHART_GATE", "is not known where the provider's is at a path"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w, s := withOperators(t, "11.6.3", "12.1.3", "v0.8.3")
			test.change(t, w, &s)
			p := plan(t, w, s)
			if len(p.Steps) > 0 || !said(p, test.id, test.words) {
				t.Errorf("steps %v, findings %+v", operationsOf(p), p.Findings)
			}
		})
	}
}

// TestOperatorGoesBack: an operator whose pods do not get ready is rolled back, and the provider stays as it is.
func TestOperatorGoesBack(t *testing.T) {
	w, s := withOperators(t, "11.6.3", "12.1.3", "v0.8.3")
	p := plan(t, w, s)
	w.OperatorsFail = true
	result := execute(t, w, p, s)
	if result.Steps[2].Outcome != apply.Failed || !strings.Contains(result.Steps[2].Why, "was rolled back to revision 1") {
		t.Fatalf("%+v", result.Steps)
	}
	for _, step := range result.Steps[3:] {
		if step.Outcome == apply.Done {
			t.Errorf("%+v", step)
		}
	}
	if _, revision, err := w.Values(context.Background(), fakeprovider.Namespace, fakeprovider.Release); err != nil || revision != 1 {
		t.Errorf("the provider is at revision %d, %v", revision, err)
	}
}

// TestManagedOperator: an operator of another block is left to that block, whose step comes between the definitions
// and the provider; where the block wants another version, nothing is planned.
func TestManagedOperator(t *testing.T) {
	w, s := withOperators(t, "11.6.3", "12.1.3", "v0.8.3")
	managed := release.Spec{
		Name: "inventory", Release: "inventory-operator", Namespace: fakeprovider.Namespace, Wanted: values.Wanted{}, Wait: true, Atomic: true,
		Chart: release.Chart{Source: facts.ChartSource{Repository: w.Repository, Name: "akash-inventory-operator"}, Version: "12.1.3"},
	}
	build := func() planner.Plan {
		world := w.World(context.Background(), s, managed)
		p, err := planner.Build(planner.Request{Desired: fakeprovider.Desired(s, managed), World: world, Now: clock}, []providers.Type{akash.Type(), release.Type()})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := build()
	want := []string{"akash.crds", "akash.archive", "akash.operator", "akash.archive", "akash.replace", "release.upgrade", "akash.upgrade"}
	got := operationsOf(p)
	if len(got) != len(want) || slices.Index(got, "akash.crds") > slices.Index(got, "release.upgrade") || slices.Index(got, "release.upgrade") > slices.Index(got, "akash.upgrade") {
		t.Fatalf("steps %v, want those of %v; %+v", got, want, p.Findings)
	}
	last := p.Steps[slices.Index(got, "akash.upgrade")]
	if !slices.Contains(last.After, "helm_release.inventory/upgrade") || !strings.Contains(strings.Join(last.Why, "\n"), "helm_release.inventory comes first: it manages inventory-operator") {
		t.Errorf("%+v", last)
	}
	managed.Chart.Version = "11.6.3"
	if p := build(); slices.Contains(operationsOf(p), "akash.upgrade") || !said(p, "CHART_GATE", "helm_release.inventory manages it and does not bring that") {
		t.Errorf("steps %v, findings %+v", operationsOf(p), p.Findings)
	}
}

// gatewayReady makes a world ready for 16.0.0.
func gatewayReady(t *testing.T, w *fakeprovider.World) {
	t.Helper()
	for kind, plural := range map[string]string{"GatewayClass": "gatewayclasses", "Gateway": "gateways", "HTTPRoute": "httproutes", "TCPRoute": "tcproutes"} {
		if err := w.Serve("gateway.networking.k8s.io/v1", kind, plural, kind != "GatewayClass"); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"wildcard-ingress-tls", "akash-default-tls"} {
		if err := w.AddSecret("akash-gateway", name); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.InstallChart("nginx-gateway", "ngf", "nginx-gateway-fabric", "2.6.7", nil); err != nil {
		t.Fatal(err)
	}
	if err := w.InstallChart("akash-gateway", "akash-gateway", "akash-gateway", "1.2.1", nil); err != nil {
		t.Fatal(err)
	}
	addPod(t, w, "akash-gateway", "akash-gateway-nginx-1", "gpu1", nil, 80, 443, 5002, 8443, 8444)
}

// TestGateway holds the step to 16.0.0 to each prerequisite, and makes it where they hold.
func TestGateway(t *testing.T) {
	tests := []struct {
		name, from string
		change     func(*testing.T, *fakeprovider.World)
		words      string // empty: it is planned
	}{
		{"everything is there", "15.1.0", func(*testing.T, *fakeprovider.World) {}, ""},
		{"the program is too old", "15.0.0", func(*testing.T, *fakeprovider.World) {}, "the provider has version 0.11.0, and the step to 0.12 starts from 0.11.2 or later"},
		{"two steps at once", "11.6.3", func(*testing.T, *fakeprovider.World) {}, "go to the last 14.x of the chart first, which replaces the StatefulSet, and from there to the last 15.x"},
		{"no TCPRoute", "15.1.0", func(t *testing.T, w *fakeprovider.World) {
			if err := w.Delete("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "tcproutes.gateway.networking.k8s.io"); err != nil {
				t.Fatal(err)
			}
		}, "does not have tcproutes.gateway.networking.k8s.io, of the experimental channel"},
		{"no NGINX Gateway Fabric", "15.1.0", func(t *testing.T, w *fakeprovider.World) {
			if err := w.SetStatus("nginx-gateway", "ngf", 1, facts.ReleaseFailed, clock); err != nil {
				t.Fatal(err)
			}
		}, "no release of the chart nginx-gateway-fabric is deployed"},
		{"the gateway failed", "15.1.0", func(t *testing.T, w *fakeprovider.World) {
			if err := w.SetStatus("akash-gateway", "akash-gateway", 1, facts.ReleaseFailed, clock); err != nil {
				t.Fatal(err)
			}
		}, "revision 1 of the release akash-gateway is failed"},
		{"no certificate", "15.1.0", func(t *testing.T, w *fakeprovider.World) {
			if err := w.Metadata.Tracker().Delete(schema.GroupVersionResource{Version: "v1", Resource: "secrets"}, "akash-gateway", "akash-default-tls"); err != nil {
				t.Fatal(err)
			}
		}, "there is no Secret akash-default-tls in namespace akash-gateway"},
		{"it is forbidden to look for the certificates", "15.1.0", func(_ *testing.T, w *fakeprovider.World) {
			w.Metadata.PrependReactor("get", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
				return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "wildcard-ingress-tls", errors.New("no"))
			})
		}, "whether the Secret wildcard-ingress-tls exists in namespace akash-gateway is not known: forbidden"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := open(t, test.from, map[string]any{"price_target_cpu": "1.6", "price_target_memory": "0.8", "price_target_gpu_mappings": "a100=120,t4=80", "bidpricescript": newest})
			w.Kubernetes, w.Tenancies = kubernetes(), tenancies()
			gatewayReady(t, w)
			test.change(t, w)
			s := spec(w, "16.0.0", nil)
			text := crds("v2beta2")
			s.Definitions = &akash.Definitions{Tag: "v0.12.0", File: "crd.yaml", Text: text, SHA256: sum(text)}
			p := plan(t, w, s)
			if test.words != "" {
				if len(p.Steps) > 0 || !said(p, "CHART_GATE", test.words) {
					t.Errorf("steps %v, findings %+v", operationsOf(p), p.Findings)
				}
				return
			}
			if diff := cmp.Diff([]string{"akash.crds", "akash.archive", "akash.upgrade"}, operationsOf(p)); diff != "" {
				t.Fatalf("steps (-want +got):\n%s%+v", diff, p.Findings)
			}
			if result := execute(t, w, p, s); result.Outcome != apply.Complete {
				t.Fatalf("%+v", result.Steps)
			}
			if again := plan(t, w, s); len(again.Steps) > 0 || len(ids(again.Findings)) > 0 {
				t.Errorf("a second plan has %v and %+v", operationsOf(again), again.Findings)
			}
		})
	}
}

// TestOwnWorkFirst: a provider is upgraded before it is stopped for somebody else's work.
func TestOwnWorkFirst(t *testing.T) {
	w, s := healthy(t)
	s.Targets["price_target_cpu"] = "2"
	p := plan(t, w, outage{300}, s)
	if diff := cmp.Diff([]string{"akash.archive", "akash.upgrade", "akash.stop", "akash.repair", "akash.start"}, operationsOf(p)); diff != "" {
		t.Fatalf("steps (-want +got):\n%s", diff)
	}
	if result := execute(t, w, p, s); result.Outcome != apply.Complete {
		t.Fatalf("%+v", result.Steps)
	}
	if again := plan(t, w, s); len(again.Steps) > 0 || len(ids(again.Findings)) > 0 {
		t.Errorf("afterwards a plan has %v and %v", operationsOf(again), ids(again.Findings))
	}
}

// TestRunningApply: what a live run has under way is called that, and no interruption.
func TestRunningApply(t *testing.T) {
	w, s := healthy(t)
	world := w.World(context.Background(), s)
	r := world.Releases["akash-services/akash-provider"]
	r.Status, r.Updated, r.Labels = facts.ReleasePendingUpgrade, clock, map[string]string{"upkeep.dev/revision": "1"}
	world.Kubernetes.Run = &facts.Lease{Holder: "ops@cp1/7", RenewedAt: clock, DurationSeconds: 180}
	p, err := planner.Build(planner.Request{Desired: fakeprovider.Desired(s), World: world, Now: clock}, types())
	if err != nil {
		t.Fatal(err)
	}
	if !said(p, "RELEASE_PENDING", "revision 1 is being upgraded by a running apply (ops@cp1/7") || said(p, "RELEASE_PENDING", "interrupted") {
		t.Errorf("%+v", p.Findings)
	}
}

// TestDefinitionsAlone: definitions that the cluster has otherwise are applied although no chart changes, with and
// without a chart in the block; what cannot be applied or seen does not keep prices from being changed.
func TestDefinitionsAlone(t *testing.T) {
	ctx := context.Background()
	w, s := withOperators(t, "11.6.3", "11.6.3", "v0.6.11")
	if diff := cmp.Diff([]string{"akash.crds"}, operationsOf(plan(t, w, s))); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	bare := s
	bare.Chart, bare.Targets = nil, nil
	p := plan(t, w, bare)
	if diff := cmp.Diff([]string{"akash.crds"}, operationsOf(p)); diff != "" {
		t.Errorf("without a chart: steps (-want +got):\n%s", diff)
	}
	if result := execute(t, w, p, bare); result.Outcome != apply.Complete {
		t.Fatalf("%+v", result.Steps)
	}
	if err := w.ApplyDefinitions(ctx, []byte(crds("v2beta1", "v9")), nil); err != nil {
		t.Fatal(err)
	}
	s.Targets["price_target_cpu"] = "2"
	p = plan(t, w, s)
	if diff := cmp.Diff([]string{"akash.archive", "akash.upgrade"}, operationsOf(p)); diff != "" || !said(p, "CRD_DIFFERS", "may be stored as v9") {
		t.Errorf("steps (-want +got):\n%s%+v", diff, p.Findings)
	}
}

// TestDefinitionsMoved: somebody who changes a definition after the plan was made is not overruled.
func TestDefinitionsMoved(t *testing.T) {
	w, s := withOperators(t, "11.6.3", "11.6.3", "v0.6.11")
	p := plan(t, w, s)
	if err := w.ApplyDefinitions(context.Background(), []byte(crds("v2beta1", "v2beta3")), nil); err != nil {
		t.Fatal(err)
	}
	result := execute(t, w, p, s)
	if result.Steps[0].Outcome != apply.Refused || !strings.Contains(result.Steps[0].Why, "somebody has changed manifests.akash.network") {
		t.Errorf("%+v", result.Steps)
	}
}

// TestInventoryOperator: a step over 9.0.0 says what the provider will need to see its nodes, and is not refused for
// it.
func TestInventoryOperator(t *testing.T) {
	const words = "the inventory operator decides what nodes offer; there is no release inventory-operator"
	for _, test := range []struct {
		name, from, to string
		install, want  bool
	}{
		{"over 9.0.0", "6.0.5", "11.6.3", false, true},
		{"over 9.0.0, with the operator", "6.0.5", "11.6.3", true, false},
		{"after 9.0.0", "11.6.3", "12.1.3", false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := open(t, test.from, map[string]any{"price_target_cpu": "1.6", "price_target_memory": "0.8", "price_target_gpu_mappings": "a100=120,t4=80", "bidpricescript": newest, "key": "canary-key"})
			w.Kubernetes, w.Tenancies = kubernetes(), tenancies()
			if test.install {
				if err := w.InstallChart(fakeprovider.Namespace, "inventory-operator", "akash-inventory-operator", test.to, nil); err != nil {
					t.Fatal(err)
				}
			}
			p := plan(t, w, spec(w, test.to, nil))
			if said(p, "CHART_GATE", words) != test.want {
				t.Errorf("said: %t; %+v", !test.want, p.Findings)
			}
			if !test.install && !slices.Contains(operationsOf(p), "akash.upgrade") {
				t.Errorf("no upgrade: %q, %+v", operationsOf(p), p.Findings)
			}
		})
	}
}
