package helm

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"upkeep/providers/facts"
	"upkeep/providers/helm/objects"
)

// ownPrefix begins the annotations that upkeep sets on objects it has changed; restartedAt is what `kubectl rollout
// restart` sets on a pod template.
const (
	ownPrefix   = "upkeep."
	restartedAt = "kubectl.kubernetes.io/restartedAt"
)

// workload reads a workload's state and its pods.
func (c *Client) workload(ctx context.Context, rendered objects.Object, live *unstructured.Unstructured, err error, question facts.ReleaseQuestion, redaction objects.Redaction) facts.Workload {
	w := facts.Workload{Kind: objects.Kind(rendered), Name: objects.Name(rendered)}
	switch {
	case apierrors.IsNotFound(err):
		w.Missing = true
		return w
	case err != nil:
		w.Unknown = redaction.Scrub(explain(err))
		return w
	}
	w.UID = string(live.GetUID())
	for key, value := range live.GetAnnotations() {
		if strings.HasPrefix(key, ownPrefix) {
			annotate(&w, key, value)
		}
	}
	selector, template, err := controller(live, &w)
	if err != nil {
		w.Unknown = redaction.Scrub(err.Error())
		return w
	}
	if at := template.Annotations[restartedAt]; at != "" {
		annotate(&w, restartedAt, at)
	}
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		w.Unknown = err.Error()
		return w
	}
	pods, err := c.pods(ctx, live.GetNamespace(), parsed)
	if err != nil {
		w.Unknown = "pods: " + explain(err)
		return w
	}
	for _, pod := range pods {
		f := podFacts(pod, redaction)
		if len(question.Environment) > 0 {
			c.environment(ctx, pod, &f, question, redaction)
		}
		w.Pods = append(w.Pods, f)
	}
	return w
}

func annotate(w *facts.Workload, key, value string) {
	if w.Annotations == nil {
		w.Annotations = map[string]string{}
	}
	w.Annotations[key] = value
}

// controller reads the counts of a workload, and returns its selector and template.
func controller(live *unstructured.Unstructured, w *facts.Workload) (*metav1.LabelSelector, *corev1.PodTemplateSpec, error) {
	one := func(replicas *int32) int {
		if replicas == nil {
			return 1 // the API's default
		}
		return int(*replicas)
	}
	convert := func(into any) error {
		return runtime.DefaultUnstructuredConverter.FromUnstructured(live.Object, into)
	}
	switch w.Kind {
	case "StatefulSet":
		var o appsv1.StatefulSet
		if err := convert(&o); err != nil {
			return nil, nil, err
		}
		w.Replicas, w.Ready, w.Updated = one(o.Spec.Replicas), int(o.Status.ReadyReplicas), int(o.Status.UpdatedReplicas)
		if o.Status.CurrentRevision == o.Status.UpdateRevision {
			w.Updated = int(o.Status.CurrentReplicas) // nothing is being rolled out
		}
		w.Settled = o.Status.ObservedGeneration >= o.Generation
		return o.Spec.Selector, &o.Spec.Template, nil
	case "Deployment":
		var o appsv1.Deployment
		if err := convert(&o); err != nil {
			return nil, nil, err
		}
		w.Replicas, w.Ready, w.Updated = one(o.Spec.Replicas), int(o.Status.ReadyReplicas), int(o.Status.UpdatedReplicas)
		w.Settled = o.Status.ObservedGeneration >= o.Generation
		return o.Spec.Selector, &o.Spec.Template, nil
	case "DaemonSet":
		var o appsv1.DaemonSet
		if err := convert(&o); err != nil {
			return nil, nil, err
		}
		w.Replicas, w.Ready, w.Updated = int(o.Status.DesiredNumberScheduled), int(o.Status.NumberReady), int(o.Status.UpdatedNumberScheduled)
		w.Settled = o.Status.ObservedGeneration >= o.Generation
		return o.Spec.Selector, &o.Spec.Template, nil
	}
	return nil, nil, fmt.Errorf("%s is no workload", w.Kind)
}

