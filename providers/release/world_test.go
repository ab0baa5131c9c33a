package release_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"upkeep/config"
	"upkeep/fixtures/chartrepo"
	"upkeep/fixtures/tasks"
	"upkeep/planner"
	"upkeep/planner/apply"
	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/helm"
	"upkeep/providers/helm/fakehelm"
	"upkeep/providers/helm/pending"
	"upkeep/providers/helm/values"
	"upkeep/providers/release"
	"upkeep/state/journal"
)

var clock = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const (
	namespace = "nvidia-device-plugin"
	name      = "nvdp"
	daemonSet = "nvdp-nvidia-device-plugin"
)

// world is a cluster with two GPU nodes, whose DaemonSets get their pods, and a repository of charts.
type world struct {
	*fakehelm.Fake
	repository string
	clock      time.Time
	nodes      []facts.KubernetesNode
	// broken nodes never get a pod ready.
	broken map[string]bool
}

func open(t testing.TB) *world {
	t.Helper()
	list, err := chartrepo.All()
	if err != nil {
		t.Fatal(err)
	}
	handler, err := chartrepo.Handler(list)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return &world{
		Fake: fakehelm.New(), repository: server.URL, clock: clock, broken: map[string]bool{},
		nodes: []facts.KubernetesNode{{Name: "gpu1", Ready: true}, {Name: "gpu2", Ready: true}},
	}
}

// install installs the plugin as somebody without upkeep would.
func (w *world) install(t testing.TB, version string, values map[string]any) {
	t.Helper()
	_, err := w.Fake.Upgrade(context.Background(), helm.Upgrade{
		Namespace: namespace, Release: name, Source: w.source(), Version: version, Values: values, Install: true, CreateNamespace: true,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) source() facts.ChartSource {
	return facts.ChartSource{Repository: w.repository, Name: "nvidia-device-plugin"}
}

// spec is a block that wants a version of the plugin and values.
func (w *world) spec(version string, tree values.Tree) release.Spec {
	return release.Spec{
		Name: "device_plugin", Release: name, Namespace: namespace, CreateNamespace: true, Wanted: values.Wanted{Values: tree},
		Chart: release.Chart{Source: w.source(), Version: version}, Wait: true, Atomic: true,
		Timeout: config.Duration(5 * time.Minute),
	}
}

func mac(secret []byte) string {
	h := hmac.New(sha256.New, []byte("the key of a state"))
	h.Write(secret)
	return hex.EncodeToString(h.Sum(nil))[:32]
}

func (w *world) now() time.Time { return w.clock }

func (w *world) sleep(ctx context.Context, d time.Duration) error {
	w.clock = w.clock.Add(d)
	return ctx.Err()
}

// Upgrade implements release.Releases.
func (w *world) Upgrade(ctx context.Context, u release.Upgrade, progress func(string)) error {
	_, err := w.Fake.Upgrade(ctx, helm.Upgrade{
		Namespace: u.Namespace, Release: u.Release, Source: u.Source, Version: u.Version, SHA256: u.SHA256, Values: u.Values, Mask: u.Mask,
		Revision: u.Revision, Install: u.Install, CreateNamespace: u.CreateNamespace, Wait: u.Wait, Atomic: u.Atomic, Timeout: u.Timeout,
	}, progress)
	return err
}

// Repair implements release.Releases.
func (w *world) Repair(ctx context.Context, namespace, name string, m pending.Repair) error {
	return w.Fake.Repair(ctx, namespace, name, m)
}

// observe looks at everything that a block needs.
func (w *world) observe(t testing.TB, specs ...providers.Resource) facts.World {
	t.Helper()
	if err := w.settle(); err != nil {
		t.Fatal(err)
	}
	out := facts.World{
		Nodes: map[string]*facts.Node{}, Releases: map[string]*facts.Release{}, Etcd: facts.Etcd{Unknown: "not asked"},
		Kubernetes: facts.Kubernetes{UID: "7c9c8d1e-0000-4000-8000-000000000001", Nodes: w.nodes}, ObservedAt: w.clock,
	}
	for _, spec := range specs {
		for _, question := range spec.Needs().Helm.Releases {
			found := w.Fake.Observe(context.Background(), question, mac)
			out.Releases[facts.ReleaseKey(question.Namespace, question.Name)] = &found
		}
	}
	return out
}

// settle does what the DaemonSet's controller and the kubelets would have done by now.
func (w *world) settle() error {
	o := w.Get("apps/v1", "DaemonSet", namespace, daemonSet)
	if o == nil {
		return nil
	}
	var set appsv1.DaemonSet
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &set); err != nil {
		return err
	}
	data, err := json.Marshal(set.Spec.Template)
	if err != nil {
		return err
	}
	hash := mac(data)[:8]
	set.Status = appsv1.DaemonSetStatus{ObservedGeneration: set.Generation, DesiredNumberScheduled: int32(len(w.nodes)), UpdatedNumberScheduled: int32(len(w.nodes))}
	pods := w.Typed.CoreV1().Pods(namespace)
	for _, node := range w.nodes {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: namespace, Name: daemonSet + "-" + node.Name, UID: types.UID(hash + "-" + node.Name), CreationTimestamp: metav1.NewTime(clock),
				Labels: map[string]string{"controller-revision-hash": hash},
			},
			Spec:   set.Spec.Template.Spec,
			Status: corev1.PodStatus{Phase: corev1.PodRunning},
		}
		for key, value := range set.Spec.Template.Labels {
			pod.Labels[key] = value
		}
		pod.Spec.NodeName = node.Name
		if !w.broken[node.Name] {
			set.Status.NumberReady++
			pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		} else {
			pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "ctr", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}}}
		}
		err := pods.Delete(context.Background(), pod.Name, metav1.DeleteOptions{})
		_, created := pods.Create(context.Background(), pod, metav1.CreateOptions{})
		if created != nil {
			return errors.Join(err, created)
		}
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&set)
	if err != nil {
		return err
	}
	changed := &unstructured.Unstructured{Object: content}
	changed.SetAPIVersion("apps/v1")
	changed.SetKind("DaemonSet")
	return w.Set(changed)
}

