package kube

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"upkeep/providers/facts"
	"upkeep/providers/plain"
)

// DrainOptions say how a node is drained.
type DrainOptions struct {
	// EmptyDir: pods with emptyDir volumes are evicted, and the data in the volumes is lost.
	EmptyDir bool
	// Bare: pods that no controller makes again are evicted.
	Bare bool
	// Tenants: pods of an Akash provider's tenants are evicted.
	Tenants bool
	// Limit is how long the pods may take to end; Pause is how long to wait between two looks, 0: two seconds.
	Limit, Pause time.Duration
}

// ErrDrainRefused: a pod must not be evicted as the options say. Nothing was evicted.
var ErrDrainRefused = errors.New("the node is not drained")

// discoveryPrefix begins the names of the pods with which Akash's operator-inventory looks at the hardware of a node.
// They have no controller: the operator makes them again at once, on the same node, whether it is cordoned or not
// (akash-network/provider, operator/inventory). So they stay, as the pods of a DaemonSet do.
const discoveryPrefix = "operator-inventory-hardware-discovery-"

// Drain says what draining a node would do now. It does not fail: what cannot be read is unknown with its reason.
func (c *Client) Drain(ctx context.Context, question facts.DrainQuestion) facts.Drain {
	pods, err := c.podsOn(ctx, question.Node)
	if err != nil {
		return facts.Drain{Unknown: fmt.Sprintf("%s: listing pods: %s", c.host(), explain(err))}
	}
	pods = slices.DeleteFunc(pods, staysOn)
	found := facts.Drain{Tried: question.Try}
	var budgets []policyv1.PodDisruptionBudget
	if !question.Try && len(pods) > 0 {
		if budgets, err = c.budgets(ctx); err != nil {
			return facts.Drain{Unknown: fmt.Sprintf("%s: listing PodDisruptionBudgets: %s", c.host(), explain(err))}
		}
	}
	for _, pod := range pods {
		f := drainPod(pod)
		switch {
		case pod.DeletionTimestamp != nil: // it is going
		case question.Try:
			if err := c.evict(ctx, pod, true); err != nil {
				f.Refused = explain(err)
			}
		default:
			f.Refused = refusedBy(budgets, pod)
		}
		found.Pods = append(found.Pods, f)
	}
	slices.SortFunc(found.Pods, func(a, b facts.DrainPod) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return found
}

// host names the API server in messages; a client of tests has no configuration.
func (c *Client) host() string {
	if c.config == nil {
		return "Kubernetes"
	}
	return c.config.Host
}

// podsOn lists the pods of a node that have not ended.
func (c *Client) podsOn(ctx context.Context, node string) ([]corev1.Pod, error) {
	var out []corev1.Pod
	options := metav1.ListOptions{
		Limit: podPage, FieldSelector: fields.OneTermEqualSelector("spec.nodeName", node).String(),
	}
	for {
		page, err := c.api.CoreV1().Pods(metav1.NamespaceAll).List(ctx, options)
		if err != nil {
			return nil, err
		}
		for _, pod := range page.Items {
			if pod.Spec.NodeName == node && !ended(pod) {
				out = append(out, pod)
			}
		}
		if options.Continue = page.Continue; options.Continue == "" {
			return out, nil
		}
	}
}

// staysOn reports whether a drain leaves a pod where it is: it would start on the same node again.
func staysOn(pod corev1.Pod) bool {
	owner := metav1.GetControllerOf(&pod)
	if _, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]; mirror {
		return true
	}
	return owner != nil && owner.Kind == "DaemonSet" || owner == nil && strings.HasPrefix(pod.Name, discoveryPrefix)
}

func drainPod(pod corev1.Pod) facts.DrainPod {
	f := facts.DrainPod{Namespace: pod.Namespace, Name: pod.Name}
	if owner := metav1.GetControllerOf(&pod); owner != nil {
		f.Owner = owner.Kind + " " + owner.Name
	}
	_, f.Tenant = pod.Labels[serviceLabel]
	f.EmptyDir = slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.EmptyDir != nil })
	return f
}

func (c *Client) budgets(ctx context.Context) ([]policyv1.PodDisruptionBudget, error) {
	var out []policyv1.PodDisruptionBudget
	options := metav1.ListOptions{Limit: podPage}
	for {
		page, err := c.api.PolicyV1().PodDisruptionBudgets(metav1.NamespaceAll).List(ctx, options)
		if err != nil {
			return nil, err
		}
		out = append(out, page.Items...)
		if options.Continue = page.Continue; options.Continue == "" {
			return out, nil
		}
	}
}