func (c *Client) pods(ctx context.Context, namespace string, selector labels.Selector) (pods []corev1.Pod, err error) {
	err = c.do(ctx, func() error {
		list, err := c.typed.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector.String()})
		if err == nil {
			pods = list.Items
		}
		return err
	})
	slices.SortFunc(pods, func(a, b corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	return pods, err
}

func podFacts(pod corev1.Pod, redaction objects.Redaction) facts.Pod {
	f := facts.Pod{
		Name:     pod.Name,
		UID:      string(pod.UID),
		Node:     pod.Spec.NodeName,
		Phase:    string(pod.Status.Phase),
		Problem:  redaction.Scrub(problem(pod)),
		Deleting: pod.DeletionTimestamp != nil,
		Created:  pod.CreationTimestamp.UTC(),
		Template: cmp.Or(pod.Labels["controller-revision-hash"], pod.Labels["pod-template-hash"]),
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			f.Ready = condition.Status == corev1.ConditionTrue
		}
	}
	for _, container := range pod.Spec.Containers {
		f.Containers = append(f.Containers, containerFacts(container, pod.Status, redaction))
	}
	return f
}

func containerFacts(container corev1.Container, status corev1.PodStatus, redaction objects.Redaction) facts.Container {
	f := facts.Container{Name: container.Name, Image: container.Image}
	for _, s := range status.ContainerStatuses {
		if s.Name == container.Name {
			f.Ready, f.Restarts = s.Ready, int(s.RestartCount)
			if s.State.Running != nil {
				f.Started = s.State.Running.StartedAt.UTC()
			}
		}
	}
	for _, env := range container.Env {
		f.Env = append(f.Env, envFacts(env, redaction))
	}
	for _, from := range container.EnvFrom {
		if from.ConfigMapRef != nil && from.Prefix == "" {
			f.EnvFrom = append(f.EnvFrom, from.ConfigMapRef.Name)
		}
	}
	return f
}

func envFacts(env corev1.EnvVar, redaction objects.Redaction) facts.EnvVar {
	f := facts.EnvVar{Name: env.Name, Value: redaction.Text(env.Name, env.Value)}
	if from := env.ValueFrom; from != nil {
		switch {
		case from.SecretKeyRef != nil:
			f.From = "secret " + from.SecretKeyRef.Name + "/" + from.SecretKeyRef.Key
		case from.ConfigMapKeyRef != nil:
			f.From = "config map " + from.ConfigMapKeyRef.Name + "/" + from.ConfigMapKeyRef.Key
		case from.FieldRef != nil:
			f.From = "field " + from.FieldRef.FieldPath
		case from.ResourceFieldRef != nil:
			f.From = "resource " + from.ResourceFieldRef.Resource
		default:
			f.From = "elsewhere"
		}
	}
	return f
}

// problem says why a pod does not run; "" when it does.
func problem(pod corev1.Pod) string {
	for _, s := range append(slices.Clone(pod.Status.InitContainerStatuses), pod.Status.ContainerStatuses...) {
		if waiting := s.State.Waiting; waiting != nil && waiting.Reason != "" && waiting.Reason != "ContainerCreating" && waiting.Reason != "PodInitializing" {
			return join(s.Name+" "+waiting.Reason, waiting.Message)
		}
		if ended := s.State.Terminated; ended != nil && ended.ExitCode != 0 {
			return join(fmt.Sprintf("%s ended with status %d", s.Name, ended.ExitCode), ended.Reason)
		}
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return join(condition.Reason, condition.Message)
		}
	}
	return join(pod.Status.Reason, pod.Status.Message)
}

func join(reason, message string) string {
	if reason == "" || message == "" {
		return reason + message
	}
	return reason + ": " + message
}
