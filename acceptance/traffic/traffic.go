// Package traffic is the client that keeps using a cluster while something is done to it, and says what it noticed.
//
// One worker asks each API server, one writes to and reads from each etcd member, each over its own connection and
// without retrying anything: they say how long each server was away. Two more workers, one for the API and one for etcd,
// do what a sensible client does and try the next server when one fails: they must see no failure at all.
//
// It is no load generator: it asks often enough to see a gap, not more.
package traffic

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// DefaultInterval between a worker's requests bounds how short a gap can be seen.
	DefaultInterval = 50 * time.Millisecond
	// tryLimit is the time that one try may take. Longer than etcd's default election timeout in a kubeadm cluster
	// (1 s), so that a write that waits for a new leader is slow, not failed.
	tryLimit = 3 * time.Second
)

// Cluster says what to traffic.
type Cluster struct {
	API     []string    // HOST:PORT of every API server
	APITLS  *tls.Config // CA, and a client certificate that may read namespaces
	Etcd    []string    // HOST:PORT of every etcd member
	EtcdTLS *tls.Config // CA and a client certificate

	Interval time.Duration // between one worker's requests; 0 stands for DefaultInterval
}

// Run is a traffic at work. Stop it.
type Run struct {
	cancel  context.CancelFunc
	workers []*worker
	all     sync.WaitGroup
	etcd    *etcdClients
}

// Start checks that every server answers once, and then sends requests until Stop or until ctx ends.
func Start(ctx context.Context, c Cluster) (*Run, error) {
	if len(c.API) == 0 || len(c.Etcd) == 0 {
		return nil, errors.New("nothing to traffic: name the API servers and the etcd members")
	}
	if c.Interval == 0 {
		c.Interval = DefaultInterval
	}
	members, err := dialEtcd(c.Etcd, c.EtcdTLS)
	if err != nil {
		return nil, err
	}
	r := &Run{etcd: members}
	var api, etcd []request
	for _, server := range c.API {
		api = append(api, apiGet(server, c.APITLS))
		r.workers = append(r.workers, newWorker("API  "+server, apiGet(server, c.APITLS)))
	}
	for _, m := range members.all {
		etcd = append(etcd, m.writeAndRead("retrying"))
		r.workers = append(r.workers, newWorker("etcd "+m.address, m.writeAndRead(m.address)))
	}
	r.workers = append(r.workers,
		&worker{counts: Counts{Name: "API  retrying", Retrying: true}, do: firstOf(api)},
		&worker{counts: Counts{Name: "etcd retrying", Retrying: true}, do: firstOf(etcd)})
	for _, w := range r.workers {
		if err := w.do(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("before anything was done, %s: %w", w.counts.Name, err), members.close())
		}
	}
	ctx, r.cancel = context.WithCancel(ctx)
	for _, w := range r.workers {
		r.all.Go(func() { w.work(ctx, c.Interval) })
	}
	return r, nil
}

// Stop ends the requests, removes its keys from etcd and reports.
func (r *Run) Stop() (Report, error) {
	r.cancel()
	r.all.Wait()
	var report Report
	for _, w := range r.workers {
		report.Workers = append(report.Workers, w.counts)
	}
	return report, r.etcd.close()
}

// Report is what all workers noticed.
type Report struct{ Workers []Counts }

// Counts is what one worker noticed.
type Counts struct {
	Name     string
	Retrying bool // tries every server before it counts a failure
	Requests int
	Failures int
	// LongestGap is the longest time from one success to the next; it ran from GapStart. With nothing wrong it is little
	// more than the interval.
	LongestGap time.Duration
	GapStart   time.Time
	FirstError string // of the first failure
}

// Noticed says what a client that tries another server noticed: nil if nothing, else an error with each failure count.
func (r Report) Noticed() error {
	var all error
	for _, c := range r.Workers {
		if c.Retrying && c.Failures > 0 {
			all = errors.Join(all, fmt.Errorf("%s: %d of %d requests failed on every server, first: %s", c.Name, c.Failures, c.Requests, c.FirstError))
		}
		if c.Requests == 0 {
			all = errors.Join(all, fmt.Errorf("%s: made no request", c.Name))
		}
	}
	return all
}

// String is a table for people.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-22s %9s %9s %12s  %s\n", "client", "requests", "failures", "longest gap", "since")
	for _, c := range r.Workers {
		fmt.Fprintf(&b, "%-22s %9d %9d %12s  %s\n", c.Name, c.Requests, c.Failures, c.LongestGap.Round(time.Millisecond), c.GapStart.Format("15:04:05.000"))
	}
	return b.String()
}

// request does one thing to one server and fails if it is not done.
type request func(ctx context.Context) error

// firstOf tries servers, beginning with the one that answered last, until one does.
func firstOf(all []request) request {
	all = slices.Clone(all)
	start := 0
	return func(ctx context.Context) error {
		var failures error
		for i := range all {
			at := (start + i) % len(all)
			err := all[at](ctx)
			if err == nil {
				start = at
				return nil
			}
			failures = errors.Join(failures, err)
		}
		return failures
	}
}

// worker repeats one request and counts.
type worker struct {
	do     request
	counts Counts
}

func newWorker(name string, do request) *worker {
	return &worker{do: do, counts: Counts{Name: name}}
}

// work repeats until ctx ends. The time before the first success and after the last counts as a gap too.
func (w *worker) work(ctx context.Context, interval time.Duration) {
	last := time.Now()
	gap := func(until time.Time) {
		if length := until.Sub(last); length > w.counts.LongestGap {
			w.counts.LongestGap, w.counts.GapStart = length, last
		}
	}
	for {
		select {
		case <-ctx.Done():
			gap(time.Now())
			return
		case <-time.After(interval):
		}
		err := w.do(ctx)
		if err != nil && ctx.Err() != nil {
			continue // cut short by the end of the run: neither a success nor a failure
		}
		w.counts.Requests++
		if err != nil {
			w.counts.Failures++
			if w.counts.FirstError == "" {
				w.counts.FirstError = err.Error()
			}
			continue
		}
		now := time.Now()
		gap(now)
		last = now
	}
}
