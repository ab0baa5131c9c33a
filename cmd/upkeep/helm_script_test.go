package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	"upkeep/providers/facts"
	"upkeep/providers/helm"
)

// keptObjects is an API server that keeps what Helm itself writes: its records and the objects of a chart. It knows the kinds below
// in every namespace, makes every workload ready at once, and leaves all other requests to the simulated cluster.
type keptObjects struct {
	cluster http.Handler

	mu      sync.Mutex
	version int
	objects map[string]map[string]any // by path
}

// keptKinds are the kinds of objects by the path of their group and their plural.
var keptKinds = map[string]map[string]string{
	"/api/v1":       {"secrets": "Secret", "configmaps": "ConfigMap", "pods": "Pod"},
	"/apis/apps/v1": {"deployments": "Deployment"},
}

func (k *keptObjects) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	group, below, namespaced := strings.Cut(r.URL.Path, "/namespaces/")
	parts := strings.Split(below, "/")
	switch {
	case k.discover(w, r.URL.Path):
	case namespaced && len(parts) > 1 && keptKinds[group][parts[1]] != "" && (group != "/api/v1" || parts[0] != "kube-system"):
		k.mu.Lock()
		defer k.mu.Unlock()
		k.serve(w, r, group, parts[1])
	default:
		k.cluster.ServeHTTP(w, r)
	}
}

// discover answers which kinds there are.
func (k *keptObjects) discover(w http.ResponseWriter, at string) bool {
	switch at {
	case "/api":
		respond(w, http.StatusOK, metav1.APIVersions{TypeMeta: metav1.TypeMeta{Kind: "APIVersions"}, Versions: []string{"v1"}})
	case "/apis":
		version := metav1.GroupVersionForDiscovery{GroupVersion: "apps/v1", Version: "v1"}
		respond(w, http.StatusOK, metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}, Groups: []metav1.APIGroup{
			{Name: "apps", Versions: []metav1.GroupVersionForDiscovery{version}, PreferredVersion: version},
		}})
	case "/openapi/v3":
		paths := map[string]any{}
		for group := range keptKinds {
			paths[group[1:]] = map[string]any{"serverRelativeURL": at + group}
		}
		respond(w, http.StatusOK, map[string]any{"paths": paths})
	default:
		if group, described := strings.CutPrefix(at, "/openapi/v3"); described && keptKinds[group] != nil {
			respond(w, http.StatusOK, validates(group))
			return true
		}
		plurals, known := keptKinds[at]
		if !known {
			return false
		}
		list := metav1.APIResourceList{TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: versionAt(at)}
		for _, plural := range slices.Sorted(maps.Keys(plurals)) {
			list.APIResources = append(list.APIResources, metav1.APIResource{Name: plural, Kind: plurals[plural], Namespaced: true, Verbs: metav1.Verbs{"get", "list", "create", "update", "patch", "delete"}})
		}
		respond(w, http.StatusOK, list)
	}
	return true
}

// validates is the OpenAPI description of a group: it says that the server validates fields itself, so that Helm need not.
func validates(group string) map[string]any {
	name, version, found := strings.Cut(versionAt(group), "/")
	if !found {
		name, version = "", name
	}
	paths := map[string]any{}
	for plural, kind := range keptKinds[group] {
		paths[group+"/"+plural] = map[string]any{"patch": map[string]any{
			"parameters":                      []any{map[string]any{"name": "fieldValidation", "in": "query"}},
			"responses":                       map[string]any{},
			"x-kubernetes-group-version-kind": map[string]any{"group": name, "version": version, "kind": kind},
		}}
	}
	return map[string]any{"openapi": "3.0.0", "info": map[string]any{"title": "Kubernetes", "version": "v1"}, "paths": paths}
}

func (k *keptObjects) serve(w http.ResponseWriter, r *http.Request, group, plural string) {
	at := r.URL.Path
	collection := path.Base(at) == plural
	var sent map[string]any
	if r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch {
		var err error
		if sent, err = decoded(r.Body); err != nil {
			deny(w, http.StatusBadRequest, metav1.StatusReason(err.Error()))
			return
		}
	}
	if r.Method == http.MethodPost && collection {
		metadata, _ := sent["metadata"].(map[string]any)
		at = fmt.Sprintf("%s/%s", at, metadata["name"])
	}
	stored, exists := k.objects[at]
	switch {
	case r.Method == http.MethodGet && collection:
		k.list(w, r, versionAt(group), keptKinds[group][plural])
	case r.Method == http.MethodPost && exists:
		deny(w, http.StatusConflict, metav1.StatusReasonAlreadyExists)
	case r.Method == http.MethodPost:
		sent["kind"], sent["apiVersion"] = keptKinds[group][plural], versionAt(group)
		k.keep(w, http.StatusCreated, at, sent)
	case !exists:
		deny(w, http.StatusNotFound, metav1.StatusReasonNotFound)
	case r.Method == http.MethodGet:
		respond(w, http.StatusOK, stored)
	case r.Method == http.MethodPut:
		sent["kind"], sent["apiVersion"] = stored["kind"], stored["apiVersion"]
		k.keep(w, http.StatusOK, at, sent)
	case r.Method == http.MethodPatch && r.Header.Get("Content-Type") != string(types.StrategicMergePatchType):
		deny(w, http.StatusUnsupportedMediaType, metav1.StatusReasonUnsupportedMediaType)
	case r.Method == http.MethodPatch:
		changed, err := merged(stored, sent)
		if err != nil {
			deny(w, http.StatusBadRequest, metav1.StatusReason(err.Error()))
			return
		}
		k.keep(w, http.StatusOK, at, changed)
	case r.Method == http.MethodDelete:
		delete(k.objects, at)
		respond(w, http.StatusOK, stored)
	default:
		deny(w, http.StatusMethodNotAllowed, metav1.StatusReasonMethodNotAllowed)
	}
}

