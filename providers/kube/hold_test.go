package kube

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/facts"
)

// TestHold: while a hold stands in the Lease no run takes it, whatever its state, except for what a hold allows.
func TestHold(t *testing.T) {
	us, other := holderNamed("ops@laptop/17", "lineage-1", 5), holderNamed("eva@desk/3", "lineage-2", 1)
	us.Duration, other.Duration = time.Minute, time.Minute
	began := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	hold := facts.Hold{
		Reason: "kubespray 2.31", Who: "ops@laptop", At: began, Until: began.Add(6 * time.Hour),
		Before: map[string]string{"cp1": "reached"},
	}
	s := &leaseServer{}
	client := s.client(t)
	if stood, err := client.EndHold(t.Context()); err != nil || stood {
		t.Errorf("without a Lease: stood %t, %v", stood, err)
	}
	lease, err := client.AcquireLease(t.Context(), us)
	if err != nil {
		t.Fatal(err)
	}
	var held *LeaseHeldError
	if err := client.Hold(t.Context(), hold); !errors.As(err, &held) {
		t.Errorf("beside a run: %v", err)
	}
	if err := lease.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.before = func(s *leaseServer) { s.put(us.onto(s.object, time.Now().Add(-time.Hour))) } // somebody is faster
	if err := client.Hold(t.Context(), hold); err != nil {
		t.Fatal(err)
	}
	want := hold
	want.Before = nil
	for _, request := range []LeaseRequest{us, other} {
		var stands *HoldError
		if _, err := client.AcquireLease(t.Context(), request); !errors.As(err, &stands) || !stands.Lost() {
			t.Fatalf("%s: %v", request.Holder, err)
		}
		if diff := cmp.Diff(want, stands.Hold); diff != "" || !strings.Contains(stands.Error(), "upkeep hold end") {
			t.Errorf("%s: %s", stands, diff)
		}
	}
	var stands *HoldError
	if err := client.Hold(t.Context(), hold); !errors.As(err, &stands) {
		t.Errorf("a second hold: %v", err)
	}
	us.DuringHold, us.Generation = true, 6
	backup, err := client.AcquireLease(t.Context(), us)
	if err != nil {
		t.Fatal(err)
	}
	if err := backup.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := client.AcquireLease(t.Context(), other); !errors.As(err, &stands) {
		t.Errorf("after a backup: %v", err)
	}
	if stood, err := client.EndHold(t.Context()); err != nil || !stood {
		t.Errorf("the end: stood %t, %v", stood, err)
	}
	if _, err := client.AcquireLease(t.Context(), other); err != nil {
		t.Error(err)
	}
}

// TestAHoldThatNobodyCanRead is one: what an unknown hand wrote is no reason to begin.
func TestAHoldThatNobodyCanRead(t *testing.T) {
	for _, text := range []string{"", "{", strings.Repeat("x", 2*mostHold), `{"until": 7}`, `{"reason": "a", "reason": "b"}`, `{"reason": "a", "Reason": ""}`} {
		request := holderNamed("ops@laptop/17", "lineage-1", 5)
		request.Duration = time.Minute
		object := request.onto(nil, time.Now().Add(-time.Hour))
		object.Annotations[annotationHold] = text
		s := &leaseServer{}
		s.put(object)
		var stands *HoldError
		if _, err := s.client(t).AcquireLease(t.Context(), request); !errors.As(err, &stands) || stands.Hold.Reason == "" {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	if err := (&leaseServer{}).client(t).Hold(t.Context(), facts.Hold{Reason: strings.Repeat("x", mostHold)}); err == nil {
		t.Error("a reason that nobody could read back is taken")
	}
}

// FuzzHold reads a record of a hold that anybody may have written.
func FuzzHold(f *testing.F) {
	f.Add(`{"reason":"kubespray 2.31","who":"ops@laptop","at":"2026-11-22T12:00:00Z","until":"2026-11-22T18:00:00Z"}`)
	f.Add("{")
	f.Fuzz(func(t *testing.T, text string) {
		object := LeaseRequest{Holder: "a"}.onto(nil, time.Now())
		if _, stands := holdOf(object); stands {
			t.Fatal("a hold stands in a Lease without one")
		}
		object.Annotations[annotationHold] = text
		hold, stands := holdOf(object)
		if !stands {
			t.Fatal("a record is no hold")
		}
		if said := (&HoldError{Server: "s", Hold: hold}).Error(); strings.ContainsAny(said, "\n\x1b") {
			t.Fatalf("%q", said)
		}
	})
}
