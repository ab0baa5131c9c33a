package helm_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"upkeep/providers/facts"
	"upkeep/providers/helm/fakehelm"
)

const canary = "CANARY-wallet-seed-words"

var canaryEncoded = base64.StdEncoding.EncodeToString([]byte(canary))

func marshal(t *testing.T, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestObserveMissing(t *testing.T) {
	got := fakehelm.New().Observe(context.Background(), question(), mac)
	if diff := cmp.Diff(facts.Release{Namespace: namespace, Name: name, Missing: true}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestObserveFresh(t *testing.T) {
	fake, server := fakehelm.New(), repository(t)
	install(t, fake, server, "11.6.4", map[string]any{"price_target_cpu": 1.6})
	got := fake.Observe(context.Background(), question(), mac)
	if got.Unknown != "" || got.Missing || got.Revision != 1 || got.Status != facts.ReleaseDeployed {
		t.Fatalf("got %+v", got)
	}
	if want := (facts.ChartVersion{Name: "provider", Version: "11.6.4", AppVersion: "0.6.11"}); got.Chart != want {
		t.Errorf("chart %+v", got.Chart)
	}
	if len(got.Objects) != 0 {
		t.Errorf("a fresh release has drifted: %+v", got.Objects)
	}
	if got.ObjectCount != 7 {
		t.Errorf("compared %d objects, want 7", got.ObjectCount)
	}
	pricing, ok := got.ConfigMap(name + "-pricing")
	if !ok || pricing.Data["PRICE_TARGET_CPU"] != "1.6" {
		t.Errorf("config map %+v", pricing)
	}
	workload, ok := got.Workload("StatefulSet", name)
	if !ok || workload.Replicas != 1 || len(workload.Pods) != 0 {
		t.Errorf("workload %+v", workload)
	}
}

func TestObserveDrift(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*testing.T, *fakehelm.Fake)
		want   []facts.ObjectDrift
	}{
		{
			"a deleted object",
			func(t *testing.T, f *fakehelm.Fake) {
				if err := f.Delete("v1", "Service", namespace, name); err != nil {
					t.Fatal(err)
				}
			},
			[]facts.ObjectDrift{{APIVersion: "v1", Kind: "Service", Name: name, Missing: true}},
		},
		{
			"scaled down",
			func(t *testing.T, f *fakehelm.Fake) {
				edit(t, f, "apps/v1", "StatefulSet", name, int64(0), "spec", "replicas")
			},
			[]facts.ObjectDrift{{APIVersion: "apps/v1", Kind: "StatefulSet", Namespace: namespace, Name: name, Differences: []facts.FieldDifference{
				{Path: "spec.replicas", Rendered: "1", Live: "0"},
			}}},
		},
		{
			"a price edited in the cluster",
			func(t *testing.T, f *fakehelm.Fake) {
				edit(t, f, "v1", "ConfigMap", name+"-pricing", "99", "data", "PRICE_TARGET_CPU")
			},
			[]facts.ObjectDrift{{APIVersion: "v1", Kind: "ConfigMap", Namespace: namespace, Name: name + "-pricing", Differences: []facts.FieldDifference{
				{Path: "data.PRICE_TARGET_CPU", Rendered: "1.60", Live: "99"},
			}}},
		},
		{
			"a key added in the cluster",
			func(t *testing.T, f *fakehelm.Fake) {
				edit(t, f, "v1", "ConfigMap", name+"-pricing", "1", "data", "DEBUG_BID_SCRIPT")
			},
			[]facts.ObjectDrift{{APIVersion: "v1", Kind: "ConfigMap", Namespace: namespace, Name: name + "-pricing", Differences: []facts.FieldDifference{
				{Path: "data.DEBUG_BID_SCRIPT", Live: "1"},
			}}},
		},
		{
			"a secret changed in the cluster",
			func(t *testing.T, f *fakehelm.Fake) {
				edit(t, f, "v1", "Secret", name+"-keys", "b3RoZXIgc2VjcmV0", "data", "key.txt")
			},
			[]facts.ObjectDrift{{APIVersion: "v1", Kind: "Secret", Namespace: namespace, Name: name + "-keys", Differences: []facts.FieldDifference{
				{Path: "data[key.txt]", Rendered: sealed(canaryEncoded), Live: sealed("b3RoZXIgc2VjcmV0")},
			}}},
		},
		{
			"fields and labels that the cluster adds",
			func(t *testing.T, f *fakehelm.Fake) {
				edit(t, f, "apps/v1", "StatefulSet", name, "OrderedReady", "spec", "podManagementPolicy")
				edit(t, f, "apps/v1", "StatefulSet", name, "Helm", "metadata", "labels", "app.kubernetes.io/managed-by")
				edit(t, f, "v1", "Service", name, "10.0.0.1", "spec", "clusterIP")
			},
			nil,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			fake := fakehelm.New()
			install(t, fake, repository(t), "11.6.4", map[string]any{"price_target_cpu": "1.60", "key": canaryEncoded})
			test.change(t, fake)
			got := fake.Observe(context.Background(), question(), mac)
			if diff := cmp.Diff(test.want, got.Objects); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func sealed(value string) string {
	data, _ := json.Marshal(value)
	return "hmac:" + mac(data)
}

func edit(t *testing.T, fake *fakehelm.Fake, apiVersion, kind, object string, value any, at ...string) {
	t.Helper()
	live := fake.Get(apiVersion, kind, namespace, object)
	if live == nil {
		t.Fatalf("no %s %s", kind, object)
	}
	if err := unstructured.SetNestedField(live.Object, value, at...); err != nil {
		t.Fatal(err)
	}
	if err := fake.Set(live); err != nil {
		t.Fatal(err)
	}
}

func TestObservePods(t *testing.T) {
	ctx, fake := context.Background(), fakehelm.New()
	install(t, fake, repository(t), "11.6.4", map[string]any{"price_target_cpu": "1.60"})
	started := time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC)
	changed := metav1.NewTime(started.Add(time.Hour))
	pricing := fake.Get("v1", "ConfigMap", namespace, name+"-pricing")
	pricing.SetManagedFields([]metav1.ManagedFieldsEntry{{Manager: "helm", Operation: metav1.ManagedFieldsOperationUpdate, Time: &changed}})
	if err := fake.Set(pricing); err != nil {
		t.Fatal(err)
	}
	_, err := fake.Typed.CoreV1().Pods(namespace).Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name + "-0", UID: "uid-1",
			Labels: map[string]string{"app": name, "app.kubernetes.io/name": "provider", "app.kubernetes.io/instance": name, "controller-revision-hash": name + "-abc"},
		},
		Spec: corev1.PodSpec{NodeName: "worker1", Containers: []corev1.Container{{
			Name: "provider", Image: "example.net/provider:0.6.11",
			Env: []corev1.EnvVar{
				{Name: "AKASH_DEBUG", Value: "false"},
				{Name: "SOME_TOKEN", Value: canary},
				{Name: "PASSED", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "s"}, Key: "k"}}},
			},
			EnvFrom:   []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: name + "-pricing"}}}},
			Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{"cpu": resource.MustParse("1")}},
		}}},
		Status: corev1.PodStatus{
			Phase:      corev1.PodRunning,
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
			ContainerStatuses: []corev1.ContainerStatus{{
				Name: "provider", Ready: true, RestartCount: 2,
				State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(started)}},
			}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got := fake.Observe(ctx, question(), mac)
	workload, _ := got.Workload("StatefulSet", name)
	want := []facts.Pod{{
		Name: name + "-0", UID: "uid-1", Node: "worker1", Phase: "Running", Ready: true, Template: name + "-abc",
		Created: metav1.Time{}.UTC(),
		Containers: []facts.Container{{
			Name: "provider", Image: "example.net/provider:0.6.11", Ready: true, Started: started, Restarts: 2,
			Env: []facts.EnvVar{
				{Name: "AKASH_DEBUG", Value: "false"},
				{Name: "SOME_TOKEN", Value: sealed(canary)},
				{Name: "PASSED", From: "secret s/k"},
			},
			EnvFrom: []string{name + "-pricing"},
		}},
	}}
	if diff := cmp.Diff(want, workload.Pods); diff != "" {
		t.Errorf("pods (-want +got):\n%s", diff)
	}
	// The pod started an hour before its ConfigMap changed: it has another price, and nobody can say which.
	seen := got.Variable(workload.Pods[0].Containers[0], "PRICE_TARGET_CPU")
	if diff := cmp.Diff(facts.Variable{Value: "1.60", Set: true, Stale: true, From: "config map " + name + "-pricing"}, seen); diff != "" {
		t.Errorf("variable (-want +got):\n%s", diff)
	}
}

