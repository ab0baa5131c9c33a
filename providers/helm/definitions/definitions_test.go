package definitions_test

import (
	"encoding/json"
	"strings"
	"testing"

	"upkeep/providers/helm/definitions"
)

const manifests = `# what a comment alone leaves
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: manifests.akash.network
  creationTimestamp: null
spec:
  group: akash.network
  scope: Namespaced
  names: {kind: Manifest, plural: manifests}
  versions:
    - name: v2beta1
      served: false
      storage: false
      schema: {openAPIV3Schema: {type: object}}
    - name: v2beta2
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec: {type: object, default: {b: 1, a: 2}, x-kubernetes-preserve-unknown-fields: true}
`

func TestRead(t *testing.T) {
	list, err := definitions.Read([]byte(manifests))
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	d := list[0]
	if d.Name != "manifests.akash.network" || d.Group != "akash.network" || strings.Join(d.Served, " ") != "v2beta2" || strings.Join(d.Versions, " ") != "v2beta1 v2beta2" {
		t.Errorf("%+v", d)
	}
	for _, test := range []struct{ name, text, want string }{
		{"nothing", "# nothing\n", "no CustomResourceDefinition"},
		{"something else", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n", "a v1 Secret"},
		{"twice", manifests + "---\n" + manifests, "occurs twice"},
		{"another name", strings.Replace(manifests, "name: manifests.akash", "name: others.akash", 1), `"others.akash.network" is of manifests.akash.network`},
		{"no YAML", "a: [", "document 1"},
		{"no version", "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a.b}\nspec: {group: b, names: {plural: a}}\n", "has no version"},
	} {
		if _, err := definitions.Read([]byte(test.text)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}

// TestLive: what the API server adds makes no other definition of it, and what somebody changes does.
func TestLive(t *testing.T) {
	list, err := definitions.Read([]byte(manifests))
	if err != nil {
		t.Fatal(err)
	}
	const returned = `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition",
	  "metadata":{"name":"manifests.akash.network","uid":"1","resourceVersion":"7","creationTimestamp":"2026-01-02T03:04:05Z"},
	  "spec":{"group":"akash.network","scope":"Namespaced","conversion":{"strategy":"None"},
	    "names":{"kind":"Manifest","plural":"manifests","singular":"manifest","listKind":"ManifestList"},
	    "versions":[{"name":"v2beta1","served":false,"storage":false,"schema":{"openAPIV3Schema":{"type":"object"}}},
	      {"name":"v2beta2","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object",
	        "properties":{"spec":{"type":"object","default":{"a":2,"b":1},"x-kubernetes-preserve-unknown-fields":true}}}}}]},
	  "status":{"storedVersions":["v2beta1","v2beta2"],"conditions":[{"type":"Established","status":"True"}]}}`
	live := func(text string) map[string]any {
		var object map[string]any
		if err := json.Unmarshal([]byte(text), &object); err != nil {
			t.Fatal(err)
		}
		return object
	}
	got, err := definitions.Live(live(returned))
	if err != nil || got.Digest != list[0].Digest || !got.Established || strings.Join(got.Stored, " ") != "v2beta1 v2beta2" || strings.Join(got.Served, " ") != "v2beta2" {
		t.Errorf("%+v, %v; the file has %s", got, err, list[0].Digest)
	}
	got, err = definitions.Live(live(strings.Replace(returned, `"b":1`, `"b":3`, 1)))
	if err != nil || got.Digest == list[0].Digest {
		t.Errorf("a changed schema has the digest of before, %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(manifests))
	f.Add([]byte("apiVersion: v1\nkind: List\n"))
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := definitions.Read(text)
		if err != nil {
			return
		}
		for _, d := range list {
			live, err := definitions.Live(d.Object)
			if err != nil || live.Digest != d.Digest {
				t.Fatalf("%s is read otherwise a second time: %v", d.Name, err)
			}
		}
	})
}
