package wiring_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/cmd/upkeep/wiring"
	"upkeep/providers/claim"
	"upkeep/providers/node/protocol"
)

// lease is a Lease that is never lost.
type lease struct{}

func (lease) Renew(context.Context) error   { return nil }
func (lease) Check(context.Context) error   { return nil }
func (lease) Release(context.Context) error { return nil }
func (lease) String() string                { return "the Lease" }

// heldError says that another run has the Lease.
type heldError struct{}

func (heldError) Error() string { return "another upkeep works on this cluster" }
func (heldError) Lost() bool    { return true }

// downError says that the API gives no answer.
type downError struct{}

func (downError) Error() string     { return "api.example.net: connection refused" }
func (downError) Unreachable() bool { return true }

func TestClaimer(t *testing.T) {
	desired, endpoints := house()
	const waiting = "Waiting up to 1m0s: another upkeep works on this cluster"
	const nodesInstead = "Note: the cluster's API does not answer (api.example.net: connection refused); other runs are kept away by a lock on cp1, cp2."
	for _, test := range []struct {
		name    string
		timeout time.Duration
		answers []error // of the Lease, in turn; the last one for ever
		want    string  // what is held
		err     string
		after   time.Duration
		notes   []string
		none    string // why no node can be locked
	}{
		{name: "free", answers: []error{nil}, want: "the Lease"},
		{name: "held, and nobody waits", answers: []error{heldError{}}, err: "another upkeep works on this cluster"},
		{name: "held for a while", timeout: time.Minute, answers: []error{heldError{}, heldError{}, heldError{}, nil}, want: "the Lease", after: 7 * time.Second,
			notes: []string{waiting}},
		{name: "held for longer", timeout: time.Minute, answers: []error{heldError{}}, err: "another upkeep works on this cluster", after: time.Minute, notes: []string{waiting}},
		{name: "the API is down", answers: []error{downError{}}, want: "the lock of cp1, cp2", notes: []string{nodesInstead}},
		{name: "the API is down, and no node can be locked", none: "none of w1 runs etcd", answers: []error{downError{}},
			err: "the cluster's API does not answer (api.example.net: connection refused), and no other run can be kept away: none of w1 runs etcd"},
		{name: "refused by the API", timeout: time.Minute, answers: []error{errors.New("forbidden")}, err: "forbidden"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, asked := time.Now(), 0
				var notes []string
				locked := []string{"cp1", "cp2"}
				if test.none != "" {
					locked = nil
				}
				held, err := wiring.Claimer{
					Run: protocol.Run{Lineage: "l1", Generation: 7}, Who: "ops@laptop/1", Locker: wiring.NewNodes(&client{}, desired, endpoints), Nodes: locked, NoNodes: test.none,
					Lease: func(context.Context) (claim.Holding, error) {
						err := test.answers[min(asked, len(test.answers)-1)]
						asked++
						return lease{}, err
					},
					Note: func(line string) { notes = append(notes, line) },
				}.Claim(t.Context(), t.Context(), test.timeout)
				if after := time.Since(began); after != test.after {
					t.Errorf("after %s, want %s", after, test.after)
				}
				if diff := cmp.Diff(test.notes, notes); diff != "" {
					t.Errorf("notes (-want +got):\n%s", diff)
				}
				if test.err != "" {
					if err == nil || !strings.Contains(err.Error(), test.err) {
						t.Errorf("%v, want %q", err, test.err)
					}
					return
				}
				if err != nil || held.String() != test.want {
					t.Fatalf("%v, %v; want %s", held, err, test.want)
				}
				if err := held.Release(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A run whose own state lock is gone waits for nobody's claim.
func TestAClaimerStopsWaitingWithItsParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, end := context.WithCancelCause(t.Context())
		gone := errors.New("the state's lock was lost")
		time.AfterFunc(5*time.Second, func() { end(gone) })
		_, err := wiring.Claimer{
			Lease: func(context.Context) (claim.Holding, error) { return nil, heldError{} },
			Note:  func(string) {},
		}.Claim(t.Context(), parent, time.Hour)
		if !errors.Is(err, gone) {
			t.Errorf("%v, want %v", err, gone)
		}
	})
}
