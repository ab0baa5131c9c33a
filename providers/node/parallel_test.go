package node_test

import (
	"fmt"
	"testing"
)

// BenchmarkObserve256Nodes observes 256 nodes on this machine, 32 at a time: what upkeep itself costs beside the nodes.
func BenchmarkObserve256Nodes(b *testing.B) {
	s := newSite(b)
	for b.Loop() {
		observeMany(b, s, 256, local)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/256, "µs/node")
}

func Test256NodesAtOnce(t *testing.T) {
	s := newSite(t)
	c := s.client()
	failures := make(chan error, 256)
	for i := range 256 {
		go func() {
			_, err := c.Observe(t.Context(), local(fmt.Sprintf("gpu%d", i)), layout("kubeadm"))
			failures <- err
		}()
	}
	for range 256 {
		if err := <-failures; err != nil {
			t.Error(err)
		}
	}
}
