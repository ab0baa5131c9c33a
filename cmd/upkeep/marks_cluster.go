package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"upkeep/providers/akash"
	"upkeep/providers/facts"
	"upkeep/providers/kube"
)

// clusterNode stands in the place of a node for marks on objects of the cluster.
const clusterNode = "cluster"

// The kinds of marks on objects of the cluster, as their ids begin.
const (
	statefulSetMark = "statefulset/"
	cordonMark      = "cordon/"
)

// clusterMarks lists the objects of the cluster that carry a mark: nodes that upkeep has cordoned, and
// providers that
// upkeep has stopped. Nothing is asked where the configuration has no cluster.
func (w workspace) clusterMarks(ctx context.Context) []nodeMarks {
	if w.desired.Cluster == nil {
		return nil
	}
	out := nodeMarks{Node: clusterNode, Marks: []facts.Mark{}}
	cordoned, err := w.cordonMarks(ctx)
	if err == nil && len(akash.Declared(w.desired)) > 0 {
		out.Marks, err = w.stoppedMarks(ctx)
	}
	if out.Marks = append(out.Marks, cordoned...); err != nil {
		out.Unknown = err.Error()
	}
	return []nodeMarks{out}
}

// stoppedMarks lists the providers that upkeep has stopped.
func (w workspace) stoppedMarks(ctx context.Context) ([]facts.Mark, error) {
	marks := []facts.Mark{}
	sets, err := statefulSets{w.desired.Cluster}.open()
	if err != nil {
		return marks, err
	}
	marked, err := sets.Marked(ctx, akash.MarkAnnotation, akash.MarkReplicas)
	for _, m := range marked {
		marks = append(marks, facts.Mark{
			ID:   statefulSetMark + m.Namespace + "/" + m.Name,
			What: fmt.Sprintf("StatefulSet %s/%s scaled to 0", m.Namespace, m.Name),
			Run:  m.Annotations[akash.MarkAnnotation],
			Undo: fmt.Sprintf("scale it to %d and take the mark away", replicas(m.Annotations)),
		})
	}
	return marks, err
}

// cordonMarks lists the nodes that upkeep has cordoned.
func (w workspace) cordonMarks(ctx context.Context) ([]facts.Mark, error) {
	client, err := kube.Open(w.desired.Cluster.Kubeconfig, w.desired.Cluster.Context)
	if err != nil {
		return nil, err
	}
	nodes, err := client.Cordons(ctx)
	var marks []facts.Mark
	for _, n := range nodes {
		marks = append(marks, cordonMarkOf(n))
	}
	return marks, err
}

func cordonMarkOf(n facts.KubernetesNode) facts.Mark {
	mark := facts.Mark{
		ID: cordonMark + n.Name, What: "node " + n.Name + " cordoned by " + n.Cordon.By + ": " + n.Cordon.Why,
		Run: n.Cordon.Run, Made: n.Cordon.Since, Unknown: n.Cordon.Unknown, Undo: "uncordon it and take the mark away",
	}
	if n.Cordon.Who != "" {
		mark.Run += " (" + n.Cordon.Who + ")"
	}
	switch {
	case n.Cordon.Unknown != "":
		mark.What = ""
		mark.Undo = "kubectl uncordon " + n.Name + " && kubectl annotate node " + n.Name + " " +
			facts.CordonAnnotation + "-"
	case !n.Unschedulable:
		mark.What = "node " + n.Name + ", which somebody has uncordoned"
		mark.Undo = "take the mark away"
	}
	return mark
}

// startTimeout is how long a provider may take to be ready: its liveness probe alone starts after 240 seconds.
const startTimeout = 8 * time.Minute

// replicas are those that a mark names; 1 where it names none.
func replicas(annotations map[string]string) int {
	n, err := strconv.Atoi(annotations[akash.MarkReplicas])
	if err != nil || n < 1 || n > 100 {
		return 1
	}
	return n
}

// undoClusterMark starts what a mark says was stopped, and uncordons what a mark says was cordoned.
func (w workspace) undoClusterMark(ctx context.Context, id string) error {
	if name, is := strings.CutPrefix(id, cordonMark); is {
		return w.undoCordon(ctx, name)
	}
	namespace, name, ok := strings.Cut(strings.TrimPrefix(id, statefulSetMark), "/")
	if !ok || !strings.HasPrefix(id, statefulSetMark) {
		return fmt.Errorf("%q is no mark of the cluster", id)
	}
	sets, err := statefulSets{w.desired.Cluster}.open()
	if err != nil {
		return err
	}
	marked, err := sets.Marked(ctx, akash.MarkAnnotation, akash.MarkReplicas)
	if err != nil {
		return err
	}
	for _, m := range marked {
		if m.Namespace == namespace && m.Name == name {
			ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("not ready after %s", startTimeout))
			defer cancel()
			return sets.Start(ctx, namespace, name, replicas(m.Annotations),
				[]string{akash.MarkAnnotation, akash.MarkReplicas})
		}
	}
	return nil // somebody has started it
}

// undoCordon uncordons a node by the mark that it carries now.
func (w workspace) undoCordon(ctx context.Context, name string) error {
	client, err := kube.Open(w.desired.Cluster.Kubeconfig, w.desired.Cluster.Context)
	if err != nil {
		return err
	}
	nodes, err := client.Cordons(ctx)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if n.Name == name {
			return client.Uncordon(ctx, name, *n.Cordon)
		}
	}
	return nil // somebody has uncordoned it, and taken the mark away
}
