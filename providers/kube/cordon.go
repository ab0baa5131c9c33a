package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"upkeep/providers/facts"
)

// ErrCordonForeign: somebody else has cordoned the node. The cordon was left unchanged, and no mark was set: only
// one boolean says that a node is cordoned, so upkeep could not tell later whose cordon it takes away.
var ErrCordonForeign = errors.New("somebody else has cordoned it")

// ErrCordonChanged: the mark on the node is another one than expected, or cannot be read. Nothing was changed.
var ErrCordonChanged = errors.New("its cordon is not the expected one")

// cordonAttempts bounds how often a write is tried again that somebody else was faster with: kubelets write their
// Node every few seconds.
const cordonAttempts = 10

// Cordon makes a node unschedulable and marks it as cordoned by upkeep, in one write. A node that upkeep has
// cordoned already keeps its mark: that is no error. A node that somebody else has cordoned is ErrCordonForeign.
func (c *Client) Cordon(ctx context.Context, name string, mark facts.Cordon) error {
	text, err := mark.Annotation()
	if err != nil {
		return err
	}
	return c.editNode(ctx, "cordoning", name, func(n *corev1.Node) (map[string]any, error) {
		found := facts.CordonOf(n.Annotations)
		switch {
		case n.Spec.Unschedulable && found == nil:
			return nil, ErrCordonForeign
		case n.Spec.Unschedulable:
			return nil, nil
		}
		return nodePatch(text, true), nil
	})
}

// Uncordon makes a node schedulable and takes upkeep's mark away, in one write, if the mark on the node is still
// the expected one. A node without a mark is left unchanged, cordoned or not: a missing mark is no error. Where
// somebody has made the node schedulable already, only the mark goes.
func (c *Client) Uncordon(ctx context.Context, name string, expected facts.Cordon) error {
	return c.editNode(ctx, "uncordoning", name, func(n *corev1.Node) (map[string]any, error) {
		found := facts.CordonOf(n.Annotations)
		switch {
		case found == nil:
			return nil, nil
		case !found.Same(expected):
			return nil, ErrCordonChanged
		}
		return nodePatch(nil, false), nil
	})
}

// nodePatch sets or removes the mark, and says whether the node is unschedulable.
func nodePatch(mark any, unschedulable bool) map[string]any {
	var value any
	if unschedulable {
		value = true
	}
	return map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{facts.CordonAnnotation: mark}},
		"spec":     map[string]any{"unschedulable": value},
	}
}

// editNode reads a node, asks for a JSON merge patch of it (RFC 7396), and sends the patch with the version that
// was read, so that a node which changed in between is looked at again. A patch leaves fields alone that this
// client does not know. Nothing is sent for an empty patch.
func (c *Client) editNode(
	ctx context.Context, doing, name string, edit func(*corev1.Node) (map[string]any, error),
) error {
	for attempt := 1; ; attempt++ {
		n, err := c.api.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("%s node %s: %s", doing, name, explain(err))
		}
		patch, err := edit(n)
		if err != nil {
			return fmt.Errorf("%s node %s: %w", doing, name, err)
		}
		if patch == nil {
			return nil
		}
		patch["metadata"].(map[string]any)["resourceVersion"] = n.ResourceVersion
		data, err := json.Marshal(patch)
		if err != nil {
			return fmt.Errorf("%s node %s: %w", doing, name, err)
		}
		_, err = c.api.CoreV1().Nodes().Patch(ctx, name, types.MergePatchType, data,
			metav1.PatchOptions{FieldManager: "upkeep"})
		switch {
		case err == nil:
			return nil
		case apierrors.IsConflict(err) && attempt < cordonAttempts:
			continue // somebody was faster: whose cordon is it now?
		}
		return fmt.Errorf("%s node %s: %s", doing, name, explain(err))
	}
}

// Cordons lists the nodes that carry upkeep's mark, sorted by name.
func (c *Client) Cordons(ctx context.Context) ([]facts.KubernetesNode, error) {
	nodes, err := c.nodes(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing nodes: %s", explain(err))
	}
	var marked []facts.KubernetesNode
	for _, n := range nodes {
		if n.Cordon != nil {
			marked = append(marked, n)
		}
	}
	return marked, nil
}