func TestFactsHoldNoSecrets(t *testing.T) {
	ctx, fake, server := context.Background(), fakehelm.New(), repository(t)
	values := map[string]any{
		"key":         canaryEncoded,
		"keysecret":   base64.StdEncoding.EncodeToString([]byte(canary + "-2")),
		"website":     "https://example.net/?key=" + canary, // a secret that leaked into another value's rendering
		"letsEncrypt": map[string]any{"enabled": true, "providers": map[string]any{"cloudflare": map[string]any{"enabled": true, "apiToken": canary + "-3"}}},
		// What another person wrote, under names that say nothing.
		"extraEnv": []any{map[string]any{"name": "DB", "value": canary + "-7"}},
		"dsn":      "host=db user=x pass=" + canary,
		"backend":  "https://ops:" + canary + "@db.example.net",
		"args":     []any{"--password=" + canary},
		"pem":      "-----BEGIN PRIVATE KEY-----\n" + canary + "\n-----END PRIVATE KEY-----\n",
		// Charts take maps whose keys are users, tokens or addresses.
		"users":        map[string]any{canary + "-8": true},
		"nodeSelector": map[string]any{"example.net/" + canary: "true"},
		"annotations":  map[string]any{canary + "-9": 1},
		"attributes":   []any{map[string]any{"key": "region", "value": "eu"}, map[string]any{"name": "x", "password": canary + "-4"}},
	}
	install(t, fake, server, "12.1.3", values)
	edit(t, fake, "v1", "Secret", name+"-keys", base64.StdEncoding.EncodeToString([]byte(canary+"-5")), "data", "key.txt")
	edit(t, fake, "v1", "ConfigMap", name+"-main", "prefix "+canary, "data", "AKASH_FROM")
	q := question()
	q.Mask, q.Known = append(q.Mask, "website"), []string{"region"}
	q.Offer = &facts.OfferQuestion{Source: provider(server), Constraint: "12.1.3", Preview: true, Values: map[string]any{"key": base64.StdEncoding.EncodeToString([]byte(canary + "-6"))}}
	text := marshal(t, fake.Observe(ctx, q, mac))
	if !strings.Contains(text, "hmac:") || !strings.Contains(text, `"update"`) {
		t.Fatalf("the facts hold less than expected: %s", text)
	}
	for i, secret := range []string{canary, canaryEncoded, "CANARY", base64.StdEncoding.EncodeToString([]byte("CANARY"))[:7]} {
		if at := strings.Index(text, secret); at >= 0 {
			t.Errorf("secret %d stands in the facts: …%s…", i, text[max(0, at-80):min(len(text), at+80)])
		}
	}
	if strings.Contains(text, `"region"`) == false {
		t.Error("what is no secret was masked as well")
	}
}
