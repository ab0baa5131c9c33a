package helm_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clienttesting "k8s.io/client-go/testing"

	"upkeep/providers/facts"
	"upkeep/providers/helm/definitions"
	"upkeep/providers/helm/fakehelm"
)

const widgets = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: widgets.akash.network
spec:
  group: akash.network
  scope: Namespaced
  names: {kind: Widget, plural: widgets}
  versions:
    - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}
`

func TestApplyDefinitions(t *testing.T) {
	ctx := context.Background()
	fake := fakehelm.New()
	if got := fake.Definition(ctx, "widgets.akash.network"); !got.Missing {
		t.Fatalf("%+v", got)
	}
	if err := fake.ApplyDefinitions(ctx, []byte(widgets), nil); err != nil {
		t.Fatal(err)
	}
	list, err := definitions.Read([]byte(widgets))
	if err != nil {
		t.Fatal(err)
	}
	want := facts.Definition{Name: "widgets.akash.network", Established: true, Served: []string{"v1"}, Stored: []string{"v1"}, Digest: list[0].Digest}
	if diff := cmp.Diff(want, fake.Definition(ctx, "widgets.akash.network")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	fake.FailOnce("apply", errors.New("refused"))
	if err := fake.ApplyDefinitions(ctx, []byte(widgets), nil); err == nil || !strings.Contains(err.Error(), "applying widgets.akash.network: refused") {
		t.Errorf("%v", err)
	}
	if err := fake.ApplyDefinitions(ctx, []byte("apiVersion: v1\nkind: Secret\n"), nil); err == nil {
		t.Error("a Secret was applied")
	}
}

// TestSecret: that a Secret exists is told, that it is forbidden to look is unknown.
func TestSecret(t *testing.T) {
	ctx := context.Background()
	fake := fakehelm.New()
	if err := fake.AddSecret("akash-gateway", "there"); err != nil {
		t.Fatal(err)
	}
	ask := func(name string) facts.Existence {
		return fake.Secret(ctx, facts.SecretQuestion{Namespace: "akash-gateway", Name: name})
	}
	if got := ask("there"); got != (facts.Existence{}) {
		t.Errorf("%+v", got)
	}
	if got := ask("absent"); got != (facts.Existence{Missing: true}) {
		t.Errorf("%+v", got)
	}
	fake.Metadata.PrependReactor("get", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "there", errors.New("no"))
	})
	if got := ask("there"); got.Missing || !strings.HasPrefix(got.Unknown, "forbidden: ") {
		t.Errorf("%+v", got)
	}
	for _, action := range fake.Typed.Actions() {
		if action.GetResource().Resource == "secrets" {
			t.Errorf("the content of a Secret was asked for: %v", action)
		}
	}
}

// TestChart lists the releases of a chart, wherever they are.
func TestChart(t *testing.T) {
	server := repository(t)
	fake := fakehelm.New()
	if got := fake.Chart(context.Background(), "provider"); got.Unknown != "" || len(got.Releases) != 0 {
		t.Fatalf("%+v", got)
	}
	install(t, fake, server, "9.2.2", nil)
	got := fake.Chart(context.Background(), "provider")
	if got.Unknown != "" || len(got.Releases) != 1 || got.Releases[0].Chart.Version != "9.2.2" {
		t.Errorf("%+v", got)
	}
	if got := fake.Chart(context.Background(), "another"); got.Unknown != "" || len(got.Releases) != 0 {
		t.Errorf("%+v", got)
	}
}
