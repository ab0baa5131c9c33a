package kube

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

var providerSet = Workload{Kind: "StatefulSet", Namespace: "akash-services", Name: "akash-provider"}

func withSet(replicas int32, annotations map[string]string) *Client {
	set := &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: providerSet.Namespace, Name: providerSet.Name, UID: "uid-1", Annotations: annotations},
		Spec:       appsv1.StatefulSetSpec{Replicas: &replicas},
	}
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "akash-services", Name: "operator-inventory"}}
	return &Client{api: fake.NewSimpleClientset(set, deployment)}
}

func TestScale(t *testing.T) {
	for _, test := range []struct {
		name        string
		from, to    int32
		has         int32
		set         map[string]string
		want        int32
		wantNotes   map[string]string
		wantErr     error
		wantWritten bool
		hadNotes    map[string]string
	}{
		{name: "down, and marked", has: 1, from: 1, to: 0, set: map[string]string{"upkeep.io/scaled": "run 1"}, want: 0, wantNotes: map[string]string{"upkeep.io/scaled": "run 1"}, wantWritten: true},
		{name: "again", has: 0, from: 1, to: 0, hadNotes: map[string]string{"m": "run 1"}, set: map[string]string{"m": "run 1"}, want: 0, wantNotes: map[string]string{"m": "run 1"}},
		{name: "up, and the mark goes", has: 0, from: 0, to: 1, hadNotes: map[string]string{"m": "run 1", "theirs": "x"}, set: map[string]string{"m": ""}, want: 1, wantNotes: map[string]string{"theirs": "x"}, wantWritten: true},
		{name: "somebody else scaled", has: 3, from: 1, to: 0, want: 3, wantErr: ErrScaled},
	} {
		t.Run(test.name, func(t *testing.T) {
			client := withSet(test.has, test.hadNotes)
			err := client.Scale(context.Background(), providerSet, test.from, test.to, test.set)
			if !errors.Is(err, test.wantErr) || (err == nil) != (test.wantErr == nil) {
				t.Fatalf("got %v, want %v", err, test.wantErr)
			}
			replicas, notes, found, err := client.Replicas(context.Background(), providerSet)
			if err != nil || !found || replicas != test.want {
				t.Errorf("%d replicas, %v, %v", replicas, found, err)
			}
			if diff := cmp.Diff(test.wantNotes, notes); diff != "" {
				t.Errorf("annotations (-want +got):\n%s", diff)
			}
			written := false
			for _, action := range client.api.(*fake.Clientset).Actions() {
				written = written || action.GetVerb() == "update"
			}
			if written != test.wantWritten {
				t.Errorf("written: %v", written)
			}
		})
	}
}

func TestRestartOnce(t *testing.T) {
	client := withSet(1, nil)
	at := time.Date(2026, 11, 22, 3, 0, 0, 0, time.FixedZone("", 3600))
	for _, w := range []Workload{providerSet, {Kind: "Deployment", Namespace: "akash-services", Name: "operator-inventory"}} {
		for range 2 {
			if err := client.Restart(context.Background(), w, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	updates := 0
	for _, action := range client.api.(*fake.Clientset).Actions() {
		if action.GetVerb() == "update" {
			updates++
		}
	}
	if updates != 2 {
		t.Errorf("%d writes for two restarts", updates)
	}
	set, err := client.api.AppsV1().StatefulSets(providerSet.Namespace).Get(context.Background(), providerSet.Name, metav1.GetOptions{})
	if err != nil || set.Spec.Template.Annotations[RestartedAt] != "2026-11-22T02:00:00Z" {
		t.Errorf("%v, %v", set.Spec.Template.Annotations, err)
	}
	if err := client.Restart(context.Background(), Workload{Kind: "Job", Name: "j"}, at); err == nil {
		t.Error("a Job was restarted")
	}
}

func TestDeleteStatefulSetIsIdempotent(t *testing.T) {
	client := withSet(1, nil)
	for range 2 {
		if err := client.DeleteStatefulSet(context.Background(), providerSet.Namespace, providerSet.Name, "uid-1"); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, found, err := client.Replicas(context.Background(), providerSet); err != nil || found {
		t.Errorf("still there: %v, %v", found, err)
	}
}

func TestDeleteStatefulSetNamesWhatItMeans(t *testing.T) {
	var sent metav1.DeleteOptions
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: "Success"})
	}))
	t.Cleanup(server.Close)
	client, err := Open(kubeconfig(t, server.URL), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := client.DeleteStatefulSet(context.Background(), "n", "s", "uid-7"); err != nil {
		t.Fatal(err)
	}
	if sent.PropagationPolicy == nil || *sent.PropagationPolicy != metav1.DeletePropagationOrphan || sent.Preconditions == nil || *sent.Preconditions.UID != "uid-7" {
		t.Errorf("sent %+v: the pods would go, or another set", sent)
	}
}

func TestApplyCRD(t *testing.T) {
	var path, query, kind string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, query, kind = r.Method+" "+r.URL.Path, r.URL.RawQuery, r.Header.Get("Content-Type")
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition"}`)
	}))
	t.Cleanup(server.Close)
	client, err := Open(kubeconfig(t, server.URL), "")
	if err != nil {
		t.Fatal(err)
	}
	crd := `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"manifests.akash.network"}}`
	if err := client.ApplyCRD(context.Background(), json.RawMessage(crd)); err != nil {
		t.Fatal(err)
	}
	if path != "PATCH /apis/apiextensions.k8s.io/v1/customresourcedefinitions/manifests.akash.network" || kind != "application/apply-patch+yaml" || !strings.Contains(query, "fieldManager=upkeep") {
		t.Errorf("%s?%s as %s", path, query, kind)
	}
	for _, text := range []string{"{}", "3", strings.Replace(crd, "CustomResourceDefinition", "Secret", 1)} {
		if err := client.ApplyCRD(context.Background(), json.RawMessage(text)); err == nil {
			t.Errorf("%s was applied", text)
		}
	}
}