// refusedBy says which budget keeps a pod from being evicted now; "" where none does. It is what the budgets say of
// themselves: only a dry run asks the API server.
func refusedBy(budgets []policyv1.PodDisruptionBudget, pod corev1.Pod) string {
	for _, b := range budgets {
		if b.Namespace != pod.Namespace || b.Status.DisruptionsAllowed > 0 || b.Spec.Selector == nil {
			continue
		}
		selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
		if err != nil || !selector.Matches(labels.Set(pod.Labels)) {
			continue
		}
		policy := b.Spec.UnhealthyPodEvictionPolicy
		if policy != nil && *policy == policyv1.AlwaysAllow && !ready(pod) {
			continue
		}
		return fmt.Sprintf("PodDisruptionBudget %s allows no eviction now", b.Name)
	}
	return ""
}

func ready(pod corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(condition corev1.PodCondition) bool {
		return condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue
	})
}

// evict asks for the eviction of one pod, which is the pod that was seen and no other of its name. A pod that has gone
// is no error.
func (c *Client) evict(ctx context.Context, pod corev1.Pod, dryRun bool) error {
	uid := pod.UID
	options := &metav1.DeleteOptions{}
	if uid != "" {
		options.Preconditions = &metav1.Preconditions{UID: (*types.UID)(&uid)}
	}
	if dryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	err := c.api.PolicyV1().Evictions(pod.Namespace).Evict(ctx, &policyv1.Eviction{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}, DeleteOptions: options,
	})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}

// Evict drains a node: it evicts what Drain names, again and again while a PodDisruptionBudget refuses, and returns
// when no such pod is left. It deletes nothing by other ways, and cordons nothing.
func (c *Client) Evict(ctx context.Context, node string, o DrainOptions, progress func(string)) error {
	if o.Pause == 0 {
		o.Pause = 2 * time.Second
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.Limit, fmt.Errorf("not drained after %s", o.Limit))
	defer cancel()
	said := ""
	for first := true; ; first = false {
		pods, err := c.podsOn(ctx, node)
		if err == nil {
			pods = slices.DeleteFunc(pods, staysOn)
			err = o.allows(pods)
		}
		switch {
		case errors.Is(err, ErrDrainRefused), err != nil && first:
			return fmt.Errorf("draining node %s: %w", node, err)
		case err == nil && len(pods) == 0:
			return nil
		}
		left := ""
		if err != nil {
			left = explain(err)
		} else {
			left = c.evictAll(ctx, pods)
		}
		if left != said {
			progress(left)
			said = left
		}
		timer := time.NewTimer(o.Pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("draining node %s: %w: %s", node, context.Cause(ctx), left)
		}
	}
}

// evictAll asks for the eviction of pods that are not on their way out, and says in words what is left.
func (c *Client) evictAll(ctx context.Context, pods []corev1.Pod) string {
	refused := ""
	for _, pod := range pods {
		if pod.DeletionTimestamp != nil {
			continue
		}
		if err := c.evict(ctx, pod, false); err != nil && refused == "" {
			refused = fmt.Sprintf("; %s/%s is refused: %s", pod.Namespace, pod.Name, explain(err))
		}
	}
	return fmt.Sprintf("%d pods are still on the node, %s/%s among them%s", len(pods), pods[0].Namespace, pods[0].Name,
		refused)
}

// allows refuses pods that the options leave alone.
func (o DrainOptions) allows(pods []corev1.Pod) error {
	for _, pod := range pods {
		if pod.DeletionTimestamp != nil {
			continue
		}
		switch f := drainPod(pod); {
		case f.Tenant && !o.Tenants:
			return fmt.Errorf("%w: pod %s belongs to a tenant", ErrDrainRefused, plain.Said(f.String()))
		case f.Owner == "" && !o.Bare:
			return fmt.Errorf("%w: no controller makes pod %s again", ErrDrainRefused, plain.Said(f.String()))
		case f.EmptyDir && !o.EmptyDir && !f.Tenant:
			return fmt.Errorf("%w: pod %s has data in an emptyDir volume", ErrDrainRefused, plain.Said(f.String()))
		}
	}
	return nil
}
