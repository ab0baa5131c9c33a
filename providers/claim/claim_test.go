package claim_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/claim"
	"upkeep/providers/node/protocol"
)

// holding is a claim that does as it is told.
type holding struct {
	mu       sync.Mutex
	renewals int
	released int
	err      error // of Renew and Check
}

type lostError struct{}

func (lostError) Error() string { return "somebody took it" }
func (lostError) Lost() bool    { return true }

func (h *holding) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.err = err
}

func (h *holding) Renew(context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.renewals++
	return h.err
}

func (h *holding) Check(context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}

func (h *holding) Release(context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.released++
	return nil
}

func (h *holding) String() string { return "the claim" }

const ttl = 300 * time.Millisecond

// The clock of these is synctest's: a machine that is busy makes no renewal late.
func TestAClaimIsRenewedAndGivenBack(t *testing.T) { synctest.Test(t, renewedAndGivenBack) }

func renewedAndGivenBack(t *testing.T) {
	h := &holding{}
	c := claim.Keep(t.Context(), h, ttl, nil)
	time.Sleep(2 * ttl)
	if err := c.Check(t.Context()); err != nil || c.Context().Err() != nil {
		t.Errorf("after twice its time: %v, %v", err, context.Cause(c.Context()))
	}
	for range 2 {
		if err := c.Release(); err != nil {
			t.Error(err)
		}
	}
	if h.renewals < 3 || h.released != 1 || context.Cause(c.Context()) != claim.ErrReleased {
		t.Errorf("%d renewals, %d releases, ended by %v", h.renewals, h.released, context.Cause(c.Context()))
	}
}

func TestAClaimThatIsLostEndsTheWork(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"taken over":         {lostError{}, "somebody took it"},
		"not to be renewed":  {errors.New("no answer"), "it could not be renewed for 270ms: no answer"},
		"renewed after that": {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &holding{err: test.err}
				c := claim.Keep(t.Context(), h, ttl, nil)
				defer c.Release()
				if test.err == nil {
					h.fail(errors.New("for a moment"))
					time.Sleep(ttl / 2)
					h.fail(nil)
					time.Sleep(ttl)
					if err := c.Check(t.Context()); err != nil {
						t.Error(err)
					}
					return
				}
				select {
				case <-c.Context().Done():
				case <-time.After(10 * ttl):
					t.Fatal("the work was not told to stop")
				}
				for _, err := range []error{context.Cause(c.Context()), c.Check(t.Context())} {
					if err == nil || !strings.Contains(err.Error(), test.want) {
						t.Errorf("%v, want %q", err, test.want)
					}
				}
			})
		})
	}
}

// A process that slept past its claim's time finds out before it acts, whatever its timers have noticed.
func TestASleeperFindsItsClaimGone(t *testing.T) {
	var mu sync.Mutex
	clock := time.Now()
	c := claim.Keep(t.Context(), &holding{}, time.Hour, func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return clock
	})
	defer c.Release()
	if err := c.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	clock = clock.Add(2 * time.Hour)
	mu.Unlock()
	var late *claim.ClaimLostError
	if err := c.Check(t.Context()); !errors.As(err, &late) {
		t.Errorf("after a long sleep: %v", err)
	}
}

// guardian is a node's side of the lock, as the protocol describes it.
type guardian struct {
	mu    sync.Mutex
	nodes map[string]*lockedNode
}

type lockedNode struct {
	down    bool
	holder  protocol.LockRequest
	newest  map[string]uint64
	touched int
}

func newGuardian(names ...string) *guardian {
	g := &guardian{nodes: map[string]*lockedNode{}}
	for _, name := range names {
		g.nodes[name] = &lockedNode{newest: map[string]uint64{}}
	}
	return g
}

func (g *guardian) Lock(_ context.Context, name string, r protocol.LockRequest) (protocol.LockResult, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := g.nodes[name]
	if n.down {
		return protocol.LockResult{}, errors.New(name + ": no answer in 10s")
	}
	n.touched++
	ours := n.holder.Holder == r.Holder && n.holder.Lineage == r.Lineage
	switch {
	case r.Release:
		if ours {
			n.holder = protocol.LockRequest{}
		}
		return protocol.LockResult{Generation: n.newest[r.Lineage]}, nil
	case n.newest[r.Lineage] > r.Generation, n.holder.Holder != "" && n.holder.Lineage != r.Lineage:
		return protocol.LockResult{Holder: n.holder.Holder, Generation: n.newest[n.holder.Lineage]}, nil
	}
	n.holder, n.newest[r.Lineage] = r, r.Generation
	return protocol.LockResult{Holder: r.Holder, Generation: r.Generation, Held: true}, nil
}

func (g *guardian) holders() map[string]string {
	out := map[string]string{}
	for name, n := range g.nodes {
		out[name] = n.holder.Holder
	}
	return out
}

