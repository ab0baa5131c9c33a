package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
)

// RestartedAt is the annotation of a pod template by which `kubectl rollout restart` makes a controller replace its
// pods.
const RestartedAt = "kubectl.kubernetes.io/restartedAt"

// ErrScaled: the workload's replicas are neither what was expected nor what is wanted. Somebody else has scaled it.
var ErrScaled = errors.New("somebody else has scaled it")

// Workload names a StatefulSet or a Deployment.
type Workload struct {
	Kind      string `json:"kind"` // "StatefulSet" or "Deployment"
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

func (w Workload) String() string { return w.Kind + " " + w.Namespace + "/" + w.Name }

// Scale sets the replicas of a workload from the observed to the wanted number, and in the same write its annotations:
// a value sets one, an empty value takes it away. A workload that has the wanted replicas already gets the annotations
// alone; one with other replicas is ErrScaled.
func (c *Client) Scale(ctx context.Context, w Workload, from, to int32, annotations map[string]string) error {
	err := c.edit(ctx, w, func(object *metav1.ObjectMeta, replicas **int32, _ *map[string]string) (bool, error) {
		now := int32(1) // the API's default
		if *replicas != nil {
			now = **replicas
		}
		if now != from && now != to {
			return false, fmt.Errorf("%w: it has %d replicas, not %d", ErrScaled, now, from)
		}
		changed := now != to
		*replicas = &to
		for key, value := range annotations {
			old, had := object.Annotations[key]
			switch {
			case value == "" && had:
				delete(object.Annotations, key)
				changed = true
			case value != "" && old != value:
				if object.Annotations == nil {
					object.Annotations = map[string]string{}
				}
				object.Annotations[key] = value
				changed = true
			}
		}
		return changed, nil
	})
	if err != nil {
		return fmt.Errorf("scaling %s to %d: %w", w, to, err)
	}
	return nil
}

// Restart makes a workload replace its pods, as `kubectl rollout restart` does. The same time restarts once.
func (c *Client) Restart(ctx context.Context, w Workload, at time.Time) error {
	err := c.edit(ctx, w, func(_ *metav1.ObjectMeta, _ **int32, template *map[string]string) (bool, error) {
		stamp := at.UTC().Format(time.RFC3339)
		if (*template)[RestartedAt] == stamp {
			return false, nil
		}
		if *template == nil {
			*template = map[string]string{}
		}
		(*template)[RestartedAt] = stamp
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("restarting %s: %w", w, err)
	}
	return nil
}

// edit reads a workload, lets change edit it, and writes it if it was changed; it reads again when somebody else wrote
// in between.
func (c *Client) edit(ctx context.Context, w Workload, change func(object *metav1.ObjectMeta, replicas **int32, template *map[string]string) (bool, error)) error {
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		switch w.Kind {
		case "StatefulSet":
			client := c.api.AppsV1().StatefulSets(w.Namespace)
			o, err := client.Get(ctx, w.Name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			if changed, err := change(&o.ObjectMeta, &o.Spec.Replicas, &o.Spec.Template.Annotations); err != nil || !changed {
				return err
			}
			_, err = client.Update(ctx, o, metav1.UpdateOptions{})
			return err
		case "Deployment":
			client := c.api.AppsV1().Deployments(w.Namespace)
			o, err := client.Get(ctx, w.Name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			if changed, err := change(&o.ObjectMeta, &o.Spec.Replicas, &o.Spec.Template.Annotations); err != nil || !changed {
				return err
			}
			_, err = client.Update(ctx, o, metav1.UpdateOptions{})
			return err
		}
		return fmt.Errorf("a %s cannot be scaled or restarted", w.Kind)
	})
}

// DeleteStatefulSet deletes a StatefulSet whose uid is the given one, and leaves its pods and claims alone: what must
// be done before a change that Kubernetes refuses in place. One that is gone, or has another uid by now, is no error:
// the one that was meant is gone.
func (c *Client) DeleteStatefulSet(ctx context.Context, namespace, name, uid string) error {
	orphan := metav1.DeletePropagationOrphan
	id := types.UID(uid)
	err := c.api.AppsV1().StatefulSets(namespace).Delete(ctx, name, metav1.DeleteOptions{
		PropagationPolicy: &orphan,
		Preconditions:     &metav1.Preconditions{UID: &id},
	})
	if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return fmt.Errorf("deleting StatefulSet %s/%s: %w", namespace, name, err)
}

// Replicas returns how many replicas a workload is told to have, and its annotations; found is false when it is not
// there.
func (c *Client) Replicas(ctx context.Context, w Workload) (replicas int32, annotations map[string]string, found bool, err error) {
	count := func(wanted *int32) int32 {
		if wanted == nil {
			return 1
		}
		return *wanted
	}
	switch w.Kind {
	case "StatefulSet":
		var o *appsv1.StatefulSet
		if o, err = c.api.AppsV1().StatefulSets(w.Namespace).Get(ctx, w.Name, metav1.GetOptions{}); err == nil {
			return count(o.Spec.Replicas), o.Annotations, true, nil
		}
	case "Deployment":
		var o *appsv1.Deployment
		if o, err = c.api.AppsV1().Deployments(w.Namespace).Get(ctx, w.Name, metav1.GetOptions{}); err == nil {
			return count(o.Spec.Replicas), o.Annotations, true, nil
		}
	default:
		return 0, nil, false, fmt.Errorf("a %s has no replicas", w.Kind)
	}
	if apierrors.IsNotFound(err) {
		return 0, nil, false, nil
	}
	return 0, nil, false, fmt.Errorf("%s: %s", w, explain(err))
}

// ApplyCRD creates a CustomResourceDefinition, or brings the one that is there to what is given, by server-side apply.
// definition is its YAML or JSON as JSON.
func (c *Client) ApplyCRD(ctx context.Context, definition json.RawMessage) error {
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   struct {
			Name string `json:"name"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(definition, &head); err != nil {
		return fmt.Errorf("custom resource definition: %w", err)
	}
	if head.APIVersion != "apiextensions.k8s.io/v1" || head.Kind != "CustomResourceDefinition" ||
		head.Metadata.Name == "" {
		return fmt.Errorf("%s %s %q is no custom resource definition of apiextensions.k8s.io/v1", head.APIVersion,
			head.Kind, head.Metadata.Name)
	}
	err := c.api.Discovery().RESTClient().Patch(types.ApplyPatchType).
		AbsPath("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"+head.Metadata.Name).
		Param("fieldManager", "upkeep").Param("force", "true").
		Body([]byte(definition)).Do(ctx).Error()
	if err != nil {
		return fmt.Errorf("applying custom resource definition %s: %w", head.Metadata.Name, err)
	}
	return nil
}
