package kube

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// StatefulSets stops, starts and deletes StatefulSets, and deletes pods. What it stops it marks first, in the same
// request: a StatefulSet is never at 0 replicas by upkeep's hand without its mark (annotations that say by which run,
// and how many replicas there were).
type StatefulSets struct {
	Client *Client
	// Poll is how often a wait looks; a second when zero.
	Poll time.Duration
}

// ScaledError says that somebody has scaled a StatefulSet while upkeep waited for its pods.
type ScaledError struct {
	Workload  Workload
	Want, Has int // replicas
}

func (e *ScaledError) Error() string {
	return fmt.Sprintf("somebody has scaled %s to %d while upkeep waited for it to have %d replicas", e.Workload,
		e.Has, e.Want)
}

// Stop scales a StatefulSet to 0 and annotates it, in one write, and waits until its pods are gone or ctx ends. Where
// somebody else scales it at the same time it waits no longer: the error is a *ScaledError.
func (s StatefulSets) Stop(ctx context.Context, namespace, name string, mark map[string]string) error {
	if err := s.scale(ctx, namespace, name, 0, mark); err != nil {
		return err
	}
	return s.wait(ctx, func() (bool, string, error) {
		if err := s.overruled(ctx, namespace, name, 0); err != nil {
			return false, "", err
		}
		pods, err := s.pods(ctx, namespace, name)
		return len(pods) == 0, fmt.Sprintf("the pods %v of StatefulSet %s/%s are still there", pods, namespace, name), err
	})
}

// Start scales a StatefulSet to a number of replicas and takes annotations away, in one write, and waits until
// they are
// ready or ctx ends. Where somebody else scales it at the same time it waits no longer: the error is a *ScaledError.
func (s StatefulSets) Start(ctx context.Context, namespace, name string, replicas int, unmark []string) error {
	annotations := map[string]string{}
	for _, key := range unmark {
		annotations[key] = ""
	}
	if err := s.scale(ctx, namespace, name, replicas, annotations); err != nil {
		return err
	}
	return s.wait(ctx, func() (bool, string, error) {
		set, err := s.get(ctx, namespace, name)
		if err != nil {
			return false, "", err
		}
		if err := scaled(set, replicas); err != nil {
			return false, "", err
		}
		ready := int(set.Status.ReadyReplicas)
		return set.Status.ObservedGeneration >= set.Generation && ready >= replicas,
			fmt.Sprintf("StatefulSet %s/%s has %d of %d replicas ready", namespace, name, ready, replicas), nil
	})
}

// scale scales what is there now: somebody who scales it in between is not overruled.
func (s StatefulSets) scale(ctx context.Context, namespace, name string, replicas int, annotations map[string]string) error {
	workload := Workload{Kind: "StatefulSet", Namespace: namespace, Name: name}
	now, _, found, err := s.Client.Replicas(ctx, workload)
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("%s is not there", workload)
	}
	return s.Client.Scale(ctx, workload, now, int32(replicas), annotations)
}

func (s StatefulSets) get(ctx context.Context, namespace, name string) (*appsv1.StatefulSet, error) {
	set, err := s.Client.api.AppsV1().StatefulSets(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading StatefulSet %s/%s: %w", namespace, name, err)
	}
	return set, nil
}

// overruled returns a *ScaledError where a StatefulSet is to have another number of replicas by now. One that is gone
// has none.
func (s StatefulSets) overruled(ctx context.Context, namespace, name string, replicas int) error {
	set, err := s.get(ctx, namespace, name)
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return err
	}
	return scaled(set, replicas)
}

func scaled(set *appsv1.StatefulSet, replicas int) error {
	has := 1 // the default of the API
	if set.Spec.Replicas != nil {
		has = int(*set.Spec.Replicas)
	}
	if has == replicas {
		return nil
	}
	return &ScaledError{Workload{Kind: "StatefulSet", Namespace: set.Namespace, Name: set.Name}, replicas, has}
}