func TestLockNodes(t *testing.T) {
	us := protocol.LockRequest{Lineage: "l1", Generation: 5, Holder: "us", Seconds: 60}
	them := protocol.LockRequest{Lineage: "l2", Generation: 9, Holder: "them"}
	for name, test := range map[string]struct {
		change func(*guardian)
		want   map[string]string
		err    string
	}{
		"all are free": {func(*guardian) {}, map[string]string{"cp1": "us", "cp2": "us", "cp3": "us"}, ""},
		"one is down":  {func(g *guardian) { g.nodes["cp1"].down = true }, map[string]string{"cp1": "", "cp2": "us", "cp3": "us"}, ""},
		"one is another's: none is kept": {func(g *guardian) { g.nodes["cp2"].holder, g.nodes["cp2"].newest["l2"] = them, 9 }, map[string]string{"cp1": "", "cp2": "them", "cp3": ""},
			`could not lock node cp2: held by "them" (generation 9)`},
		"one has seen a newer run of ours": {func(g *guardian) { g.nodes["cp3"].newest["l1"] = 6 }, map[string]string{"cp1": "", "cp2": "", "cp3": ""}, "could not lock node cp3"},
		"all are down": {func(g *guardian) {
			for _, n := range g.nodes {
				n.down = true
			}
		}, map[string]string{"cp1": "", "cp2": "", "cp3": ""}, "none of cp1, cp2, cp3 gave its lock: cp1: no answer in 10s"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGuardian("cp1", "cp2", "cp3")
			test.change(g)
			locks, err := claim.LockNodes(t.Context(), g, []string{"cp1", "cp2", "cp3"}, us)
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Fatalf("%v, want %q", err, test.err)
			}
			if diff := cmp.Diff(test.want, g.holders()); diff != "" {
				t.Errorf("holders (-want +got):\n%s", diff)
			}
			if err != nil {
				return
			}
			if err := locks.Release(t.Context()); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(map[string]string{"cp1": "", "cp2": "", "cp3": ""}, g.holders()); diff != "" {
				t.Errorf("after the release:\n%s", diff)
			}
		})
	}
}

func TestNodeLocksRenew(t *testing.T) {
	us := protocol.LockRequest{Lineage: "l1", Generation: 5, Holder: "us"}
	g := newGuardian("cp1", "cp2")
	g.nodes["cp1"].down = true
	locks, err := claim.LockNodes(t.Context(), g, []string{"cp1", "cp2"}, us)
	if err != nil {
		t.Fatal(err)
	}
	g.nodes["cp1"].down, g.nodes["cp2"].down = false, true // the one came back, the other went
	if err := locks.Renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"cp1"}, locks.Held()); diff != "" {
		t.Error(diff)
	}
	g.nodes["cp1"].newest["l1"] = 6 // a newer run of the same state went there
	var refused *claim.NodeLockedError
	if err := locks.Renew(t.Context()); !errors.As(err, &refused) || !refused.Lost() || refused.Node != "cp1" {
		t.Errorf("after a newer run came: %v", err)
	}
}

// While the API is down nodes are locked; when it is back, the Lease is taken, too.
func TestUpgrade(t *testing.T) {
	first, second := &holding{}, &holding{}
	var taken error = errors.New("connection refused")
	u := &claim.Upgrade{First: first, Take: func(context.Context) (claim.Holding, error) { return second, taken }}
	if err := u.Renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	taken = nil
	for range 2 {
		if err := u.Renew(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if first.renewals != 3 || second.renewals != 1 {
		t.Errorf("%d and %d renewals", first.renewals, second.renewals)
	}
	second.fail(errors.New("API down again"))
	if err := errors.Join(u.Renew(t.Context()), u.Check(t.Context())); err != nil {
		t.Errorf("the second part is silent, the first is held: %v", err)
	}
	second.fail(lostError{})
	for what, err := range map[string]error{"renew": u.Renew(t.Context()), "check": u.Check(t.Context())} {
		if !errors.As(err, &lostError{}) {
			t.Errorf("%s when the second part is lost: %v", what, err)
		}
	}
	if err := u.Release(t.Context()); err != nil || first.released != 1 || second.released != 1 {
		t.Errorf("release: %v, %d, %d", err, first.released, second.released)
	}
	u = &claim.Upgrade{First: first, Take: func(context.Context) (claim.Holding, error) { return nil, lostError{} }}
	if err := u.Renew(t.Context()); !errors.As(err, &lostError{}) {
		t.Errorf("another run has the Lease: %v", err)
	}
}

// A claim is named while it is renewed: by the executor's events, and by the error that says that it was lost.
func TestAClaimIsNamedWhileItIsRenewed(t *testing.T) {
	locks, err := claim.LockNodes(t.Context(), newGuardian("cp1", "cp2"), []string{"cp1", "cp2"}, protocol.LockRequest{Holder: "us"})
	if err != nil {
		t.Fatal(err)
	}
	u := &claim.Upgrade{First: locks, Take: func(context.Context) (claim.Holding, error) { return &holding{}, nil }}
	const rounds = 200
	var work sync.WaitGroup
	work.Go(func() {
		for range rounds {
			if err := u.Renew(t.Context()); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range rounds {
		if name := u.String(); name == "" || len(locks.Held()) != 2 {
			t.Errorf("%q, held %v", name, locks.Held())
		}
	}
	work.Wait()
	if want := "the lock of cp1, cp2 and the claim"; u.String() != want {
		t.Errorf("%q, want %q", u.String(), want)
	}
}