// change changes the live DaemonSet past Helm.
func (w *world) change(t *testing.T, path ...string) {
	t.Helper()
	o := w.Get("apps/v1", "DaemonSet", namespace, daemonSet).DeepCopy()
	if err := unstructured.SetNestedField(o.Object, "changed", path...); err != nil {
		t.Fatal(err)
	}
	if err := w.Set(o); err != nil {
		t.Fatal(err)
	}
}

func (w *world) plan(t testing.TB, specs ...providers.Resource) planner.Plan {
	t.Helper()
	return build(t, w.observe(t, specs...), nil, specs...)
}

func build(t testing.TB, world facts.World, replace []providers.Address, specs ...providers.Resource) planner.Plan {
	t.Helper()
	return buildWith(t, config.Meta{Without: []config.Waiver{{Guard: "backup", Reason: "a test"}}}, world, replace, specs...)
}

func buildWith(t testing.TB, meta config.Meta, world facts.World, replace []providers.Address, specs ...providers.Resource) planner.Plan {
	t.Helper()
	var desired config.Desired
	for _, spec := range specs {
		a := spec.Address()
		desired.Resources = append(desired.Resources, config.Declared{Type: a.Type, Name: a.Name, Key: a.Key, Meta: meta, Value: spec})
	}
	p, err := planner.Build(planner.Request{
		Desired: desired, World: world, Now: world.ObservedAt, Replace: replace, Overrides: []planner.Override{{Rule: "downgrade", Reason: "a test"}},
	}, []providers.Type{release.Type()})
	if err != nil {
		t.Fatal(err)
	}
	p.ID = "1"
	return p
}

// journalInMemory keeps the records of one run.
type journalInMemory struct{ records []journal.Record }

func (j *journalInMemory) Append(records ...journal.Record) error {
	for _, r := range records {
		r.Seq = uint64(len(j.records) + 1)
		j.records = append(j.records, r)
	}
	return nil
}

// execute applies a plan.
func (w *world) execute(t *testing.T, p planner.Plan, specs ...release.Spec) apply.Result {
	t.Helper()
	tools := release.Tools{Releases: w, Specs: map[providers.Address]release.Spec{}}
	var resources []providers.Resource
	for _, spec := range specs {
		tools.Specs[spec.Address()] = spec
		resources = append(resources, spec)
	}
	side := tasks.New(tasks.Time{At: w.now, Sleep: w.sleep}, 1, 2)
	e := &apply.Executor{
		Effects: release.Type().Effects, Operations: release.Operations(tools),
		Observe: func(ctx context.Context, _ ...providers.Step) (providers.Input, error) {
			seen := w.observe(t, resources...)
			return providers.Input{World: seen, Now: seen.ObservedAt, Replace: p.Request.Replace}, nil
		},
		Identify: func(context.Context) (planner.Identity, error) { return p.Request.Identity(), nil },
		Journal:  &journalInMemory{}, Now: w.now, Tasks: side,
	}
	var result apply.Result
	var err error
	side.Run(func() { result, err = e.Run(context.Background(), p) })
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func (w *world) values(t *testing.T) (map[string]any, int) {
	t.Helper()
	kept, revision, err := w.Fake.Values(context.Background(), namespace, name)
	if err != nil {
		t.Fatal(err)
	}
	return kept, revision
}

func operationsOf(p planner.Plan) []string {
	var out []string
	for _, step := range p.Steps {
		out = append(out, step.Operation)
	}
	return out
}

// ids are the findings that are more than notes, with what they are about.
func ids(findings []providers.Finding) []string {
	var out []string
	for _, f := range findings {
		if f.Severity != providers.SeverityNote {
			out = append(out, fmt.Sprintf("%s %s", f.ID, f.Object))
		}
	}
	return out
}

// inputOf is the ground of a plan.
func inputOf(p planner.Plan) providers.Input {
	return providers.Input{World: p.Request.World, Now: p.Request.Now}
}
