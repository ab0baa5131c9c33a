package objects_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"upkeep/providers/facts"
	"upkeep/providers/helm/objects"
)

func parse(t testing.TB, text string) objects.Object {
	t.Helper()
	var o objects.Object
	if err := yaml.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

var redaction = objects.Redaction{MAC: func(data []byte) string { return "of " + string(data[:min(4, len(data))]) }, Secrets: []string{"s3cr3t"}}

const rendered = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: d, labels: {app: d}}
spec:
  replicas: 2
  strategy: {}
  template:
    spec:
      nodeSelector: {gpu: "true"}
      containers:
      - name: c
        image: i:1
        args: [a, b]
        env:
        - {name: A, value: "1"}
        - {name: B_TOKEN, value: x}
        ports:
        - {containerPort: 80}
        - {containerPort: 443, protocol: TCP}
        volumeMounts:
        - {name: v, mountPath: /a}
        - {name: v, mountPath: /b, readOnly: false}
`

func TestDrift(t *testing.T) {
	for _, test := range []struct {
		name, from, to string
		want           []facts.FieldDifference
	}{
		{"nothing", "", "", nil},
		{"a default of the server", "replicas: 2", "replicas: 2\n  paused: true\n  revisionHistoryLimit: 10", nil},
		{"a default inside an element", "image: i:1", "image: i:1\n        imagePullPolicy: Always", nil},
		{"another order", "- {name: A, value: \"1\"}\n        - {name: B_TOKEN, value: x}", "- {name: B_TOKEN, value: x}\n        - {name: A, value: \"1\"}", nil},
		{"another number", "replicas: 2", "replicas: 0", []facts.FieldDifference{{Path: "spec.replicas", Rendered: "2", Live: "0"}}},
		{"another value", `value: "1"`, `value: "2"`, []facts.FieldDifference{{Path: "spec.template.spec.containers[c].env[A].value", Rendered: "1", Live: "2"}}},
		{"another secret value", "value: x", "value: z", []facts.FieldDifference{{Path: "spec.template.spec.containers[c].env[B_TOKEN].value", Rendered: `hmac:of "x"`, Live: `hmac:of "z"`}}},
		{"a known secret in a plain place", "image: i:1", "image: i:s3cr3t", []facts.FieldDifference{{Path: "spec.template.spec.containers[c].image", Rendered: "i:1", Live: `hmac:of "i:s`}}},
		{"a variable more", `- {name: A, value: "1"}`, "- {name: A, value: \"1\"}\n        - {name: X, value: \"9\"}", []facts.FieldDifference{{Path: "spec.template.spec.containers[c].env[X]", Live: `hmac:of {"na`}}},
		{"a variable less", `- {name: A, value: "1"}`, "", []facts.FieldDifference{{Path: "spec.template.spec.containers[c].env[A]", Rendered: `hmac:of {"na`}}},
		{"a selector more", `{gpu: "true"}`, `{gpu: "true", zone: a}`, []facts.FieldDifference{{Path: "spec.template.spec.nodeSelector.zone", Live: "a"}}},
		{"another argument", "[a, b]", "[a]", []facts.FieldDifference{{Path: "spec.template.spec.containers[c].args", Rendered: `hmac:of ["a"`, Live: `hmac:of ["a"`}}},
		{"a changed element", "/b, readOnly: false", "/b, readOnly: true", []facts.FieldDifference{{Path: "spec.template.spec.containers[c].volumeMounts[/b].readOnly", Rendered: "false", Live: "true"}}},
		{"a label", "{app: d}", "{app: e, more: x}", []facts.FieldDifference{{Path: "metadata.labels.app", Rendered: "d", Live: "e"}}},
		{"a map that became a text", `{gpu: "true"}`, "text", []facts.FieldDifference{{Path: "spec.template.spec.nodeSelector", Rendered: `{"gpu":"true"}`, Live: "text"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if !strings.Contains(rendered, test.from) {
				t.Fatalf("%q is not in the object", test.from)
			}
			live := strings.Replace(rendered, test.from, test.to, 1)
			if test.from == "" {
				live = rendered + "status: {replicas: 2}\n"
			}
			if diff := cmp.Diff(test.want, objects.Drift(parse(t, rendered), parse(t, live), redaction)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSecretsAreComparedAndNeverShown(t *testing.T) {
	plain := parse(t, "{apiVersion: v1, kind: Secret, metadata: {name: s}, type: Opaque, stringData: {a: hello}}")
	live := parse(t, "{apiVersion: v1, kind: Secret, metadata: {name: s}, type: Opaque, data: {a: aGVsbG8=}}")
	if got := objects.Drift(plain, live, redaction); got != nil {
		t.Errorf("stringData is data in plain: %v", got)
	}
	live = parse(t, "{apiVersion: v1, kind: Secret, metadata: {name: s}, type: Opaque, data: {a: b3RoZXI=, b: eA==}}")
	want := []facts.FieldDifference{
		{Path: "data.a", Rendered: `hmac:of "aGV`, Live: `hmac:of "b3R`},
		{Path: "data.b", Live: `hmac:of "eA=`},
	}
	if diff := cmp.Diff(want, objects.Drift(plain, live, redaction)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLongTextsAreDigests(t *testing.T) {
	a := objects.Object{"kind": "Deployment", "spec": objects.Object{"strategy": strings.Repeat("a", 300)}}
	b := objects.Object{"kind": "Deployment", "spec": objects.Object{"strategy": strings.Repeat("b", 300)}}
	got := objects.Drift(a, b, objects.Redaction{})
	if len(got) != 1 || got[0].Path != "spec.strategy" || got[0].Rendered == got[0].Live {
		t.Fatalf("%+v", got)
	}
	for _, text := range []string{got[0].Rendered, got[0].Live} {
		if !regexp.MustCompile(`^sha256:[0-9a-f]{12} \(300 bytes\)$`).MatchString(text) {
			t.Errorf("%q", text)
		}
	}
}

func TestCompare(t *testing.T) {
	before := []objects.Object{
		parse(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: gone}}"),
		parse(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: kept, annotations: {helm.sh/resource-policy: keep}}}"),
		parse(t, "{apiVersion: extensions/v1beta1, kind: Ingress, metadata: {name: same}, spec: {a: 1}}"),
		parse(t, "{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: s}, spec: {replicas: 1, serviceName: a, template: {spec: {x: 1}}}}"),
		parse(t, "{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {replicas: 1, selector: {matchLabels: {a: b}}, template: {spec: {x: 1}}}}"),
		parse(t, "{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: e}, spec: {selector: {matchLabels: {a: b}}, template: {}}}"),
		parse(t, "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: r}, roleRef: {name: a}}"),
		parse(t, "{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: c}, reclaimPolicy: Retain, allowVolumeExpansion: false}"),
	}
	after := []objects.Object{
		parse(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: new}}"),
		parse(t, "{apiVersion: extensions/v1beta1, kind: Ingress, metadata: {name: same}, spec: {a: 1}}"),
		parse(t, "{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: s}, spec: {replicas: 2, serviceName: b, template: {spec: {x: 1}}, volumeClaimTemplates: [{metadata: {name: home}}]}}"),
		parse(t, "{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {replicas: 1, selector: {matchLabels: {a: b}}, template: {spec: {x: 2}}}}"),
		parse(t, "{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: e}, spec: {selector: {matchLabels: {a: c}}, template: {}}}"),
		parse(t, "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: r}, roleRef: {name: b}}"),
		parse(t, "{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: c}, reclaimPolicy: Delete, allowVolumeExpansion: true}"),
	}
	got := objects.Compare(before, after, redaction)
	var changes []string
	for _, o := range got.Objects {
		changes = append(changes, o.Action+" "+o.Kind+" "+o.Name)
	}
	wantChanges := []string{
		"update ClusterRoleBinding r", "delete ConfigMap gone", "keep ConfigMap kept", "create ConfigMap new", "update DaemonSet e",
		"update Deployment d", "update StatefulSet s", "update StorageClass c",
	}
	if diff := cmp.Diff(wantChanges, changes); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Deployment d"}, got.Rolls); diff != "" {
		t.Errorf("rolls (-want +got):\n%s", diff)
	}
	wantForbidden := []string{
		"DaemonSet e: spec.selector", "StatefulSet s: spec.serviceName", "StatefulSet s: spec.volumeClaimTemplates",
		"ClusterRoleBinding r: roleRef", "StorageClass c: reclaimPolicy",
	}
	if diff := cmp.Diff(wantForbidden, got.Forbidden); diff != "" {
		t.Errorf("forbidden (-want +got):\n%s", diff)
	}
}

func FuzzDrift(f *testing.F) {
	f.Add([]byte(rendered), []byte(rendered))
	f.Add([]byte("{kind: Secret, stringData: {a: 1}, data: x}"), []byte("{kind: Secret, data: {a: [1]}}"))
	f.Add([]byte("{metadata: 3, spec: [{name: a}, {name: 2}, 3]}"), []byte("{spec: {a: null}}"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		var x, y objects.Object
		if yaml.Unmarshal(a, &x) != nil || yaml.Unmarshal(b, &y) != nil {
			return
		}
		objects.Drift(x, y, objects.Redaction{})
		if got := objects.Drift(x, x, objects.Redaction{}); got != nil {
			t.Fatalf("an object has drifted from itself: %+v", got)
		}
		if got := objects.Changes(y, y, objects.Redaction{}); got != nil {
			t.Fatalf("an object differs from itself: %+v", got)
		}
		objects.Compare([]objects.Object{x}, []objects.Object{y}, objects.Redaction{})
	})
}