// pods returns the names of the pods that a StatefulSet selects; none where it is gone.
func (s StatefulSets) pods(ctx context.Context, namespace, name string) ([]string, error) {
	set, err := s.Client.api.AppsV1().StatefulSets(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading StatefulSet %s/%s: %w", namespace, name, err)
	}
	selector, err := metav1.LabelSelectorAsSelector(set.Spec.Selector)
	if err != nil || selector.Empty() {
		selector = labels.Nothing()
	}
	list, err := s.Client.api.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector.String()})
	if err != nil {
		return nil, fmt.Errorf("listing the pods of StatefulSet %s/%s: %w", namespace, name, err)
	}
	var names []string
	for _, pod := range list.Items {
		names = append(names, pod.Name)
	}
	slices.Sort(names)
	return names, nil
}

// DeletePod deletes a pod, if it is still the one with that uid: a pod that has been replaced at the same time stays.
// One that is gone is no error.
func (s StatefulSets) DeletePod(ctx context.Context, namespace, name, uid string) error {
	err := s.Client.api.CoreV1().Pods(namespace).Delete(ctx, name,
		metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(uid)})
	switch {
	case err == nil, apierrors.IsNotFound(err), apierrors.IsConflict(err):
		return nil
	}
	return fmt.Errorf("deleting pod %s/%s: %w", namespace, name, err)
}

// DeleteStatefulSet deletes a StatefulSet, if it is still the one with that uid, and waits until it is gone. Pods and
// volumes stay; see Client.DeleteStatefulSet.
func (s StatefulSets) DeleteStatefulSet(ctx context.Context, namespace, name, uid string) error {
	if err := s.Client.DeleteStatefulSet(ctx, namespace, name, uid); err != nil {
		return err
	}
	return s.wait(ctx, func() (bool, string, error) {
		set, err := s.Client.api.AppsV1().StatefulSets(namespace).Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || err == nil && string(set.UID) != uid {
			return true, "", nil
		}
		return false, fmt.Sprintf("StatefulSet %s/%s is still there", namespace, name), err
	})
}

// Marked is a StatefulSet that carries a mark of upkeep's.
type Marked struct {
	Namespace, Name string
	Replicas        int
	Annotations     map[string]string // those that were asked for
}

// Marked lists the StatefulSets of all namespaces that carry an annotation, sorted by namespace and name, with the
// values of that annotation and others that are named.
func (s StatefulSets) Marked(ctx context.Context, annotation string, others ...string) ([]Marked, error) {
	list, err := s.Client.api.AppsV1().StatefulSets(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing StatefulSets: %w", err)
	}
	found := map[string]Marked{}
	for _, set := range list.Items {
		if _, marked := set.Annotations[annotation]; !marked {
			continue
		}
		m := Marked{Namespace: set.Namespace, Name: set.Name, Replicas: 1, Annotations: map[string]string{}}
		if set.Spec.Replicas != nil {
			m.Replicas = int(*set.Spec.Replicas)
		}
		for _, key := range append([]string{annotation}, others...) {
			if value, ok := set.Annotations[key]; ok {
				m.Annotations[key] = value
			}
		}
		found[set.Namespace+"/"+set.Name] = m
	}
	var out []Marked
	for _, key := range slices.Sorted(maps.Keys(found)) {
		out = append(out, found[key])
	}
	return out, nil
}

// wait looks until a condition holds. What it waits for is in the error when ctx ends first; a request that fails is
// tried again, since an API server that restarts is no reason to give up; what somebody has decided otherwise is one.
func (s StatefulSets) wait(ctx context.Context, condition func() (bool, string, error)) error {
	poll := s.Poll
	if poll == 0 {
		poll = time.Second
	}
	for {
		done, what, err := condition()
		if done && err == nil {
			return nil
		}
		if decided := (*ScaledError)(nil); errors.As(err, &decided) {
			return err
		}
		timer := time.NewTimer(poll)
		select {
		case <-ctx.Done():
			timer.Stop()
			if err != nil {
				return fmt.Errorf("%w: %w", context.Cause(ctx), err)
			}
			return fmt.Errorf("%w: %s", context.Cause(ctx), what)
		case <-timer.C:
		}
	}
}