// decoded reads an object or a patch, in JSON or, as clients of known kinds write, in protobuf.
func decoded(body io.Reader) (out map[string]any, err error) {
	data, err := io.ReadAll(body)
	if err != nil || json.Unmarshal(data, &out) == nil {
		return out, err
	}
	o, _, err := scheme.Codecs.UniversalDeserializer().Decode(data, nil, nil)
	if err != nil {
		return nil, err
	}
	if data, err = json.Marshal(o); err == nil {
		err = json.Unmarshal(data, &out)
	}
	return out, err
}

func (k *keptObjects) list(w http.ResponseWriter, r *http.Request, version, kind string) {
	selector, err := labels.Parse(r.URL.Query().Get("labelSelector"))
	if err != nil {
		deny(w, http.StatusBadRequest, metav1.StatusReasonBadRequest)
		return
	}
	items := []any{}
	for _, at := range slices.Sorted(maps.Keys(k.objects)) {
		found := labels.Set{}
		metadata, _ := k.objects[at]["metadata"].(map[string]any)
		all, _ := metadata["labels"].(map[string]any)
		for key, value := range all {
			found[key], _ = value.(string)
		}
		if path.Dir(at) == r.URL.Path && selector.Matches(found) {
			items = append(items, k.objects[at])
		}
	}
	respond(w, http.StatusOK, map[string]any{"kind": kind + "List", "apiVersion": version, "metadata": map[string]any{}, "items": items})
}

func (k *keptObjects) keep(w http.ResponseWriter, code int, at string, o map[string]any) {
	k.version++
	metadata, _ := o["metadata"].(map[string]any)
	metadata["namespace"] = path.Base(path.Dir(path.Dir(at)))
	metadata["uid"], metadata["resourceVersion"], metadata["generation"] = "of "+at, strconv.Itoa(k.version), 1
	if o["kind"] == "Deployment" {
		o["status"] = map[string]any{"observedGeneration": 1, "replicas": 1, "readyReplicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
	}
	k.objects[at] = o
	respond(w, code, o)
}

// merged applies a strategic merge patch, which is what Helm sends for kinds that it knows: lists merge by their keys.
func merged(old, patch map[string]any) (out map[string]any, err error) {
	document, err := json.Marshal(old)
	if err != nil {
		return nil, err
	}
	change, err := json.Marshal(patch)
	if err != nil {
		return nil, err
	}
	version, _ := old["apiVersion"].(string)
	name, _ := old["kind"].(string)
	kind, err := scheme.Scheme.New(schema.FromAPIVersionAndKind(version, name))
	if err != nil {
		return nil, err
	}
	if document, err = strategicpatch.StrategicMergePatch(document, change, kind); err != nil {
		return nil, err
	}
	return out, json.Unmarshal(document, &out)
}

// versionAt is the group and version at a path of an API server.
func versionAt(group string) string {
	return strings.TrimPrefix(strings.TrimPrefix(group, "/apis/"), "/api/")
}

func respond(w http.ResponseWriter, code int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(answer) // a client that is gone needs no answer
}

func deny(w http.ResponseWriter, code int, reason metav1.StatusReason) {
	respond(w, code, metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: int32(code), Reason: reason, Message: string(reason)})
}

// serverOf starts the API server of the script's cluster; with "helm" it keeps what Helm writes.
func serverOf(ts *testscript.TestScript, args []string) string {
	handler := clusterOf(ts).Kubernetes()
	if slices.Contains(args, "helm") {
		handler = &keptObjects{cluster: handler, objects: map[string]map[string]any{}}
	}
	if slices.Contains(args, "hostile") {
		handler = hostile{inner: handler, at: ts.MkAbs("hostile")}
	}
	if slices.Contains(args, "tls") {
		at, closed, err := clusterOf(ts).ServeTLS(handler)
		ts.Check(err)
		ts.Defer(closed)
		return at
	}
	server := httptest.NewServer(handler)
	ts.Defer(server.Close)
	return server.URL
}

// install installs a chart as somebody without upkeep would: `install NAMESPACE RELEASE CHART VERSION VALUES`.
func install(ts *testscript.TestScript, _ bool, args []string) {
	var values map[string]any
	ts.Check(yaml.Unmarshal([]byte(ts.ReadFile(args[4])), &values))
	client, err := helm.Open(ts.MkAbs("kubeconfig"), "")
	ts.Check(err)
	_, err = client.Upgrade(context.Background(), helm.Upgrade{
		Namespace: args[0], Release: args[1], Source: facts.ChartSource{Path: ts.MkAbs(args[2])}, Version: args[3], Values: values, Install: true,
	}, nil)
	ts.Check(err)
}
