package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"upkeep/providers/akash"
	"upkeep/providers/facts"
)

// clusterNode stands in the place of a node for marks on objects of the cluster.
const clusterNode = "cluster"

const statefulSetMark = "statefulset/"

// clusterMarks lists the objects of the cluster that carry a mark: providers that upkeep has stopped. Nothing is asked of a
// cluster whose configuration has no provider.
func (w workspace) clusterMarks(ctx context.Context) []nodeMarks {
	if len(akash.Declared(w.desired)) == 0 {
		return nil
	}
	out := nodeMarks{Node: clusterNode, Marks: []facts.Mark{}}
	sets, err := statefulSets{w.desired.Cluster}.open()
	if err != nil {
		out.Unknown = err.Error()
		return []nodeMarks{out}
	}
	marked, err := sets.Marked(ctx, akash.MarkAnnotation, akash.MarkReplicas)
	if err != nil {
		out.Unknown = err.Error()
		return []nodeMarks{out}
	}
	for _, m := range marked {
		out.Marks = append(out.Marks, facts.Mark{
			ID: statefulSetMark + m.Namespace + "/" + m.Name, What: fmt.Sprintf("StatefulSet %s/%s scaled to 0", m.Namespace, m.Name),
			Run: m.Annotations[akash.MarkAnnotation], Undo: fmt.Sprintf("scale it to %d and take the mark away", replicas(m.Annotations)),
		})
	}
	return []nodeMarks{out}
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

// undoClusterMark starts what a mark says was stopped.
func (w workspace) undoClusterMark(ctx context.Context, id string) error {
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
			return sets.Start(ctx, namespace, name, replicas(m.Annotations), []string{akash.MarkAnnotation, akash.MarkReplicas})
		}
	}
	return nil // somebody has started it
}
